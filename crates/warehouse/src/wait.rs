use std::time::Duration;

use hivecast_contract::LoadDate;
use hivecast_feed::{Feed, Ready, Source};
use hivecast_run::{Context, Result};

use crate::catalog::Telling;
use crate::input::{InputFile, Inputs};
use crate::warehouse::{Blocked, Warehouse};

/// Time to the second look; doubled for each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest time between two looks.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Time between two looks at files that nothing vouches for, which must not differ.
const SETTLING_PAUSE: Duration = Duration::from_secs(5);
/// How often a waiting run asks whether it should stop.
const CANCEL_PAUSE: Duration = Duration::from_millis(500);

impl Warehouse {
    /// As [`Warehouse::freeze`], but where the export may still be coming, looks again until it is
    /// there, for at most `wait`. Says what it waits for, whenever that changes. Files that came
    /// while it waited, and that nothing vouches for but their being there, must hold still between two
    /// looks.
    pub fn freeze_when_ready(
        &self,
        feed: &Feed,
        date: LoadDate,
        wait: Option<Duration>,
        context: Context<'_>,
    ) -> Result<Inputs> {
        let Some(wait) = wait else { return self.freeze(feed, date, context) };
        let mut patience = Patience { left: wait, pause: FIRST_PAUSE, told: Vec::new() };
        let mut settled: Option<Inputs> = None;
        let mut waited = false;
        loop {
            let pause = match self.try_freeze(feed, date, Telling::OnlyTheDay, context)? {
                Ok(inputs) if !waited || marked_as_whole(feed) => return Ok(inputs),
                Ok(inputs) if settled.as_ref().is_some_and(|before| same_files(before, &inputs)) => {
                    return Ok(inputs);
                }
                Ok(inputs) if patience.left.is_zero() => {
                    // Out of time, with all there and nothing that says it is whole: as without --wait.
                    return Ok(inputs);
                }
                Ok(inputs) => {
                    settled = Some(inputs);
                    patience.tell(vec!["its files to hold still".to_owned()], date, context);
                    SETTLING_PAUSE
                }
                Err(blocked) if !blocked.is_pending() || patience.left.is_zero() => {
                    // Once more, to tell which days there are instead.
                    let last = self.try_freeze(feed, date, Telling::Newest, context)?;
                    return last.map_err(|blocked| given_up(blocked, waited.then_some(wait)));
                }
                Err(blocked) => {
                    settled = None;
                    patience.tell(blocked.reasons(), date, context);
                    patience.next_pause()
                }
            };
            waited = true;
            patience.sleep(pause, context)?;
        }
    }
}

fn given_up(blocked: Blocked, waited: Option<Duration>) -> hivecast_run::Fault {
    let pending = blocked.is_pending();
    let fault = blocked.into_fault();
    match waited {
        Some(wait) if pending => fault.within(format!("gave up waiting after {}", tell_time(wait))),
        _ => fault,
    }
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
}

impl Patience {
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
    /// more: a machine may have been suspended.
    fn sleep(&mut self, pause: Duration, context: Context<'_>) -> Result<()> {
        let begin = context.clock.now_ms();
        let pause = pause.min(self.left);
        let mut slept = Duration::ZERO;
        while slept < pause {
            context.check_cancelled()?;
            let step = CANCEL_PAUSE.min(pause - slept);
            context.clock.sleep(step);
            slept += step;
        }
        let passed = u64::try_from(context.clock.now_ms().saturating_sub(begin)).unwrap_or(0);
        self.left = self.left.saturating_sub(pause.max(Duration::from_millis(passed)));
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
