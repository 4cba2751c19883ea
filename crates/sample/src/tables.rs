//! Rows of the three tables, in batches.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::builder::{Date32Builder, Int32Builder, StringBuilder, TimestampMicrosecondBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use hivecast_run::{Fault, Result};

use crate::countries::{COUNTRIES, Country, House};
use crate::population::{Account, AccountPart, Party, Place, Population};
use crate::random::{Draws, PerMillion};
use crate::words::{
    COMPANY_TRADES, COMPANY_WORDS, FIRST_NAMES, LOAD_USERS, RELATIONS, SECOND_LINES, SOURCE_SYSTEMS, SURNAMES,
};

/// Rows that are made, and handed on, at a time.
const BATCH_ROWS: usize = 65_536;
const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
/// Accounts of the first day were opened in the 25 years before it.
const OLDEST_START_DAYS: i64 = 9_131;
/// Changes are made in the evening before the export: from 18:00 to 22:00, in seconds.
const EVENING: (i64, u64) = (64_800 - SECONDS_PER_DAY, 14_400);
/// Accounts are opened from 08:00 to 18:00, in seconds.
const OFFICE_HOURS: (i64, u64) = (28_800, 36_000);
/// Branches, from 1.
const BRANCHES: u64 = 2_400;

const ACTIVE: PerMillion = PerMillion(900_000);
const COMPANIES: PerMillion = PerMillion(250_000);
const SECOND_TITLE: PerMillion = PerMillion(350_000);
const NO_TITLE: PerMillion = PerMillion(2_000);
const NO_TAX_ID: PerMillion = PerMillion(30_000);
const NO_BRANCH: PerMillion = PerMillion(10_000);
const NO_POSTAL_CODE: PerMillion = PerMillion(8_000);
const SECOND_ADDRESS_LINE: PerMillion = PerMillion(300_000);
const ABROAD: PerMillion = PerMillion(50_000);

/// The tables of the export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Table {
    Accounts,
    Parties,
    Addresses,
}

impl Table {
    pub(crate) const ALL: [Table; 3] = [Table::Accounts, Table::Parties, Table::Addresses];

    /// Its name in Hive.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Table::Accounts => "accounts",
            Table::Parties => "parties",
            Table::Addresses => "party_address",
        }
    }

    pub(crate) fn schema(self) -> SchemaRef {
        let text = |name: &str| Field::new(name, DataType::Utf8, true);
        let date = |name: &str| Field::new(name, DataType::Date32, true);
        let timestamp = |name: &str| Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, None), true);
        let int = |name: &str| Field::new(name, DataType::Int32, true);
        Arc::new(Schema::new(match self {
            Table::Accounts => vec![
                text("account_id"),
                text("source_sys"),
                timestamp("account_start_date"),
                text("legal_title_1"),
                text("legal_title_2"),
                text("tax_id_type"),
                text("tax_id"),
                text("branch_code"),
                text("country"),
                int("active_ind"),
                text("status_cd"),
                timestamp("last_update_ts"),
                text("load_user"),
            ],
            Table::Parties => vec![
                text("party_id"),
                text("account_id"),
                text("relation_type"),
                date("relation_start_date"),
                timestamp("last_update_ts"),
                text("load_user"),
            ],
            Table::Addresses => vec![
                text("party_id"),
                text("address_line_1"),
                text("address_line_2"),
                text("city"),
                text("postal_code"),
                text("country_of_address"),
                date("address_start_date"),
                timestamp("last_update_ts"),
                text("load_user"),
            ],
        }))
    }
}

/// One day of the export.
#[derive(Clone, Copy)]
pub(crate) struct Day<'a> {
    pub(crate) population: &'a Population,
    /// Counted from the first, which is 0.
    pub(crate) number: u32,
    /// Days from 1970-01-01 to the first day.
    pub(crate) first: i64,
}

