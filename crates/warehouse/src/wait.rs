use std::time::Duration;

use hivecast_contract::LoadDate;
use hivecast_feed::{Feed, Ready, Source};
use hivecast_run::{Class, Context, Fault, Result};

use crate::catalog::Telling;
use crate::input::{InputFile, Inputs};
use crate::warehouse::Warehouse;
use crate::watch::{Blocked, Opening};

/// Time to the second look; doubled for each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest time between two looks.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Time between two looks at files that nothing vouches for, which must not differ.
const SETTLING_PAUSE: Duration = Duration::from_secs(5);
/// How often a waiting run asks whether it should stop.
const CANCEL_PAUSE: Duration = Duration::from_millis(500);

impl Warehouse {
    /// As [`Warehouse::freeze`], but where the export may still be coming, or the warehouse can't be reached,
    /// looks again until it is there, for at most `wait`. Says what it waits for, whenever that changes. Files
    /// that came while it waited, and that nothing vouches for but their being there, must hold still between
    /// two looks. When the time is over that is `Class::Infrastructure`, whatever was lacking: another run
    /// may find it.
    pub fn freeze_when_ready(
        &self,
        feed: &Feed,
        date: LoadDate,
        wait: Option<Duration>,
        context: Context<'_>,
    ) -> Result<Inputs> {
        let Some(wait) = wait else { return self.freeze(feed, date, context) };
        let mut watch = self.watch(feed, date);
        let mut patience = Patience::new(wait, context);
        // What time does not heal is told before anything is waited for, in whichever table it is.
        let mut opening = Opening::Always;
        let mut settled: Option<Inputs> = None;
        loop {
            let waited = opening != Opening::Always;
            let last = patience.left.is_zero();
            let (telling, depth) = match last {
                // To tell which days there are instead, and every table's problem.
                true => (Telling::Newest, Opening::Always),
                false => (Telling::OnlyTheDay, opening),
            };
            let pause = match watch.look(telling, depth, context)? {
                Ok(inputs) if !waited || marked_as_whole(feed) => return Ok(inputs),
                Ok(inputs) if settled.as_ref().is_some_and(|before| same_files(before, &inputs)) => {
                    return Ok(inputs);
                }
                Ok(_) if patience.left < SETTLING_PAUSE => return Err(still_changing(date, wait)),
                Ok(inputs) => {
                    settled = Some(inputs);
                    patience.tell(vec!["its files to hold still".to_owned()], date, context);
                    SETTLING_PAUSE
                }
                Err(blocked) if last && waited && blocked.is_pending() => {
                    return Err(given_up(blocked, wait));
                }
                Err(blocked) if last || !blocked.is_pending() => return Err(blocked.into_fault()),
                Err(blocked) => {
                    settled = None;
                    patience.tell(blocked.reasons(), date, context);
                    patience.next_pause()
                }
            };
            opening = Opening::OnceAllAreMarked;
            patience.sleep(pause, context)?;
        }
    }
}

/// The limit of `--wait` is over. That a day is not there may be a mistake to one who asks for it now; to one
/// who waited for it, it is late.
fn given_up(blocked: Blocked, wait: Duration) -> Fault {
    let fault = blocked.into_late().of_class(Class::Infrastructure);
    fault.within(format!("gave up waiting after {}", tell_time(wait)))
}

fn still_changing(date: LoadDate, wait: Duration) -> Fault {
    Fault::infrastructure(format!(
        "gave up waiting after {}: the files of load_date {date} came late or still change: no two looks {} apart \
         found the same, and nothing else says that they are whole",
        tell_time(wait),
        tell_time(SETTLING_PAUSE)
    ))
    .advise("run again once the export has ended; `ready: success_file` in the feed is the sure way to know")
}

fn marked_as_whole(feed: &Feed) -> bool {
    let mut tables = feed.tables.iter().filter(|table| matches!(table.source, Source::Warehouse { .. }));
    tables.all(|table| !matches!(table.layout.ready, Ready::Exists | Ready::RowsWithin(_)))
}

fn same_files(before: &Inputs, now: &Inputs) -> bool {
    let files = |inputs: &Inputs| -> Vec<InputFile> {
        inputs.tables.iter().flat_map(|table| table.files.clone()).collect()
    };
    files(before) == files(now)
}

/// How long a run still waits, and what it has said about it.
struct Patience {
    left: Duration,
    pause: Duration,
    told: Vec<String>,
    /// What the clock said when `left` was last counted.
    counted_ms: i64,
}

impl Patience {
    fn new(wait: Duration, context: Context<'_>) -> Patience {
        let counted_ms = context.clock.now_ms();
        Patience { left: wait, pause: FIRST_PAUSE, told: Vec::new(), counted_ms }
    }

    fn tell(&mut self, reasons: Vec<String>, date: LoadDate, context: Context<'_>) {
        if self.told != reasons {
            let left = tell_time(self.left);
            context.info(format!("waiting up to {left} for load_date {date}: {}", reasons.join("; ")));
            self.told = reasons;
        }
    }

    fn next_pause(&mut self) -> Duration {
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        pause
    }

    /// Sleeps in short steps. Time is counted by what was slept or what the clock says, whichever is
    /// more: a look takes its time too, and a machine may have been suspended.
    fn sleep(&mut self, pause: Duration, context: Context<'_>) -> Result<()> {
        let pause = pause.min(self.left);
        let mut slept = Duration::ZERO;
        while slept < pause {
            context.check_cancelled()?;
            let step = CANCEL_PAUSE.min(pause - slept);
            context.clock.sleep(step);
            slept += step;
        }
        let now = context.clock.now_ms();
        let passed = u64::try_from(now.saturating_sub(self.counted_ms)).unwrap_or(0);
        self.left = self.left.saturating_sub(pause.max(Duration::from_millis(passed)));
        self.counted_ms = now;
        Ok(())
    }
}

/// `2h`, `1h 30m`, `45s`.
fn tell_time(time: Duration) -> String {
    let seconds = time.as_secs();
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let words: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    if words.is_empty() { "0s".to_owned() } else { words.join(" ") }
}
