//! Wall time and cost over the number of executors, as SVG: two panels that share their horizontal axis.

use std::fmt::Write;

use hivecast_estimate::{Answer, Chosen, ClusterPlan, Met, Point, Range, Sized, Unit};
use hivecast_run::format::plural;

use super::axis::Axis;
use super::html::escape;
use super::words::{capital, digits};

/// A curve of more points is thinned out: they would not be told apart.
pub(super) const POINTS_MAX: usize = 60;

// Sizes in units of the view box, which are pixels where the page is wide enough.
const WIDTH: f64 = 800.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 784.0;
/// From the panel's sides to the first and the last number of executors.
const INSET: f64 = 12.0;
const FIRST_MARK: f64 = 14.0;
const LINE: f64 = 18.0;
const TITLE_ABOVE: f64 = 10.0;
const WALL_TOP: f64 = 76.0;
const WALL_HEIGHT: f64 = 230.0;
const COST_TOP: f64 = 350.0;
const COST_HEIGHT: f64 = 120.0;
const HEIGHT: f64 = 518.0;
/// From an axis to its ticks' labels.
const LABEL_GAP: f64 = 8.0;
const X_LABEL_BELOW: f64 = 18.0;
const X_TITLE_BELOW: f64 = 38.0;
const POINT_RADIUS: f64 = 2.2;
const MARK_RADIUS: f64 = 5.5;
/// Times that are farther apart than this factor leave room for a label.
const LABEL_FACTOR: f64 = 1.4;
/// From a line's label to the line, above and below it.
const ABOVE: f64 = 5.0;
const BELOW: f64 = 14.0;

/// Where values are in the picture.
struct Panel {
    x: Axis,
    y: Axis,
    top: f64,
    height: f64,
    of: fn(&Point) -> Range,
}

impl Panel {
    fn x(&self, executors: u32) -> f64 {
        LEFT + INSET + (RIGHT - LEFT - 2.0 * INSET) * self.x.share(f64::from(executors))
    }

    fn y(&self, value: f64) -> f64 {
        self.top + self.height * (1.0 - self.y.share(value))
    }

    fn bottom(&self) -> f64 {
        self.top + self.height
    }
}

const MARKS_MAX: usize = 2;

/// A shape that is pointed out.
struct Mark<'a> {
    sized: &'a Sized,
    name: &'static str,
    class: &'static str,
}

/// The chart of a plan, as one `svg` element.
pub(super) fn chart(answer: &Answer, plan: &ClusterPlan) -> String {
    let points = thinned(&plan.curve);
    let marks = marks(answer, plan);
    let marked = || marks.iter().map(|mark| mark.sized.point);
    let most = points.iter().copied().chain(marked()).map(|point| point.executors).max().unwrap_or(1);
    let all = || points.iter().copied().chain(marked());
    let lines = answer.deadline.into_iter().chain([answer.embedded.wall.expected]);
    let with_labels = lines.flat_map(|line| [line / LABEL_FACTOR, line * LABEL_FACTOR]);
    let times = Axis::times(all().flat_map(|point| [point.wall.low, point.wall.high]).chain(with_labels));
    let costs = Axis::money(all().map(|point| point.cost.high).fold(0.0, f64::max));
    let x = Axis::counts(most);
    let wall = Panel { x: x.clone(), y: times, top: WALL_TOP, height: WALL_HEIGHT, of: |point| point.wall };
    let cost = Panel { x, y: costs, top: COST_TOP, height: COST_HEIGHT, of: |point| point.cost };
    let mut svg = opening(answer, &marks, &points);
    for (row, mark) in marks.iter().enumerate() {
        guide(&mut svg, [&wall, &cost], mark, label_y(row, marks.len()));
    }
    grid(&mut svg, &wall, "wall time, logarithmic");
    grid(&mut svg, &cost, "cost");
    x_axis(&mut svg, &cost);
    for panel in [&wall, &cost] {
        curve(&mut svg, panel, &points);
    }
    for point in &points {
        let _ = writeln!(
            svg,
            "<circle class=\"point\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{POINT_RADIUS}\"><title>{}</title></circle>",
            wall.x(point.executors),
            wall.y(point.wall.expected),
            escape(&described(point))
        );
    }
    limits(&mut svg, &wall, answer);
    for (row, mark) in marks.iter().enumerate() {
        pointed_out(&mut svg, [&wall, &cost], mark, label_y(row, marks.len()));
    }
    svg.push_str("</svg>\n");
    svg
}

