use hivecast_estimate::{Answer, Chosen, ClusterPlan, Question, Section, ShownModel, Sized, Unit};
use hivecast_run::format::{bytes, count, plural};

use super::chart::{chart, is_on_curve, thinned};
use super::html::{Cell, escape, prose, table, tr};
use super::{asked, words};

/// The day, and the embedded engine.
const SECTIONS_WITHOUT_CLUSTER: usize = 2;
const STYLE: &str = include_str!("page.css");

/// The answer as one HTML page that needs nothing else: no scripts, no other files, no network. It is well-formed
/// XML, too. It says what was asked, and that it was `made` then, RFC 3339 in UTC.
pub fn plan_page(answer: &Answer, question: &Question, made: &str) -> String {
    let facts = &answer.facts;
    let title = escape(&format!("{}, {}", facts.feed, facts.load_date));
    let asked = asked::asked(question, made);
    let mut body = format!("<header>\n<p>hivecast plan</p>\n<h1>{title}</h1>\n{asked}</header>\n");
    body.push_str(&choice(answer));
    body.push_str(&list("notes", "Notes", &answer.notes));
    let (chosen_first, cluster) = (answer.choice.engine == Chosen::Spark, cluster(answer));
    if chosen_first {
        body.push_str(&cluster);
    }
    for (index, of) in answer.sections.iter().enumerate() {
        // The numbers of Spark are behind its chart.
        if !chosen_first && index == SECTIONS_WITHOUT_CLUSTER {
            body.push_str(&cluster);
        }
        body.push_str(&numbers(&format!("numbers-{index}"), of));
    }
    if !chosen_first && answer.sections.len() <= SECTIONS_WITHOUT_CLUSTER {
        body.push_str(&cluster);
    }
    if let Some(plan) = &answer.cluster {
        body.push_str(&settings(plan));
    }
    body.push_str(&models(&answer.models));
    format!(
        "<!DOCTYPE html>\n\
         <html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n\
         <head>\n\
         <meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/>\n\
         <title>{title}: what it will need</title>\n\
         <style>\n{STYLE}</style>\n\
         </head>\n\
         <body>\n<main>\n{body}</main>\n</body>\n</html>\n"
    )
}

fn choice(answer: &Answer) -> String {
    let mut html = format!(
        "<section class=\"choice\" aria-labelledby=\"choice\">\n<h2 id=\"choice\">{}</h2>\n<p>{}.</p>\n",
        words::engine(answer.choice.engine),
        prose(&words::capital(&answer.choice.why))
    );
    if let Some((verdict, text)) = words::deadline(answer) {
        html.push_str(&format!("<p class=\"verdict {}\">{}.</p>\n", verdict.name(), prose(&text)));
    }
    html.push_str("</section>\n");
    html
}

fn list(id: &str, title: &str, items: &[String]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let items: String = items.iter().map(|item| format!("<li>{}</li>\n", prose(item))).collect();
    section(id, title, &format!("<ul>\n{items}</ul>\n"))
}

fn section(id: &str, title: &str, inner: &str) -> String {
    format!("<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{}</h2>\n{inner}</section>\n", escape(title))
}

/// The chart, or why there is none.
fn cluster(answer: &Answer) -> String {
    const ID: &str = "cluster";
    const TITLE: &str = "Spark cluster, by number of executors";
    let Some(plan) = &answer.cluster else {
        let why = match &answer.cluster_lacks {
            Some(lacks) => format!("{}.", words::capital(lacks)),
            None => format!("No Spark cluster was given: {}.", words::NO_CLUSTER),
        };
        return section(ID, "Spark cluster", &format!("<p>{}</p>\n", prose(&why)));
    };
    let chart = chart(answer, plan);
    let figure = format!(
        "<figure>\n<div class=\"wide\">\n{chart}</div>\n<figcaption>{}</figcaption>\n</figure>\n",
        escape(&caption(plan))
    );
    section(ID, TITLE, &format!("{figure}{}", curve(plan)))
}

