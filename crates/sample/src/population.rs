//! Who is there on a day, and what they are like: accounts, their parties, and the parties'
//! addresses.

use crate::random::{Draws, PerMillion, Permutation, Survival};

/// Of the first day's accounts, those that come new each day after it.
const NEW_ACCOUNTS: PerMillion = PerMillion(2_000);
/// Of the accounts of a day, those that are gone on the next.
const CLOSED_ACCOUNTS: PerMillion = PerMillion(1_000);
/// Of the accounts of a day, those whose row differs on the next.
const CHANGED_ACCOUNTS: PerMillion = PerMillion(10_000);
/// Accounts without any party.
const WITHOUT_PARTY: PerMillion = PerMillion(80_000);
/// Parties after which there is another: 0.92 / (1 - 0.34286) makes 1.4 parties an account.
const ANOTHER_PARTY: PerMillion = PerMillion(342_857);
/// Of a day's accounts, those that gain a party on the next.
const GAINED_PARTIES: PerMillion = PerMillion(500);
/// Of a day's parties, those that are gone on the next.
const LOST_PARTIES: PerMillion = PerMillion(300);
/// Of a day's parties, those whose relation to the account differs on the next.
const CHANGED_RELATIONS: PerMillion = PerMillion(1_000);
/// Of a day's parties, those whose address differs on the next.
const CHANGED_ADDRESSES: PerMillion = PerMillion(3_000);
/// Parties with an address.
const WITH_ADDRESS: PerMillion = PerMillion(900_000);
/// Parties whose account is not in the export, as real exports have a few.
const ORPHANS: PerMillion = PerMillion(100);

/// Account numbers have ten digits.
const ACCOUNT_NUMBERS: u64 = 10_000_000_000;
/// Party numbers have twelve digits.
const PARTY_NUMBERS: u64 = 1_000_000_000_000;
/// Accounts beyond this index are never issued: orphans name them.
const NEVER_ISSUED: u64 = 5_000_000_000;
/// Party indexes that an account has for itself.
const PARTIES_APART: u64 = 64;
/// The party indexes of the one account that may have more than [`PARTIES_APART`] parties.
const SKEWED_PARTIES: u64 = 900_000_000_000;
/// The account with `skew` parties.
const SKEWED_ACCOUNT: u64 = 0;

/// Most accounts on the first day: what is issued in ten years stays below [`NEVER_ISSUED`], and
/// party indexes below [`SKEWED_PARTIES`].
pub(crate) const MOST_ACCOUNTS: u64 = 500_000_000;
/// Most days of an export.
pub(crate) const MOST_DAYS: u32 = 3_650;
/// Most parties of the skewed account.
pub(crate) const MOST_SKEW: u64 = 10_000_000;

/// Places that numbers are drawn at, so that no two uses share one.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    AccountNumbers = 1,
    PartyNumbers,
    RowOrder,
    Account,
    AccountCloses,
    AccountChange,
    AccountGainsParty,
    PartyCount,
    Party,
    PartyLeaves,
    PartyChange,
    Orphan,
    HasAddress,
    Address,
}

impl Draws {
    pub(crate) fn of(self, place: Place) -> Draws {
        self.at(place as u64)
    }
}

/// The parts of an account's row that change apart from each other.
#[derive(Clone, Copy)]
pub(crate) enum AccountPart {
    Title1,
    Title2,
    TaxId,
    Branch,
    Status,
}

/// How many [`AccountPart`]s there are.
const ACCOUNT_PARTS: usize = 5;
/// Which part a change touches: of a hundred changes.
const CHANGE_SHARES: [(AccountPart, u64); ACCOUNT_PARTS] = [
    (AccountPart::Title1, 20),
    (AccountPart::Title2, 30),
    (AccountPart::TaxId, 10),
    (AccountPart::Branch, 35),
    (AccountPart::Status, 5),
];

/// An account on a day.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    pub(crate) index: u64,
    /// The day that it came on, 0 for the first one's.
    pub(crate) born: u32,
    /// For each part the day of its last change, or the day the account came on.
    versions: [u32; ACCOUNT_PARTS],
    /// The day of the last change of any part.
    pub(crate) changed: u32,
}