/// The first and the last point, and between them points that are as far apart on a logarithmic axis.
pub(super) fn thinned(curve: &[Point]) -> Vec<Point> {
    if curve.len() <= POINTS_MAX {
        return curve.to_vec();
    }
    let mut kept = vec![curve[0]];
    let mut number = 1;
    for left in (1..POINTS_MAX).rev() {
        // What is left goes to the end in steps of one factor, and each is one point further at least.
        let factor = (curve.len() as f64 / number as f64).powf(1.0 / left as f64);
        number = ((number as f64 * factor).round() as usize).clamp(number + 1, curve.len());
        kept.push(curve[number - 1]);
    }
    kept
}

fn marks<'a>(answer: &Answer, plan: &'a ClusterPlan) -> Vec<Mark<'a>> {
    let (chosen, fastest) = (plan.chosen(), &plan.fastest);
    // The settings' shape is only chosen where the cluster is.
    let name = match (answer.choice.engine, &plan.deadline) {
        (Chosen::Spark, _) => "chosen",
        (_, Met::NoDeadline) => "the cheapest",
        (_, Met::Surely | Met::Likely) => "the cheapest in time",
        (_, Met::Never { .. }) => "the fastest",
    };
    if chosen.shape.executor == fastest.shape.executor && chosen.point.executors == fastest.point.executors {
        let name = if name == "chosen" { "chosen, and the fastest" } else { "the fastest" };
        return vec![Mark { sized: chosen, name, class: "chosen" }];
    }
    vec![
        Mark { sized: fastest, name: "the fastest", class: "fastest" },
        Mark { sized: chosen, name, class: "chosen" },
    ]
}

/// A shape in a few words.
fn shape(sized: &Sized) -> String {
    let Point { executors, wall, cost, .. } = sized.point;
    format!(
        "{} of {}, {}, cost {}",
        plural(executors.into(), "executor"),
        plural(sized.shape.executor.cores.into(), "core"),
        Unit::Seconds.show(wall.expected),
        digits(cost.expected)
    )
}

/// The text of a mark.
fn label(mark: &Mark<'_>) -> String {
    format!("{}: {}", mark.name, shape(mark.sized))
}

/// The labels' lines, of which the last is next to the panels.
fn label_y(row: usize, rows: usize) -> f64 {
    FIRST_MARK + LINE * (row + MARKS_MAX - rows) as f64
}

fn described(point: &Point) -> String {
    let show = |value: f64| Unit::Seconds.show(value);
    format!(
        "{}, {} cores: {} ({} to {}), cost {} ({} to {})",
        plural(point.executors.into(), "executor"),
        point.cores,
        show(point.wall.expected),
        show(point.wall.low),
        show(point.wall.high),
        digits(point.cost.expected),
        digits(point.cost.low),
        digits(point.cost.high)
    )
}

fn opening(answer: &Answer, marks: &[Mark<'_>], points: &[Point]) -> String {
    let ends: Vec<String> = [points.first(), points.last()].into_iter().flatten().map(described).collect();
    let deadline = match answer.deadline {
        Some(deadline) => format!(" The deadline is {}.", Unit::Seconds.show(deadline)),
        None => String::new(),
    };
    let desc = format!(
        "From {}. {}.{deadline}",
        ends.join(" to "),
        marks.iter().map(|mark| capital(&label(mark))).collect::<Vec<_>>().join(". ")
    );
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-labelledby=\"chart-title chart-desc\" \
         viewBox=\"0 0 {WIDTH} {HEIGHT}\">\n\
         <title id=\"chart-title\">Wall time and cost by number of executors</title>\n\
         <desc id=\"chart-desc\">{}</desc>\n",
        escape(&desc)
    )
}

fn grid(svg: &mut String, panel: &Panel, title: &str) {
    for (value, label) in &panel.y.ticks {
        let y = panel.y(*value);
        let _ =
            writeln!(svg, "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>");
        text(svg, "tick end", LEFT - LABEL_GAP, y + 4.0, label);
    }
    text(svg, "axis", 4.0, panel.top - TITLE_ABOVE, title);
    let bottom = panel.bottom();
    let _ =
        writeln!(svg, "<line class=\"base\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{bottom}\" y2=\"{bottom}\"/>");
}