/// Makes the rows of the accounts at these places of the table's row order, batch by batch.
pub(crate) fn rows(
    table: Table,
    day: Day<'_>,
    places: Range<u64>,
    take: &mut dyn FnMut(RecordBatch) -> Result<()>,
) -> Result<()> {
    let order = day.population.row_order(day.number, table as u64);
    let mut rows = Rows::new(table);
    for place in places {
        let Some(account) = day.population.account(order.of(place), day.number) else { continue };
        if table == Table::Accounts {
            rows.account(day, &account);
            rows.hand_on(BATCH_ROWS, take)?;
            continue;
        }
        for party in day.population.parties(&account, day.number) {
            match table {
                Table::Parties => rows.party(day, &account, &party),
                _ if day.population.has_address(&party) => rows.address(day, &account, &party),
                _ => continue,
            }
            rows.hand_on(BATCH_ROWS, take)?;
        }
    }
    rows.hand_on(1, take)
}

/// A column being built.
enum Column {
    Text(StringBuilder),
    Int(Int32Builder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
}

/// Rows being built. Cells are appended in the order of the schema.
struct Rows {
    schema: SchemaRef,
    columns: Vec<Column>,
    next: usize,
    count: usize,
}

impl Rows {
    fn new(table: Table) -> Rows {
        let schema = table.schema();
        let columns = schema
            .fields()
            .iter()
            .map(|field| match field.data_type() {
                DataType::Int32 => Column::Int(Int32Builder::with_capacity(BATCH_ROWS)),
                DataType::Date32 => Column::Date(Date32Builder::with_capacity(BATCH_ROWS)),
                DataType::Timestamp(..) => {
                    Column::Timestamp(TimestampMicrosecondBuilder::with_capacity(BATCH_ROWS))
                }
                _ => Column::Text(StringBuilder::with_capacity(BATCH_ROWS, BATCH_ROWS * 16)),
            })
            .collect();
        Rows { schema, columns, next: 0, count: 0 }
    }

    /// Hands the rows on once there are as many as `at_least`.
    fn hand_on(&mut self, at_least: usize, take: &mut dyn FnMut(RecordBatch) -> Result<()>) -> Result<()> {
        if self.count < at_least {
            return Ok(());
        }
        self.count = 0;
        let columns = self
            .columns
            .iter_mut()
            .map(|column| -> ArrayRef {
                match column {
                    Column::Text(builder) => Arc::new(builder.finish()),
                    Column::Int(builder) => Arc::new(builder.finish()),
                    Column::Date(builder) => Arc::new(builder.finish()),
                    Column::Timestamp(builder) => Arc::new(builder.finish()),
                }
            })
            .collect();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .map_err(|error| Fault::bug("failed to put sample rows together").because(error))?;
        take(batch)
    }

    fn column(&mut self) -> &mut Column {
        let at = self.next;
        self.next = (at + 1) % self.columns.len();
        self.count += usize::from(self.next == 0);
        &mut self.columns[at]
    }

    /// A cell of text; null where `write` gives none.
    fn text(&mut self, write: impl FnOnce(&mut StringBuilder) -> Option<()>) {
        if let Column::Text(builder) = self.column() {
            match write(builder) {
                Some(()) => builder.append_value(""),
                None => builder.append_null(),
            }
        }
    }

    fn word(&mut self, word: &str) {
        self.text(|out| out.write_str(word).ok());
    }

    fn int(&mut self, value: i32) {
        if let Column::Int(builder) = self.column() {
            builder.append_value(value);
        }
    }

    fn date(&mut self, days: i64) {
        if let Column::Date(builder) = self.column() {
            builder.append_option(i32::try_from(days).ok());
        }
    }

    fn timestamp(&mut self, seconds: i64) {
        if let Column::Timestamp(builder) = self.column() {
            builder.append_value(seconds * MICROS_PER_SECOND);
        }
    }