impl Account {
    pub(crate) fn version(&self, part: AccountPart) -> u32 {
        self.versions[part as usize]
    }
}

/// A party of an account on a day.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Party {
    /// Its place among all parties that ever are.
    pub(crate) index: u64,
    /// The day that it came on.
    pub(crate) born: u32,
    /// The day that its relation to the account last changed.
    pub(crate) relation_version: u32,
    /// The day that its address last changed.
    pub(crate) address_version: u32,
}

/// Everyone who ever is, for one seed and one number of accounts.
#[derive(Clone, Debug)]
pub(crate) struct Population {
    seed: Draws,
    accounts: u64,
    skew: Option<u64>,
    account_numbers: Permutation,
    party_numbers: Permutation,
    accounts_left: Survival,
    parties_left: Survival,
}

impl Population {
    /// `accounts` on the first of `days` days.
    pub(crate) fn new(seed: u64, accounts: u64, days: u32, skew: Option<u64>) -> Population {
        let seed = Draws::new(seed);
        Population {
            seed,
            accounts,
            skew,
            account_numbers: Permutation::new(ACCOUNT_NUMBERS, seed.of(Place::AccountNumbers)),
            party_numbers: Permutation::new(PARTY_NUMBERS, seed.of(Place::PartyNumbers)),
            accounts_left: Survival::new(CLOSED_ACCOUNTS, days),
            parties_left: Survival::new(LOST_PARTIES, days),
        }
    }

    /// The stream of a place that belongs to an account, a party or a day.
    pub(crate) fn draws(&self, place: Place, index: u64) -> Draws {
        self.seed.of(place).at(index)
    }

    /// Account indexes issued until a day, those of closed accounts included.
    pub(crate) fn issued(&self, day: u32) -> u64 {
        self.accounts + self.new_accounts(day)
    }

    fn new_accounts(&self, day: u32) -> u64 {
        (u128::from(self.accounts) * u128::from(day) * u128::from(NEW_ACCOUNTS.0) / 1_000_000) as u64
    }

    /// The day that an account index came on.
    fn born(&self, index: u64) -> u32 {
        let Some(later) = index.checked_sub(self.accounts) else { return 0 };
        // The first day on which more than `later` new ones had come.
        let per_day = u128::from(self.accounts) * u128::from(NEW_ACCOUNTS.0);
        (((u128::from(later) + 1) * 1_000_000).div_ceil(per_day.max(1))) as u32
    }

    /// The order of a day's rows: any table's rows lie in another order, as exports do.
    pub(crate) fn row_order(&self, day: u32, table: u64) -> Permutation {
        Permutation::new(self.issued(day).max(1), self.draws(Place::RowOrder, u64::from(day)).at(table))
    }

    /// The account of an index that was issued until this day, if it was not closed since.
    pub(crate) fn account(&self, index: u64, day: u32) -> Option<Account> {
        let born = self.born(index);
        let lot = self.draws(Place::AccountCloses, index).next();
        if index != SKEWED_ACCOUNT && !self.accounts_left.is_left(lot, day - born) {
            return None;
        }
        let mut account = Account { index, born, versions: [born; ACCOUNT_PARTS], changed: born };
        let changes = self.draws(Place::AccountChange, index);
        for later in born + 1..=day {
            let mut draws = changes.at(u64::from(later));
            if draws.chance(CHANGED_ACCOUNTS) {
                account.versions[changed_part(&mut draws) as usize] = later;
                account.changed = later;
            }
        }
        Some(account)
    }

    /// The account's number, ten digits.
    pub(crate) fn account_number(&self, index: u64) -> u64 {
        self.account_numbers.of(index)
    }

    /// The party's number, twelve digits.
    pub(crate) fn party_number(&self, index: u64) -> u64 {
        self.party_numbers.of(index)
    }

    /// The number of the account that a party names: its own, or of the orphans one that is in no
    /// export.
    pub(crate) fn named_account(&self, account: &Account, party: &Party) -> u64 {
        if self.draws(Place::Orphan, party.index).chance(ORPHANS) {
            return self.account_number(NEVER_ISSUED + account.index);
        }
        self.account_number(account.index)
    }

