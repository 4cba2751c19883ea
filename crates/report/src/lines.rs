use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use hivecast_run::{Clock, Event, Level, Sink, Step, Unit};

use hivecast_run::format::{bytes, count, seconds};

/// The least time between two lines about the progress of one step, in milliseconds.
const PACE_MS: i64 = 10_000;

/// Log lines through `tracing`: one at the start and the end of each step, and in between at most
/// one every ten seconds, with the rate.
pub struct Lines<'a> {
    clock: &'a dyn Clock,
    running: Mutex<HashMap<Step, Running>>,
}

#[derive(Clone, Copy)]
struct Running {
    total: Option<u64>,
    unit: Unit,
    started_ms: i64,
    /// Since when it counts what it counts now.
    counted_ms: i64,
    told_ms: i64,
    done: u64,
}

impl<'a> Lines<'a> {
    /// Rates are measured with `clock`.
    pub fn new(clock: &'a dyn Clock) -> Self {
        Lines { clock, running: Mutex::default() }
    }

    fn line(&self, event: &Event) -> Option<(Level, String)> {
        let now = self.clock.now_ms();
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Started { step, total, unit } => {
                let fresh = Running {
                    total: *total,
                    unit: *unit,
                    started_ms: now,
                    counted_ms: now,
                    told_ms: now,
                    done: 0,
                };
                running.insert(*step, fresh);
                let total = total.map_or(String::new(), |total| format!(", {}", amount(total, *unit)));
                Some((Level::Info, format!("{}: started{total}", step.name())))
            }
            Event::Counts { step, total, unit } => {
                let state = running.get_mut(step)?;
                let counted = (state.done > 0).then(|| amount(state.done, state.unit));
                *state = Running { total: *total, unit: *unit, counted_ms: now, done: 0, ..*state };
                Some((Level::Info, format!("{}: {}", step.name(), counted?)))
            }
            Event::Advanced { step, done } => {
                let state = running.get_mut(step)?;
                state.done = state.done.max(*done);
                if now - state.told_ms < PACE_MS {
                    return None;
                }
                state.told_ms = now;
                Some((Level::Info, format!("{}: {}", step.name(), state.progress(now))))
            }
            Event::Ended { step } => {
                let state = running.remove(step)?;
                // A step that ended has done all that it set out to, whatever it told last.
                let done = match state.done.max(state.total.unwrap_or(0)) {
                    0 => String::new(),
                    done => format!(", {}", amount(done, state.unit)),
                };
                let time = seconds((now - state.started_ms) as f64 / 1000.0);
                Some((Level::Info, format!("{}: done in {time}{done}", step.name())))
            }
            Event::Note { level, text } => Some((*level, text.clone())),
        }
    }
}

impl Running {
    fn progress(&self, now_ms: i64) -> String {
        let elapsed = (now_ms - self.counted_ms).max(1) as f64 / 1000.0;
        let rate = (self.done as f64 / elapsed) as u64;
        let done = match self.total {
            Some(total) => format!("{} of {}", bare(self.done, self.unit), amount(total, self.unit)),
            None => amount(self.done, self.unit),
        };
        format!("{done}, {}/s", bare(rate, self.unit))
    }
}

fn bare(number: u64, unit: Unit) -> String {
    match unit {
        Unit::Rows | Unit::Records | Unit::Tasks => count(number),
        Unit::Bytes => bytes(number),
    }
}

fn amount(number: u64, unit: Unit) -> String {
    match unit {
        Unit::Rows => format!("{} rows", count(number)),
        Unit::Records => format!("{} records", count(number)),
        Unit::Tasks => format!("{} tasks", count(number)),
        Unit::Bytes => bytes(number),
    }
}

impl Sink for Lines<'_> {
    fn event(&self, event: &Event) {
        match self.line(event) {
            Some((Level::Info, text)) => tracing::info!(target: "hivecast", "{text}"),
            Some((Level::Warn, text)) => tracing::warn!(target: "hivecast", "{text}"),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Duration;

    use super::*;

    struct Manual(AtomicI64);

    impl Clock for Manual {
        fn now_ms(&self) -> i64 {
            self.0.load(Ordering::SeqCst)
        }

        fn sleep(&self, time: Duration) {
            self.0.fetch_add(time.as_millis() as i64, Ordering::SeqCst);
        }
    }

    #[test]
    fn tells_start_end_and_progress_every_ten_seconds() {
        let clock = Manual(AtomicI64::new(0));
        let lines = Lines::new(&clock);
        let mut told = Vec::new();
        let mut tell = |event: Event| told.extend(lines.line(&event).map(|(_, text)| text));
        tell(Event::Started { step: Step::Publish, total: Some(900_000), unit: Unit::Records });
        for second in 1..=21 {
            clock.sleep(Duration::from_secs(1));
            tell(Event::Advanced { step: Step::Publish, done: second * 40_000 });
        }
        tell(Event::Note { level: Level::Warn, text: "the topic has replication 1".to_owned() });
        tell(Event::Ended { step: Step::Publish });
        assert_eq!(
            told,
            [
                "publish: started, 900,000 records",
                "publish: 400,000 of 900,000 records, 40,000/s",
                "publish: 800,000 of 900,000 records, 40,000/s",
                "the topic has replication 1",
                "publish: done in 21.0 s, 900,000 records",
            ]
        );
    }

    #[test]
    fn a_step_that_counts_one_thing_after_another() {
        let clock = Manual(AtomicI64::new(0));
        let lines = Lines::new(&clock);
        let mut told = Vec::new();
        let mut tell = |event: Event| told.extend(lines.line(&event).map(|(_, text)| text));
        let step = Step::Engine;
        tell(Event::Started { step, total: None, unit: Unit::Rows });
        tell(Event::Counts { step, total: Some(900), unit: Unit::Rows });
        clock.sleep(Duration::from_secs(10));
        tell(Event::Advanced { step, done: 800 });
        tell(Event::Advanced { step, done: 900 });
        tell(Event::Counts { step, total: None, unit: Unit::Records });
        clock.sleep(Duration::from_secs(10));
        tell(Event::Advanced { step, done: 50 });
        tell(Event::Ended { step });
        assert_eq!(
            told,
            [
                "engine: started",
                "engine: 800 of 900 rows, 80/s",
                "engine: 900 rows",
                "engine: 50 records, 5/s",
                "engine: done in 20.0 s, 50 records",
            ]
        );
    }
}