    fn account(&mut self, day: Day<'_>, account: &Account) {
        let population = day.population;
        let root = population.draws(Place::Account, account.index);
        // Each part is drawn anew at each of its versions.
        let part = |part: AccountPart| root.at(part as u64 + 1).at(u64::from(account.version(part)));
        let Nature { company, country, start, mut fixed } = nature(day, account);
        let source = fixed.word(SOURCE_SYSTEMS);
        let active = part(AccountPart::Status).chance(ACTIVE);

        self.text(|out| write!(out, "{:010}", population.account_number(account.index)).ok());
        self.word(source);
        self.timestamp(start * SECONDS_PER_DAY + within(OFFICE_HOURS, &mut fixed));
        self.text(|out| first_title(part(AccountPart::Title1), company, country, out));
        self.text(|out| second_title(part(AccountPart::Title2), account, out));
        let mut tax = part(AccountPart::TaxId);
        let (tax_type, pattern) = if company { country.company_tax } else { country.person_tax };
        let has_tax = !tax.chance(NO_TAX_ID);
        self.text(|out| has_tax.then(|| out.write_str(tax_type).ok())?);
        self.text(|out| has_tax.then(|| fill(pattern, &mut tax, out))?);
        self.text(|out| branch(part(AccountPart::Branch), out));
        self.word(country.name);
        self.int(i32::from(active));
        self.word(if active { "ACTIVE" } else { "INACTIVE" });
        self.timestamp(last_update(day, start, account.born, account.changed, root));
        self.word(fixed.word(LOAD_USERS));
    }

    fn party(&mut self, day: Day<'_>, account: &Account, party: &Party) {
        let population = day.population;
        let root = population.draws(Place::Party, party.index);
        let mut fixed = root.at(0);
        let mut versioned = root.at(1).at(u64::from(party.relation_version));
        let start = start_day(day, party.born, nature(day, account).start, &mut fixed);
        self.text(|out| write!(out, "{:012}", population.party_number(party.index)).ok());
        self.text(|out| write!(out, "{:010}", population.named_account(account, party)).ok());
        self.word(versioned.word(RELATIONS));
        self.date(start);
        self.timestamp(last_update(day, start, party.born, party.relation_version, root));
        self.word(fixed.word(LOAD_USERS));
    }

    fn address(&mut self, day: Day<'_>, account: &Account, party: &Party) {
        let population = day.population;
        let root = population.draws(Place::Address, party.index).at(u64::from(party.address_version));
        let mut draws = root;
        let home = nature(day, account).country;
        let country = if draws.chance(ABROAD) { draws.pick(COUNTRIES) } else { home };
        let start = start_day(day, party.address_version, day.first - OLDEST_START_DAYS, &mut draws);
        self.text(|out| write!(out, "{:012}", population.party_number(party.index)).ok());
        self.text(|out| address_line(country, &mut draws, out));
        self.text(|out| {
            let (there, kind, number) =
                (draws.chance(SECOND_ADDRESS_LINE), draws.word(SECOND_LINES), draws.below(60) + 1);
            there.then(|| write!(out, "{kind} {number}").ok())?
        });
        self.word(draws.word(country.cities));
        self.text(|out| (!draws.chance(NO_POSTAL_CODE)).then(|| fill(country.postal, &mut draws, out))?);
        self.word(country.name);
        self.date(start);
        self.timestamp(last_update(day, start, party.address_version, party.address_version, root));
        self.word(draws.word(LOAD_USERS));
    }
}

/// What of an account never changes, and the stream that goes on behind it.
struct Nature {
    company: bool,
    country: &'static Country,
    /// The day it was opened, counted from 1970-01-01.
    start: i64,
    fixed: Draws,
}

fn nature(day: Day<'_>, account: &Account) -> Nature {
    let mut fixed = day.population.draws(Place::Account, account.index).at(0);
    let company = fixed.chance(COMPANIES);
    let country = home_country(&mut fixed);
    let start = start_day(day, account.born, day.first - OLDEST_START_DAYS, &mut fixed);
    Nature { company, country, start, fixed }
}

/// The first countries of the list come up more often than the last.
fn home_country(draws: &mut Draws) -> &'static Country {
    let count = COUNTRIES.len() as u64;
    let at = draws.below(count).min(draws.below(count));
    &COUNTRIES[at as usize]
}

