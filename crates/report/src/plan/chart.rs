//! Wall time and cost over the number of executors, as SVG: two panels that share their horizontal axis.

use std::fmt::Write;

use hivecast_estimate::{Answer, Chosen, ClusterPlan, Met, Point, Range, Sized, Unit};
use hivecast_run::format::plural;

use super::axis::Axis;
use super::html::escape;
use super::words::capital;

/// A curve of more points is thinned out: they would not be told apart.
pub(super) const POINTS_MAX: usize = 60;

// Sizes in units of the view box, which are pixels where the page is wide enough.
const WIDTH: f64 = 800.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 784.0;
/// From the panel's sides to the first and the last number of executors.
const INSET: f64 = 12.0;
/// The legend's lines, one for each thing that is pointed out. Beside a curve their texts would cross it, or one another.
const LEGEND_TOP: f64 = 14.0;
const LINE: f64 = 19.0;
/// Where the legend has signs, and their texts.
const SIGN: f64 = 4.0;
const SIGN_WIDTH: f64 = 24.0;
const SIGN_TEXT: f64 = SIGN + SIGN_WIDTH + 8.0;
/// From a text's base line to the middle of its small letters.
const MIDDLE: f64 = 4.0;
const TITLE_ABOVE: f64 = 14.0;
/// From the legend's last line to the first panel, with its title between them.
const WALL_BELOW: f64 = 24.0;
const WALL_HEIGHT: f64 = 230.0;
const COST_BELOW: f64 = 48.0;
const COST_HEIGHT: f64 = 120.0;
const END_BELOW: f64 = 48.0;
/// From an axis to its ticks' labels.
const LABEL_GAP: f64 = 8.0;
const X_LABEL_BELOW: f64 = 18.0;
const X_TITLE_BELOW: f64 = 38.0;
const POINT_RADIUS: f64 = 2.2;
const MARK_RADIUS: f64 = 5.5;
/// A line across is so far from the panel's edges, as a factor of its time, that it is not taken for one.
const FROM_EDGE: f64 = 1.2;

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

/// A shape that is pointed out.
struct Mark<'a> {
    sized: &'a Sized,
    name: &'static str,
    class: &'static str,
}

/// A line across the panel of wall times.
struct Limit {
    seconds: f64,
    name: &'static str,
    class: &'static str,
}

impl Limit {
    fn label(&self) -> String {
        format!("{} {}", self.name, Unit::Seconds.show(self.seconds))
    }
}

/// The chart of a plan, as one `svg` element.
pub(super) fn chart(answer: &Answer, plan: &ClusterPlan) -> String {
    let points = thinned(&plan.curve);
    let (marks, limits) = (marks(answer, plan), limits(answer));
    let all = || points.iter().copied().chain(marks.iter().map(|mark| mark.sized.point));
    let most = all().map(|point| point.executors).max().unwrap_or(1);
    let with_room = limits.iter().flat_map(|limit| [limit.seconds / FROM_EDGE, limit.seconds * FROM_EDGE]);
    let times = Axis::times(all().flat_map(|point| [point.wall.low, point.wall.high]).chain(with_room));
    let costs = Axis::money(all().map(|point| point.cost.high).fold(0.0, f64::max));
    let x = Axis::counts(most);
    let top = LEGEND_TOP + LINE * (marks.len() + limits.len()) as f64 + WALL_BELOW;
    let wall = Panel { x: x.clone(), y: times, top, height: WALL_HEIGHT, of: |point| point.wall };
    let top = wall.bottom() + COST_BELOW;
    let cost = Panel { x, y: costs, top, height: COST_HEIGHT, of: |point| point.cost };
    let panels = [&wall, &cost];
    let mut svg = opening(answer, &marks, &points, cost.bottom() + END_BELOW);
    legend(&mut svg, &marks, &limits);
    grid(&mut svg, &wall, "wall time, logarithmic");
    grid(&mut svg, &cost, "cost of a run");
    x_axis(&mut svg, &cost);
    for panel in panels {
        marks.iter().for_each(|mark| guide(&mut svg, panel, mark));
        curve(&mut svg, panel, &points);
    }
    dots(&mut svg, &wall, &points);
    for limit in &limits {
        let y = wall.y(limit.seconds);
        across(&mut svg, limit.class, [LEFT, RIGHT], y);
    }
    for panel in panels {
        let at = |mark: &Mark<'_>| {
            let point = &mark.sized.point;
            (panel.x(point.executors), panel.y((panel.of)(point).expected))
        };
        marks.iter().for_each(|mark| sign(&mut svg, mark.class, at(mark)));
    }
    svg.push_str("</svg>\n");
    svg
}