fn x_axis(svg: &mut String, panel: &Panel) {
    let bottom = panel.bottom();
    for (value, label) in &panel.x.ticks {
        text(svg, "tick middle", panel.x(*value as u32), bottom + X_LABEL_BELOW, label);
    }
    text(svg, "axis middle", f64::midpoint(LEFT, RIGHT), bottom + X_TITLE_BELOW, "executors, logarithmic");
}

/// The band from low to high, and the line of what is expected.
fn curve(svg: &mut String, panel: &Panel, points: &[Point]) {
    let at = |point: &Point, value: f64| format!("{:.1},{:.1}", panel.x(point.executors), panel.y(value));
    if let [only] = points {
        // One number of executors has no area: its range is a stroke.
        let ends = [at(only, (panel.of)(only).low), at(only, (panel.of)(only).high)];
        let _ = writeln!(svg, "<polyline class=\"range\" points=\"{}\"/>", ends.join(" "));
        return;
    }
    let upper = points.iter().map(|point| at(point, (panel.of)(point).high));
    let lower = points.iter().rev().map(|point| at(point, (panel.of)(point).low));
    let band: Vec<String> = upper.chain(lower).collect();
    let line: Vec<String> = points.iter().map(|point| at(point, (panel.of)(point).expected)).collect();
    let _ = writeln!(svg, "<polygon class=\"band\" points=\"{}\"/>", band.join(" "));
    let _ = writeln!(svg, "<polyline class=\"curve\" points=\"{}\"/>", line.join(" "));
}

/// The deadline and this machine's time: lines across, the upper one with its label above, the lower one below.
/// Labels are on the left, where the curve is highest.
fn limits(svg: &mut String, panel: &Panel, answer: &Answer) {
    let show = |seconds: f64| Unit::Seconds.show(seconds);
    let alone = answer.embedded.wall.expected;
    let alone_is_upper = answer.deadline.is_none_or(|deadline| alone > deadline);
    if answer.embedded.lacks.is_empty() {
        let y = panel.y(alone);
        across(svg, "alone", y);
        let label = y + if alone_is_upper { -ABOVE } else { BELOW };
        text(svg, "alone", LEFT + INSET, label, &format!("embedded engine {}", show(alone)));
    }
    if let Some(deadline) = answer.deadline {
        let y = panel.y(deadline);
        across(svg, "deadline", y);
        let label = y + if alone_is_upper { BELOW } else { -ABOVE };
        text(svg, "deadline", LEFT + INSET, label, &format!("deadline {}", show(deadline)));
    }
}

fn across(svg: &mut String, class: &str, y: f64) {
    let _ =
        writeln!(svg, "<line class=\"{class}\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>");
}

/// A line from a mark's label down through both panels.
fn guide(svg: &mut String, panels: [&Panel; 2], mark: &Mark<'_>, label_y: f64) {
    let x = panels[0].x(mark.sized.point.executors);
    let (top, bottom) = (label_y - FIRST_MARK + ABOVE, panels[1].bottom());
    let class = mark.class;
    let _ = writeln!(
        svg,
        "<line class=\"guide {class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top}\" y2=\"{bottom}\"/>"
    );
}

/// A label above the panels, and a mark in each: round for what is chosen, and a square on its corner otherwise,
/// for those who don't see colours.
fn pointed_out(svg: &mut String, panels: [&Panel; 2], mark: &Mark<'_>, label_y: f64) {
    let class = mark.class;
    let x = panels[0].x(mark.sized.point.executors);
    let (anchor, label_x) =
        if x < f64::midpoint(LEFT, RIGHT) { ("start", x + LABEL_GAP) } else { ("end", x - LABEL_GAP) };
    text(svg, &format!("{class} {anchor}"), label_x, label_y, &label(mark));
    for panel in panels {
        let y = panel.y((panel.of)(&mark.sized.point).expected);
        let r = MARK_RADIUS;
        let _ = match class {
            "chosen" => {
                writeln!(svg, "<circle class=\"mark {class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{r}\"/>")
            }
            _ => writeln!(
                svg,
                "<path class=\"mark {class}\" d=\"M{x:.1} {:.1}l{r} {r}l-{r} {r}l-{r} -{r}z\"/>",
                y - r
            ),
        };
    }
}

fn text(svg: &mut String, class: &str, x: f64, y: f64, text: &str) {
    let _ = writeln!(svg, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escape(text));
}
