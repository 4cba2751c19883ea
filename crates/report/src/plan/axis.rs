//! Scales of a chart, with ticks at round numbers.

use super::words::digits;

/// Steps between ticks are one of these, times a power of ten.
const ROUND_STEPS: [f64; 4] = [1.0, 2.0, 5.0, 10.0];
/// No more steps than these between ticks of money.
const STEPS_OF_MONEY: f64 = 5.0;
/// A tick of times is so much of the axis from the one below, at least.
const TICK_DISTANCE: f64 = 0.11;
/// An axis of times spans this factor at most, so that a low end of nearly nothing does not squeeze the rest.
const SPAN_MAX: f64 = 1e5;
const MINUTE: f64 = 60.0;
const HOUR: f64 = 3600.0;
const DAY: f64 = 86_400.0;
/// Times that read as round ones, in seconds.
const ROUND_TIMES: [f64; 32] = [
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.5,
    1.0,
    2.0,
    5.0,
    10.0,
    20.0,
    30.0,
    MINUTE,
    120.0,
    300.0,
    600.0,
    1200.0,
    1800.0,
    HOUR,
    7200.0,
    14_400.0,
    28_800.0,
    43_200.0,
    DAY,
    172_800.0,
    432_000.0,
    864_000.0,
    1_728_000.0,
    4_320_000.0,
    8_640_000.0,
    17_280_000.0,
    43_200_000.0,
];

/// A scale.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    from: f64,
    to: f64,
    scale: Scale,
    /// Where it has ticks, with what they say.
    pub(super) ticks: Vec<(f64, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    Linear,
    Logarithmic,
}

impl Axis {
    /// From one to `most` things, logarithmic: the next ten matter less to a hundred than to one.
    pub(super) fn counts(most: u32) -> Axis {
        // One thing alone would be on an axis without a length.
        let most = f64::from(most.max(2));
        let mut axis = Axis { from: 1.0, to: most, scale: Scale::Logarithmic, ticks: Vec::new() };
        for power in 0..=most.log10() as i32 {
            let round =
                ROUND_STEPS[..3].iter().map(|step| step * 10_f64.powi(power)).filter(|value| *value <= most);
            axis.ticks.extend(round.map(|value| (value, hivecast_run::format::count(value as u64))));
        }
        axis
    }

    /// From nothing to at least `most`.
    pub(super) fn money(most: f64) -> Axis {
        let most = if most.is_finite() && most > 0.0 { most } else { 1.0 };
        let step = round_step(most / STEPS_OF_MONEY);
        let steps = (most / step).ceil();
        let decimals = (-step.log10()).ceil().max(0.0) as usize;
        let label = |value: f64| format!("{value:.decimals$}");
        Axis { from: 0.0, to: step * steps, scale: Scale::Linear, ticks: ticks(step, steps, label) }
    }

    /// Of wall times, logarithmic: a time that halves is as far away wherever it starts.
    pub(super) fn times(values: impl Iterator<Item = f64>) -> Axis {
        let usable = values.filter(|value| value.is_finite());
        let (least, most) = usable.fold((f64::INFINITY, ROUND_TIMES[0]), |(least, most), value| {
            (value.min(least), value.max(most))
        });
        let least = least.clamp(most / SPAN_MAX, most);
        let last = ROUND_TIMES.len() - 1;
        let end = ROUND_TIMES.iter().position(|time| *time >= most).unwrap_or(last).max(1);
        let start = ROUND_TIMES.iter().rposition(|time| *time <= least).unwrap_or(0).min(end - 1);
        let (from, to) = (ROUND_TIMES[start], ROUND_TIMES[end].max(most));
        let mut axis = Axis { from, to, scale: Scale::Logarithmic, ticks: Vec::new() };
        let mut below = f64::NEG_INFINITY;
        for time in &ROUND_TIMES[start..=end] {
            let share = axis.share(*time);
            if share - below >= TICK_DISTANCE {
                below = share;
                axis.ticks.push((*time, time_words(*time)));
            }
        }
        axis
    }

    /// How far along the axis a value is: 0 at its start, 1 at its end, and not beyond.
    pub(super) fn share(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Linear => (value - self.from) / (self.to - self.from),
            Scale::Logarithmic => (value.max(self.from) / self.from).ln() / (self.to / self.from).ln(),
        };
        if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }
    }
}

fn round_step(rough: f64) -> f64 {
    let power = 10_f64.powf(rough.log10().floor());
    let of = ROUND_STEPS.into_iter().find(|step| step * power >= rough).unwrap_or(10.0);
    of * power
}

fn ticks(step: f64, steps: f64, label: impl Fn(f64) -> String) -> Vec<(f64, String)> {
    (0..=steps as u32).map(|index| f64::from(index) * step).map(|value| (value, label(value))).collect()
}

fn time_words(seconds: f64) -> String {
    let (value, unit) = match seconds {
        _ if seconds >= DAY => (seconds / DAY, "d"),
        _ if seconds >= HOUR => (seconds / HOUR, "h"),
        _ if seconds >= MINUTE => (seconds / MINUTE, "min"),
        _ => (seconds, "s"),
    };
    let number = if value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        digits(value).trim_end_matches('0').to_owned()
    };
    format!("{number} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn counts_are_whole() {
        assert_eq!(labels(&Axis::counts(1)), ["1", "2"]);
        assert_eq!(labels(&Axis::counts(30)), ["1", "2", "5", "10", "20"]);
        assert_eq!(labels(&Axis::counts(1_000)).last(), Some(&"1,000"));
        assert_eq!(Axis::counts(30).share(30.0), 1.0);
    }

    #[test]
    fn money_has_the_decimals_of_its_steps() {
        assert_eq!(labels(&Axis::money(0.031)), ["0.00", "0.01", "0.02", "0.03", "0.04"]);
        assert_eq!(labels(&Axis::money(11.0)), ["0", "5", "10", "15"]);
        assert_eq!(labels(&Axis::money(0.0)), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
    }

    #[test]
    fn times_are_round_and_hold_all_values() {
        assert_eq!(labels(&Axis::times([14.0, 44.0].into_iter())), ["10 s", "20 s", "30 s", "1 min"]);
        let long = Axis::times([9.0, 1800.0, 70_000.0].into_iter());
        assert_eq!(labels(&long), ["5 s", "20 s", "1 min", "5 min", "20 min", "1 h", "4 h", "12 h"]);
        assert_eq!((long.share(5.0), long.share(DAY), long.share(0.0)), (0.0, 1.0, 0.0));
        assert_eq!(labels(&Axis::times([0.0].into_iter())), ["0.01 s", "0.02 s"]);
        assert!(Axis::times([f64::NAN, 1e12].into_iter()).share(1e12) <= 1.0);
    }
}