fn caption(plan: &ClusterPlan) -> String {
    let executor = |sized: &Sized| {
        let executor = sized.shape.executor;
        format!("{} with {} of heap", plural(executor.cores.into(), "core"), bytes(executor.heap))
    };
    let what = format!(
        "The line is what executors of {} are expected to do, the band goes from the low to the high end.",
        executor(plan.chosen())
    );
    if is_on_curve(plan, &plan.fastest) {
        return what;
    }
    format!(
        "{what} The diamond is another shape, executors of {}, and not on that line.",
        executor(&plan.fastest)
    )
}

/// The chart's numbers, with all that it points out.
fn curve(plan: &ClusterPlan) -> String {
    let chosen = plan.chosen();
    let mut points = thinned(&plan.curve);
    if let Err(at) = points.binary_search_by_key(&chosen.point.executors, |point| point.executors) {
        points.insert(at, chosen.point);
    }
    let cores = chosen.shape.executor.cores;
    let mut shapes: Vec<_> = points.into_iter().map(|point| (cores, point)).collect();
    let mut title = "The chart's numbers";
    if !is_on_curve(plan, &plan.fastest) {
        shapes.push((plan.fastest.shape.executor.cores, plan.fastest.point));
        title = "The chart's numbers; the last are the diamond's";
    }
    let row = |(cores, point): &(u32, hivecast_estimate::Point)| {
        vec![
            Cell::Number(count(point.executors.into())),
            Cell::Number(count((*cores).into())),
            Cell::Number(count(point.cores.into())),
            Cell::Number(Unit::Seconds.show(point.wall.expected)),
            Cell::Number(Unit::Seconds.show_range(point.wall)),
            Cell::Number(Unit::Money.show(point.cost.expected)),
            Cell::Number(Unit::Money.show_range(point.cost)),
        ]
    };
    let rows: Vec<Vec<Cell>> = shapes.iter().map(row).collect();
    let head = ["executors", "cores of each", "cores", "wall time", "range", "cost", "range"];
    format!(
        "<details>\n<summary id=\"curve\">{title}</summary>\n{}</details>\n",
        table("curve", "curve", &head, &rows)
    )
}

fn numbers(id: &str, of: &Section) -> String {
    let row = |quantity: &hivecast_estimate::Quantity| {
        vec![
            Cell::Name(quantity.name.clone()),
            Cell::Number(words::expected(quantity)),
            Cell::Text(quantity.unit.show_range(quantity.value)),
            Cell::Text(quantity.how.clone()),
        ]
    };
    let rows: Vec<Vec<Cell>> = of.quantities.iter().map(row).collect();
    section(
        id,
        &words::capital(of.title),
        &table(id, "numbers", &["what", "expected", "range", "arithmetic"], &rows),
    )
}

fn settings(plan: &ClusterPlan) -> String {
    let row = |setting: &hivecast_estimate::spark::Setting| {
        let value = match &setting.value {
            Some(value) => Cell::Code(value.clone()),
            None => Cell::Text("left".to_owned()),
        };
        vec![Cell::Name(setting.name.clone()), value, Cell::Text(setting.why.clone())]
    };
    let rows: Vec<Vec<Cell>> = plan.settings.iter().map(row).collect();
    section("settings", "Spark settings", &table("settings", "settings", &["name", "value", "why"], &rows))
}

/// Each model as the sum that it is.
fn models(models: &[ShownModel]) -> String {
    let mut inner = String::from(
        "<p>What is foretold is a sum: each coefficient times what it is for.</p>\n\
         <div class=\"wide\">\n<table class=\"models\" aria-labelledby=\"models\">\n<thead><tr><th scope=\"col\">term</th>\
         <th scope=\"col\">coefficient</th><th scope=\"col\">for each</th></tr></thead>\n",
    );
    for model in models {
        inner.push_str(&format!(
            "<tbody>\n<tr class=\"subject\"><th scope=\"rowgroup\" colspan=\"3\">{} <small>{}</small></th></tr>\n",
            escape(&words::capital(words::subject(model.subject))),
            escape(&model.basis.words())
        ));
        for term in &model.terms {
            inner.push_str(&tr(&[
                Cell::Name(term.name.to_owned()),
                Cell::Number(words::coefficient(model.subject, term)),
                Cell::Text(term.of.to_owned()),
            ]));
            inner.push('\n');
        }
        inner.push_str("</tbody>\n");
    }
    inner.push_str("</table>\n</div>\n");
    section("models", "Models", &inner)
}