    /// The account's parties on a day.
    pub(crate) fn parties(&self, account: &Account, day: u32) -> impl Iterator<Item = Party> {
        let skewed = self.skew.filter(|_| account.index == SKEWED_ACCOUNT);
        let (first, from_start) = match skewed {
            Some(parties) => (SKEWED_PARTIES, parties),
            None => (account.index * PARTIES_APART, self.first_parties(account.index)),
        };
        let gained =
            if skewed.is_some() { Vec::new() } else { self.gained_parties(account, day, from_start) };
        let born = account.born;
        (0..from_start)
            .map(move |at| (first + at, born))
            .chain(gained.into_iter().zip(first + from_start..).map(|(born, index)| (index, born)))
            .filter_map(move |(index, born)| self.party(index, born, day))
    }

    fn first_parties(&self, account: u64) -> u64 {
        let mut draws = self.draws(Place::PartyCount, account);
        if draws.chance(WITHOUT_PARTY) {
            return 0;
        }
        let mut count = 1;
        while count < PARTIES_APART / 2 && draws.chance(ANOTHER_PARTY) {
            count += 1;
        }
        count
    }

    /// The days on which parties came later than the account.
    fn gained_parties(&self, account: &Account, day: u32, from_start: u64) -> Vec<u32> {
        let gains = self.draws(Place::AccountGainsParty, account.index);
        let room = (PARTIES_APART - from_start) as usize;
        let days = account.born + 1..=day;
        days.filter(|later| gains.at(u64::from(*later)).chance(GAINED_PARTIES)).take(room).collect()
    }

    fn party(&self, index: u64, born: u32, day: u32) -> Option<Party> {
        let lot = self.draws(Place::PartyLeaves, index).next();
        if !self.parties_left.is_left(lot, day - born) {
            return None;
        }
        let mut party = Party { index, born, relation_version: born, address_version: born };
        let changes = self.draws(Place::PartyChange, index);
        for later in born + 1..=day {
            let mut draws = changes.at(u64::from(later));
            if draws.chance(CHANGED_RELATIONS) {
                party.relation_version = later;
            }
            if draws.chance(CHANGED_ADDRESSES) {
                party.address_version = later;
            }
        }
        Some(party)
    }

    pub(crate) fn has_address(&self, party: &Party) -> bool {
        self.draws(Place::HasAddress, party.index).chance(WITH_ADDRESS)
    }
}

fn changed_part(draws: &mut Draws) -> AccountPart {
    let mut at = draws.below(CHANGE_SHARES.iter().map(|(_, share)| share).sum());
    for (part, share) in CHANGE_SHARES {
        match at.checked_sub(share) {
            None => return part,
            Some(rest) => at = rest,
        }
    }
    AccountPart::Branch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_accounts_come_on_the_day_that_their_index_says() {
        for accounts in [1, 499, 500, 1_000, 123_457] {
            let population = Population::new(1, accounts, 30, None);
            for day in 0..30 {
                let issued = population.issued(day);
                assert!(population.born(issued - 1) <= day, "{accounts} accounts, day {day}");
                assert!(population.born(issued) > day, "{accounts} accounts, day {day}");
            }
        }
    }

    #[test]
    fn a_day_on_has_the_changes_that_the_rates_promise() {
        const N: u64 = 200_000;
        let population = Population::new(5, N, 3, None);
        let on = |day: u32| -> Vec<Option<Account>> {
            (0..population.issued(day)).map(|index| population.account(index, day)).collect()
        };
        let (before, after) = (on(2), on(3));
        let closed = before.iter().zip(&after).filter(|(a, b)| a.is_some() && b.is_none()).count();
        let changed =
            after.iter().flatten().filter(|account| account.changed == 3 && account.born < 3).count();
        let back = before.iter().zip(&after).filter(|(a, b)| a.is_none() && b.is_some()).count();
        assert!((150..250).contains(&closed), "{closed} of 200,000 closed");
        assert!((1_850..2_150).contains(&changed), "{changed} of 200,000 changed");
        assert_eq!(back, 0);
        assert_eq!(after.len() - before.len(), 400);
    }
}
