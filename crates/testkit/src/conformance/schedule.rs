//! Seeded random schedules: many days, crashes, changed inputs and mask keys, and replacements, against a
//! model that knows nothing but dates and names.

use std::collections::BTreeMap;

use hivecast_contract::LoadDate;
use hivecast_publish::{Mode, Outcome};
use hivecast_run::Class;

use super::Fixture;
use super::cases::Case;
use super::editions::{Edition, Editions};
use super::faulty::{Effect, Faulty, Point, Trip, is_crash};
use super::oracle::Stretch;

/// How many commands one schedule gives.
const COMMANDS: u32 = 12;

/// Digests of the keys that values are masked with.
const MASK_KEYS: [&str; 2] = ["digest of one key", "digest of another"];

/// SplitMix64 (Steele, Lea, Flood 2014).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    fn edition(&mut self, id: &str, day: u8) -> Edition {
        let documents: Vec<_> = (0..1 + self.below(11))
            .map(|_| {
                let key = self.below(20);
                (format!("k{key}"), format!(r#"{{"k":{key},"of":"{id}"}}"#))
            })
            .collect();
        Edition::new(id, day, documents)
    }

    pub(super) fn trip(&mut self) -> Trip {
        let points = [
            Point::Opened,
            Point::Began,
            Point::Sent,
            Point::BeforeCommit,
            Point::InCommit,
            Point::AfterCommit,
        ];
        let effect = if self.below(3) == 0 { Effect::Lost } else { Effect::Crash };
        Trip { point: points[self.below(6) as usize], nth: 1 + self.below(6), effect }
    }
}

/// An edition that is under way: its name and day, what it is published over, and how much of it is
/// committed.
struct UnderWay {
    id: String,
    mask_key: &'static str,
    load_date: LoadDate,
    bases: Vec<String>,
}

/// What a person who watched all commands knows.
#[derive(Default)]
struct Model {
    /// The edition of each day that was completed.
    done: BTreeMap<LoadDate, String>,
    /// The one that was completed last, and the digest of its mask key.
    latest: Option<(LoadDate, String, &'static str)>,
    under_way: Option<UnderWay>,
    log: Vec<Stretch>,
}

/// What a command should do.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Expected {
    Conflict,
    Nothing,
    Resume,
    Start,
}

impl Model {
    fn expect(&self, id: &str, load_date: LoadDate, mask_key: &str, mode: Mode) -> Expected {
        let under_way = self.under_way.as_ref();
        let begun_with = under_way.filter(|run| run.id == id).map(|run| run.mask_key);
        let published_with =
            self.latest.as_ref().filter(|(_, latest, _)| latest == id).map(|latest| latest.2);
        match begun_with.or(published_with) {
            Some(other) if other != mask_key => {
                return if mode == Mode::Replace { Expected::Start } else { Expected::Conflict };
            }
            _ if begun_with.is_some() => return Expected::Resume,
            _ => {}
        }
        let done = self.done.get(&load_date);
        let same_day_under_way = under_way.is_some_and(|run| run.load_date == load_date);
        match mode {
            Mode::Replace if published_with.is_some() && under_way.is_none() => Expected::Nothing,
            Mode::Replace => Expected::Start,
            Mode::Normal if done.is_some_and(|done| done == id) && !same_day_under_way => {
                // Unless an older day was put back over it.
                let latest = self.latest.as_ref().is_some_and(|(date, ..)| *date < load_date);
                let older = latest || under_way.is_some_and(|run| run.load_date < load_date);
                if older { Expected::Conflict } else { Expected::Nothing }
            }
            Mode::Normal if done.is_some() || same_day_under_way => Expected::Conflict,
            Mode::Normal => {
                let latest = self.latest.as_ref().map(|(date, ..)| *date);
                let newest = latest.max(under_way.map(|run| run.load_date));
                if newest > Some(load_date) { Expected::Conflict } else { Expected::Start }
            }
        }
    }

    fn bases(&self, id: &str) -> Vec<String> {
        let latest = self.latest.iter().map(|(_, latest, _)| latest.clone());
        let left = self.under_way.iter().flat_map(|run| run.bases.iter().chain([&run.id]).cloned());
        let mut bases: Vec<String> = latest.chain(left).filter(|base| base != id).collect();
        bases.sort();
        bases.dedup();
        bases
    }

