use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hivecast_run::{Event, Level, Sink, Step, Unit};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use hivecast_run::format::{bytes, count, seconds};

/// How often a bar moves by itself, so that a step without counts is seen to live.
const TICK: Duration = Duration::from_millis(120);

/// Progress bars on standard error: one for each running step, replaced by a line when it is done.
pub struct Bars {
    all: MultiProgress,
    running: Mutex<HashMap<Step, Running>>,
}

struct Running {
    bar: ProgressBar,
    unit: Unit,
    since: Instant,
}

impl Bars {
    /// Draws on standard error, at most some ten times a second.
    pub fn stderr() -> Self {
        Bars::on(ProgressDrawTarget::stderr_with_hz(10))
    }

    fn on(target: ProgressDrawTarget) -> Self {
        Bars { all: MultiProgress::with_draw_target(target), running: Mutex::default() }
    }

    fn start(&self, step: Step, total: Option<u64>, unit: Unit) {
        let bar = match total {
            Some(total) => ProgressBar::new(total),
            None => ProgressBar::new_spinner(),
        };
        let bar = self.all.add(bar.with_style(style(total.is_some(), unit)).with_message(step.name()));
        bar.enable_steady_tick(TICK);
        let mut running = self.lock();
        if let Some(earlier) = running.insert(step, Running { bar, unit, since: Instant::now() }) {
            earlier.bar.finish_and_clear();
        }
    }

    /// Another bar for the same step, which began when it did.
    fn count(&self, step: Step, total: Option<u64>, unit: Unit) {
        let since = self.lock().get(&step).map(|running| running.since);
        self.start(step, total, unit);
        if let (Some(since), Some(running)) = (since, self.lock().get_mut(&step)) {
            running.since = since;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Step, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn advance(&self, step: Step, done: u64) {
        if let Some(running) = self.lock().get(&step) {
            running.bar.set_position(done);
        }
    }

    fn end(&self, step: Step) {
        let ended = self.lock().remove(&step);
        let Some(Running { bar, unit, since }) = ended else { return };
        // A step that ended has done all that it set out to, whatever it told last.
        let done = bar.position().max(bar.length().unwrap_or(0));
        let line = done_line(step, done, unit, since.elapsed());
        bar.finish_and_clear();
        self.print(&line);
    }

    fn print(&self, line: &str) {
        // A terminal that went away must not end the run.
        let _ = self.all.println(line);
    }
}

fn style(known_total: bool, unit: Unit) -> ProgressStyle {
    let style = if known_total { ProgressStyle::default_bar() } else { ProgressStyle::default_spinner() };
    // The templates are constants, and tested; the plain style stands in if one were wrong.
    style.clone().template(template(known_total, unit)).unwrap_or(style)
}

fn template(known_total: bool, unit: Unit) -> &'static str {
    match (known_total, unit) {
        (true, Unit::Bytes) => {
            "{msg:>9} {bar:30} {binary_bytes} of {binary_total_bytes} · {binary_bytes_per_sec} · {eta} left"
        }
        (true, _) => "{msg:>9} {bar:30} {human_pos} of {human_len} · {per_sec:0} · {eta} left",
        (false, Unit::Bytes) => "{msg:>9} {spinner} {binary_bytes} · {binary_bytes_per_sec}",
        (false, _) => "{msg:>9} {spinner} {human_pos} · {elapsed}",
    }
}

fn done_line(step: Step, done: u64, unit: Unit, time: Duration) -> String {
    let amount = match (done, unit) {
        (0, _) => String::new(),
        (done, Unit::Rows) => format!(" · {} rows", count(done)),
        (done, Unit::Records) => format!(" · {} records", count(done)),
        (done, Unit::Bytes) => format!(" · {}", bytes(done)),
        (done, Unit::Tasks) => format!(" · {} tasks", count(done)),
    };
    format!("{:>9} {}{amount}", step.name(), seconds(time.as_secs_f64()))
}

impl Sink for Bars {
    fn event(&self, event: &Event) {
        match event {
            Event::Started { step, total, unit } => self.start(*step, *total, *unit),
            Event::Counts { step, total, unit } => self.count(*step, *total, *unit),
            Event::Advanced { step, done } => self.advance(*step, *done),
            Event::Ended { step } => self.end(*step),
            Event::Note { level: Level::Warn, text } => self.print(&format!("  warning: {text}")),
            Event::Note { level: Level::Info, text } => self.print(&format!("{:>9} {text}", "")),
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        // Bars of a step that failed must not stay above the error message.
        for (_, running) in self.running.get_mut().unwrap_or_else(PoisonError::into_inner).drain() {
            running.bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_valid() {
        for known_total in [true, false] {
            for unit in [Unit::Rows, Unit::Records, Unit::Bytes, Unit::Tasks] {
                let template = template(known_total, unit);
                assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
            }
        }
        assert!(ProgressStyle::with_template("{msg:<x}").is_err(), "a wrong template is noticed");
    }

    #[test]
    fn a_done_step_says_time_and_amount() {
        let time = Duration::from_millis(7_400);
        assert_eq!(done_line(Step::Engine, 1_234_567, Unit::Rows, time), "   engine 7.4 s · 1,234,567 rows");
        assert_eq!(done_line(Step::Check, 0, Unit::Rows, time), "    check 7.4 s");
    }

    #[test]
    fn survives_steps_that_end_twice_or_never_start() {
        let bars = Bars::on(ProgressDrawTarget::hidden());
        bars.event(&Event::Ended { step: Step::Gates });
        bars.event(&Event::Advanced { step: Step::Gates, done: 1 });
        bars.event(&Event::Started { step: Step::Gates, total: None, unit: Unit::Rows });
        bars.event(&Event::Started { step: Step::Gates, total: Some(2), unit: Unit::Rows });
        bars.event(&Event::Counts { step: Step::Engine, total: None, unit: Unit::Rows });
        bars.event(&Event::Ended { step: Step::Engine });
        bars.event(&Event::Ended { step: Step::Gates });
        bars.event(&Event::Ended { step: Step::Gates });
        assert!(bars.running.lock().unwrap().is_empty());
    }
}