/// Points with what they are, for who points at them.
fn dots(svg: &mut String, panel: &Panel, points: &[Point]) {
    for point in points {
        let _ = writeln!(
            svg,
            "<circle class=\"point\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{POINT_RADIUS}\"><title>{}</title></circle>",
            panel.x(point.executors),
            panel.y(point.wall.expected),
            escape(&described(point))
        );
    }
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
    if is_on_curve(plan, fastest) && chosen.point.executors == fastest.point.executors {
        let name = if name == "chosen" { "chosen, and the fastest" } else { "the fastest" };
        return vec![Mark { sized: chosen, name, class: "chosen" }];
    }
    let of_fastest = if is_on_curve(plan, fastest) { "the fastest" } else { "the fastest, another shape" };
    vec![
        Mark { sized: chosen, name, class: "chosen" },
        Mark { sized: fastest, name: of_fastest, class: "fastest" },
    ]
}

/// Whether a shape has the executors that the curve is of.
pub(super) fn is_on_curve(plan: &ClusterPlan, sized: &Sized) -> bool {
    sized.shape.executor == plan.chosen().shape.executor
}

/// The deadline, and this machine's time.
fn limits(answer: &Answer) -> Vec<Limit> {
    let deadline = answer.deadline.map(|seconds| Limit { seconds, name: "deadline", class: "deadline" });
    let seconds = answer.embedded.wall.expected;
    let alone = answer.embedded.lacks.is_empty();
    let alone =
        alone.then_some(Limit { seconds, name: "embedded engine, this machine alone:", class: "alone" });
    deadline.into_iter().chain(alone).collect()
}

/// A shape in a few words.
fn shape(sized: &Sized) -> String {
    let Point { executors, wall, cost, .. } = sized.point;
    format!(
        "{} of {}, {}, cost {}",
        plural(executors.into(), "executor"),
        plural(sized.shape.executor.cores.into(), "core"),
        Unit::Seconds.show(wall.expected),
        Unit::Money.show(cost.expected)
    )
}

/// The text of a mark.
fn label(mark: &Mark<'_>) -> String {
    format!("{}: {}", mark.name, shape(mark.sized))
}

fn described(point: &Point) -> String {
    format!(
        "{}, {}: {}, cost {}",
        plural(point.executors.into(), "executor"),
        plural(point.cores.into(), "core"),
        with_range(point.wall, Unit::Seconds),
        with_range(point.cost, Unit::Money)
    )
}

fn with_range(value: Range, unit: Unit) -> String {
    match unit.show_range(value) {
        range if range.is_empty() => unit.show(value.expected),
        range => format!("{} ({range})", unit.show(value.expected)),
    }
}

fn opening(answer: &Answer, marks: &[Mark<'_>], points: &[Point], height: f64) -> String {
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
         viewBox=\"0 0 {WIDTH} {height}\">\n\
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

fn across(svg: &mut String, class: &str, [from, to]: [f64; 2], y: f64) {
    let _ = writeln!(svg, "<line class=\"{class}\" x1=\"{from}\" x2=\"{to}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>");
}

/// What the signs and the lines across are.
fn legend(svg: &mut String, marks: &[Mark<'_>], limits: &[Limit]) {
    let row = |index: usize| LEGEND_TOP + LINE * index as f64;
    for (index, mark) in marks.iter().enumerate() {
        sign(svg, mark.class, (SIGN + SIGN_WIDTH / 2.0, row(index) - MIDDLE));
        text(svg, mark.class, SIGN_TEXT, row(index), &label(mark));
    }
    for (index, limit) in limits.iter().enumerate() {
        let y = row(marks.len() + index);
        across(svg, &format!("sample {}", limit.class), [SIGN, SIGN + SIGN_WIDTH], y - MIDDLE);
        text(svg, limit.class, SIGN_TEXT, y, &limit.label());
    }
}

/// A line down through a mark.
fn guide(svg: &mut String, panel: &Panel, mark: &Mark<'_>) {
    let (x, top, bottom, class) =
        (panel.x(mark.sized.point.executors), panel.top, panel.bottom(), mark.class);
    let _ = writeln!(
        svg,
        "<line class=\"guide {class}\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top}\" y2=\"{bottom}\"/>"
    );
}

/// A mark: round for what is chosen, and a square on its corner otherwise, for those who don't see colours.
fn sign(svg: &mut String, class: &str, (x, y): (f64, f64)) {
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

fn text(svg: &mut String, class: &str, x: f64, y: f64, text: &str) {
    let _ = writeln!(svg, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escape(text));
}