/// The day that something began: the day before the one it came on, or for what was there on the
/// first day, some day since `earliest`. In days since 1970-01-01.
fn start_day(day: Day<'_>, born: u32, earliest: i64, draws: &mut Draws) -> i64 {
    let ages = u64::try_from(day.first - earliest).unwrap_or(0).max(1);
    let after = draws.below(ages) as i64;
    if born == 0 { earliest + after } else { day.first + i64::from(born) - 1 }
}

fn within((from, length): (i64, u64), draws: &mut Draws) -> i64 {
    from + draws.below(length) as i64
}

/// When a row was last written: the evening before its last change was exported, or, for what did
/// not change since the first day, some time after it began.
fn last_update(day: Day<'_>, start: i64, born: u32, changed: u32, root: Draws) -> i64 {
    let mut draws = root.at(u64::from(changed) << 32);
    if changed > 0 || born > 0 {
        return (day.first + i64::from(changed)) * SECONDS_PER_DAY + within(EVENING, &mut draws);
    }
    let age = (day.first - start).max(1) as u64;
    (start + draws.below(age) as i64 + 1) * SECONDS_PER_DAY + within(EVENING, &mut draws)
}

fn person(draws: &mut Draws, out: &mut StringBuilder) -> Option<()> {
    let (first, last) = (draws.word(FIRST_NAMES), draws.word(SURNAMES));
    // A middle initial now and then.
    match draws.below(4) {
        0 => write!(out, "{first} {}. {last}", letter(draws)).ok(),
        _ => write!(out, "{first} {last}").ok(),
    }
}

fn first_title(mut draws: Draws, company: bool, country: &Country, out: &mut StringBuilder) -> Option<()> {
    if draws.chance(NO_TITLE) {
        return None;
    }
    if !company {
        return person(&mut draws, out);
    }
    let (word, trade, form) =
        (draws.word(COMPANY_WORDS), draws.word(COMPANY_TRADES), draws.word(country.companies));
    write!(out, "{word} {trade} {form}").ok()
}

fn second_title(mut draws: Draws, account: &Account, out: &mut StringBuilder) -> Option<()> {
    let has_changed = account.version(AccountPart::Title2) > account.born;
    if !has_changed && !draws.chance(SECOND_TITLE) {
        return None;
    }
    match draws.below(3) {
        0 => out.write_str("and ").ok()?,
        1 => out.write_str("c/o ").ok()?,
        _ => {
            let (word, trade) = (draws.word(COMPANY_WORDS), draws.word(COMPANY_TRADES));
            return write!(out, "T/A {word} {trade}").ok();
        }
    }
    person(&mut draws, out)
}

fn branch(mut draws: Draws, out: &mut StringBuilder) -> Option<()> {
    let missing = draws.chance(NO_BRANCH);
    let number = draws.below(BRANCHES) + 1;
    (!missing).then(|| write!(out, "BR{number:05}").ok())?
}

fn address_line(country: &Country, draws: &mut Draws, out: &mut StringBuilder) -> Option<()> {
    let (street, number) = (draws.word(country.streets), draws.below(280) + 1);
    match country.house {
        House::BeforeStreet => write!(out, "{number} {street}").ok(),
        House::AfterStreet => write!(out, "{street} {number}").ok(),
    }
}

fn letter(draws: &mut Draws) -> char {
    char::from(b'A' + draws.below(26) as u8)
}

/// A pattern with its digits and letters drawn.
fn fill(pattern: &str, draws: &mut Draws, out: &mut StringBuilder) -> Option<()> {
    for symbol in pattern.chars() {
        let symbol = match symbol {
            '#' => char::from(b'0' + draws.below(10) as u8),
            '@' => letter(draws),
            other => other,
        };
        out.write_char(symbol).ok()?;
    }
    Some(())
}
