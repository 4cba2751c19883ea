use std::sync::{Mutex, MutexGuard, PoisonError};

use hivecast_run::{Clock, Event, Level, Sink, Step};

use crate::history::StepTime;

/// Stands before another sink and keeps what the summary and the history need: the warnings, and
/// how long each step took. A step that failed counts up to the moment of asking.
pub struct Journal<'a> {
    inner: &'a dyn Sink,
    clock: &'a dyn Clock,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    warnings: Vec<String>,
    steps: Vec<Timed>,
}

struct Timed {
    step: Step,
    spent_ms: i64,
    since_ms: Option<i64>,
}

impl<'a> Journal<'a> {
    /// Passes every event on to `inner`.
    pub fn new(inner: &'a dyn Sink, clock: &'a dyn Clock) -> Self {
        Journal { inner, clock, kept: Mutex::default() }
    }

    /// The warnings so far, each once, in order.
    pub fn warnings(&self) -> Vec<String> {
        self.kept().warnings.clone()
    }

    /// The steps in the order they were started, with the time spent in each.
    pub fn steps(&self) -> Vec<StepTime> {
        let now = self.clock.now_ms();
        let time = |timed: &Timed| {
            let running = timed.since_ms.map_or(0, |since| now - since);
            let seconds = (timed.spent_ms + running).max(0) as f64 / 1000.0;
            StepTime { step: timed.step.name().to_owned(), seconds }
        };
        self.kept().steps.iter().map(time).collect()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, event: &Event) {
        match event {
            Event::Started { step, .. } => {
                let now = self.clock.now_ms();
                let mut kept = self.kept();
                match kept.steps.iter_mut().find(|timed| timed.step == *step) {
                    Some(timed) => timed.since_ms = timed.since_ms.or(Some(now)),
                    None => kept.steps.push(Timed { step: *step, spent_ms: 0, since_ms: Some(now) }),
                }
            }
            Event::Ended { step } => {
                let now = self.clock.now_ms();
                if let Some(timed) = self.kept().steps.iter_mut().find(|timed| timed.step == *step)
                    && let Some(since) = timed.since_ms.take()
                {
                    timed.spent_ms += now - since;
                }
            }
            Event::Note { level: Level::Warn, text } => {
                let mut kept = self.kept();
                if !kept.warnings.contains(text) {
                    kept.warnings.push(text.clone());
                }
            }
            Event::Counts { .. } | Event::Advanced { .. } | Event::Note { .. } => {}
        }
    }
}

impl Sink for Journal<'_> {
    fn event(&self, event: &Event) {
        self.keep(event);
        self.inner.event(event);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Duration;

    use hivecast_run::{Silent, Unit};

    use super::*;

    struct Ticking(AtomicI64);

    impl Clock for Ticking {
        fn now_ms(&self) -> i64 {
            self.0.fetch_add(500, Ordering::SeqCst)
        }

        fn sleep(&self, _time: Duration) {}
    }

    #[test]
    fn keeps_times_of_steps_and_each_warning_once() {
        let clock = Ticking(AtomicI64::new(0));
        let journal = Journal::new(&Silent, &clock);
        let warn = |text: &str| Event::Note { level: Level::Warn, text: text.to_owned() };
        journal.event(&Event::Started { step: Step::Check, total: None, unit: Unit::Rows });
        journal.event(&Event::Ended { step: Step::Check });
        journal.event(&Event::Started { step: Step::Publish, total: None, unit: Unit::Records });
        journal.event(&warn("replication is 1"));
        journal.event(&warn("replication is 1"));
        assert_eq!(journal.warnings(), ["replication is 1"]);
        let steps: Vec<(String, f64)> =
            journal.steps().into_iter().map(|time| (time.step, time.seconds)).collect();
        assert_eq!(steps, [("check".to_owned(), 0.5), ("publish".to_owned(), 0.5)]);
    }
}