    /// So many entries more were committed of the edition.
    fn advance(&mut self, case: &Case<'_>, id: &str, expected: Expected, sent: usize) {
        if sent == 0 {
            return;
        }
        let load_date = case.editions.get(id).load_date;
        if expected == Expected::Start {
            let run =
                UnderWay { id: id.to_owned(), mask_key: case.mask_key, load_date, bases: self.bases(id) };
            self.under_way = Some(run);
            self.log.push(case.part(id, &[], 0));
        }
        let run = self.under_way.as_ref().expect("something is under way");
        let bases: Vec<&str> = run.bases.iter().map(String::as_str).collect();
        let whole = case.editions.sequence(id, &bases);
        let stretch = self.log.last_mut().expect("what is under way has a stretch");
        let committed = stretch.sent.len() + sent;
        stretch.sent = whole[..committed].to_vec();
        // No edition here is empty, so that the last entry and the manifest are committed together.
        if committed == whole.len() {
            self.done.insert(load_date, id.to_owned());
            self.latest = Some((load_date, id.to_owned(), case.mask_key));
            self.under_way = None;
        }
    }
}

/// The schedules of neighbouring torture seeds do not overlap.
const SEED_SHIFT: u32 = 32;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|error| panic!("{name}: {error}")))
}

/// Seeded schedules of random commands. After each command the topic holds exactly what the model
/// says. `HIVECAST_TORTURE_SEED` and `HIVECAST_TORTURE_SCHEDULES` ask for others, and for more.
pub fn random_schedule(fixture: &dyn Fixture) {
    let first = setting("HIVECAST_TORTURE_SEED", 0) << SEED_SHIFT;
    for seed in first..first + setting("HIVECAST_TORTURE_SCHEDULES", fixture.schedule_seeds()) {
        let mut random = Random(seed);
        let mut case = Case::new(fixture, &format!("random{seed}"), Editions::default());
        case.chunks.records = 1 + random.below(5);
        case.mask_key = MASK_KEYS[0];
        case.create_topic();
        let mut model = Model::default();
        let mut history: Vec<(String, u8)> = vec![];
        let mut day = 1;
        let mut last = (String::new(), day);
        for step in 0..COMMANDS {
            let (id, day_of) = match random.below(8) {
                // The same as before, something that was there before, today's correction, or the next day.
                0 | 1 if step > 0 => last.clone(),
                2 if !history.is_empty() => history[random.below(history.len() as u64) as usize].clone(),
                choice => {
                    day += u8::from(choice > 3);
                    let id = format!("s{step}");
                    case.editions.add(random.edition(&id, day));
                    history.push((id.clone(), day));
                    (id, day)
                }
            };
            last = (id.clone(), day_of);
            let mode = if random.below(3) == 0 { Mode::Replace } else { Mode::Normal };
            if random.below(3) == 0 {
                case.mask_key = MASK_KEYS[random.below(2) as usize];
            }
            let trip = random.trip();
            let told = format!(
                "seed {seed} step {step}: {id} of day {day_of}, {}, {mode:?}, {trip:?}",
                case.mask_key
            );
            command(&case, &mut model, &id, mode, trip, &told);
            case.assert_log(&model.log);
        }
    }
}

fn command(case: &Case<'_>, model: &mut Model, id: &str, mode: Mode, trip: Trip, told: &str) {
    let expected = model.expect(id, case.editions.get(id).load_date, case.mask_key, mode);
    let before = case.log().len();
    let faulty = Faulty::once(case.target.as_ref(), trip);
    let result = case.run(&faulty, id, mode);
    let sent = case.log().len() - before;
    match (&result, expected) {
        (Err(fault), _) if is_crash(fault) => {}
        // The first session is opened once: a target that cannot be reached at all is told at once.
        (Err(fault), _) if trip.point == Point::Opened && faulty.has_tripped() => {
            assert_eq!(fault.class(), Class::Infrastructure, "{told}: {}", fault.chain());
        }
        (Err(fault), Expected::Conflict) => {
            assert_eq!(fault.class(), Class::Conflict, "{told}: {}", fault.chain());
        }
        (Ok(summary), Expected::Nothing) => assert_eq!(summary.outcome, Outcome::AlreadyComplete, "{told}"),
        (Ok(summary), Expected::Start) => assert_eq!(summary.outcome, Outcome::Published, "{told}"),
        (Ok(summary), Expected::Resume) => {
            assert!(matches!(summary.outcome, Outcome::Resumed { .. }), "{told}: {summary:?}");
        }
        (Ok(summary), expected) => panic!("{told}: expected {expected:?}, got {summary:?}"),
        (Err(fault), expected) => panic!("{told}: expected {expected:?}, got {}", fault.chain()),
    }
    match expected {
        Expected::Conflict | Expected::Nothing => assert_eq!(sent, 0, "{told}"),
        Expected::Start | Expected::Resume => model.advance(case, id, expected, sent),
    }
    if let Ok(summary) = result {
        assert!(model.under_way.is_none() || expected == Expected::Nothing, "{told}: complete");
        assert_eq!(summary.manifest.edition.0, id, "{told}");
    }
}
