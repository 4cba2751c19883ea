use hivecast_estimate::spark::{Cluster, DriverPlace, GIB, Manager};
use hivecast_estimate::{Answer, Chosen, Dynamic, Purpose, Question, Server, Unit, answer};
use roxmltree::{Document, Node, ParsingOptions};

use super::chart::{POINTS_MAX, thinned};
use super::fixture::{million, question, too_many_for_one};
use super::plan_page;
use super::table::{WIDTH, plan_table_in};

fn parsed(page: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(page, options).unwrap_or_else(|error| panic!("{error}\n{page}"))
}

fn all<'a, 'd>(document: &'a Document<'d>, tag: &str) -> Vec<Node<'a, 'd>> {
    document.descendants().filter(|node| node.has_tag_name(tag) || node.tag_name().name() == tag).collect()
}

fn classed<'a, 'd>(document: &'a Document<'d>, tag: &str, class: &str) -> Vec<Node<'a, 'd>> {
    let has = |node: &Node<'_, '_>| {
        node.attribute("class").is_some_and(|classes| classes.split(' ').any(|one| one == class))
    };
    all(document, tag).into_iter().filter(has).collect()
}

fn text(node: Node<'_, '_>) -> String {
    node.descendants().filter(Node::is_text).filter_map(|node| node.text()).collect()
}

fn rows(document: &Document<'_>) -> Vec<Vec<String>> {
    let cells = |row: Node<'_, '_>| row.children().filter(Node::is_element).map(text).collect();
    all(document, "tr").into_iter().map(cells).collect()
}

const MADE: &str = "2026-11-26T12:00:07.120Z";

/// What every page has, whatever the answer.
fn complete(question: &Question, answer: &Answer) -> String {
    let page = plan_page(answer, question, MADE);
    let document = parsed(&page);
    let rows = rows(&document);
    for quantity in answer.sections.iter().flat_map(|section| &section.quantities) {
        let has =
            |row: &&Vec<String>| row.first() == Some(&quantity.name) && row.last() == Some(&quantity.how);
        assert!(rows.iter().any(|row| has(&row)), "{}", quantity.name);
    }
    for setting in answer.cluster.iter().flat_map(|plan| &plan.settings) {
        let value = setting.value.clone().unwrap_or_else(|| "left".to_owned());
        assert!(rows.contains(&vec![setting.name.clone(), value, setting.why.clone()]), "{}", setting.name);
    }
    let terms: usize = answer.models.iter().map(|model| model.terms.len()).sum();
    let shown =
        all(&document, "table").into_iter().filter(|table| table.attribute("class") == Some("models"));
    let shown: usize = shown
        .map(|table| table.descendants().filter(|node| node.attribute("scope") == Some("row")).count())
        .sum();
    assert_eq!(shown, terms);
    assert_eq!(all(&document, "svg").len(), usize::from(answer.cluster.is_some()));
    let mut ids: Vec<&str> = document.descendants().filter_map(|node| node.attribute("id")).collect();
    let labels = document.descendants().filter_map(|node| node.attribute("aria-labelledby"));
    for label in labels.flat_map(|labels| labels.split(' ')) {
        assert!(ids.contains(&label), "{label} names nothing");
    }
    let many = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), many, "an id is there twice");
    for bad in ["NaN", ">inf", "\"inf", "<script", " src=", " href=", "url("] {
        assert!(!page.contains(bad), "{bad}");
    }
    page
}

/// What the head says of the question.
fn asked(document: &Document<'_>) -> Vec<(String, String)> {
    let (what, values) = (all(document, "dt"), all(document, "dd"));
    assert_eq!(what.len(), values.len());
    what.into_iter().map(text).zip(values.into_iter().map(text)).collect()
}

#[test]
fn a_page_says_what_was_asked() {
    let (mut question, answer) = million();
    let head = |question: &Question| {
        let page = complete(question, &answer);
        asked(&parsed(&page)).iter().map(|(what, value)| format!("{what}: {value}\n")).collect::<String>()
    };
    insta::assert_snapshot!(head(&question), @r"
    run: building the edition, publishing it and reading it back
    deadline: 30 min
    this machine: 8 threads, 32 GiB of memory
    Spark cluster: 10 nodes of 16 cores and 64 GiB, of which each keeps 1 core and 8 GiB for itself; YARN with containers in steps of 1 GiB; the driver on a machine of its own
    executors: as many for as long as the server runs
    price: 0.05 for a core with 4 GiB and hour
    made: 2026-11-26 12:00:07 UTC
    ");
    question.purpose = Purpose::Build;
    question.wanted.deadline = None;
    question.wanted.dynamic = Dynamic::OnDemand;
    let cluster = question.cluster.as_mut().unwrap();
    cluster.nodes = 1;
    cluster.driver = DriverPlace::OnANode;
    cluster.manager = Manager::Yarn { minimum: GIB, increment: GIB / 2, maximum: Some(8 * GIB) };
    let text = head(&question);
    for said in [
        "run: building the edition alone\ndeadline: none\n",
        "1 node of 16 cores and 64 GiB, which keeps 1 core and 8 GiB for itself; ",
        "YARN with containers in steps of 512 MiB up to 8 GiB; the driver on one of the nodes\n",
        "executors: come and go with the work\n",
    ] {
        assert!(text.contains(said), "{text}");
    }
}

/// Texts are above the panels and beside them, and lines are in them. Widths are guessed, with room.
#[test]
fn no_line_goes_through_a_text() {
    let number =
        |node: &Node<'_, '_>, name: &str| node.attribute(name).map(|value| value.parse::<f64>().unwrap());
    let [(cheap, alone), (costly, many)] = [million(), too_many_for_one()];
    for (question, answer) in [(cheap, alone), (costly, many)] {
        let page = complete(&question, &answer);
        let document = parsed(&page);
        let is_sample = |line: &Node<'_, '_>| line.attribute("class").unwrap().starts_with("sample ");
        let lines: Vec<_> = all(&document, "line").into_iter().filter(|line| !is_sample(line)).collect();
        for text_node in all(&document, "text") {
            let (x, y) = (number(&text_node, "x").unwrap(), number(&text_node, "y").unwrap());
            let class = text_node.attribute("class").unwrap();
            let wide = 7.0 * text(text_node).chars().count() as f64;
            let from = match class.split(' ').next_back() {
                Some("end") => x - wide,
                Some("middle") => x - wide / 2.0,
                _ => x,
            };
            for line in &lines {
                let at = |name| number(line, name).unwrap();
                let beside = at("x2") < from || at("x1") > from + wide;
                let apart = at("y2") <= y - 11.0 || at("y1") >= y + 3.0;
                // A tick's label ends before the panel that its line begins with.
                assert!(beside || apart || class == "tick end", "{:?} crosses {:?}", line, text(text_node));
            }
        }
    }
}

#[test]
fn another_shape_is_said_to_be_one() {
    let (question, answer) = too_many_for_one();
    let plan = answer.cluster.as_ref().unwrap();
    assert_ne!(plan.fastest.shape.executor, plan.chosen().shape.executor);
    let page = complete(&question, &answer);
    let document = parsed(&page);
    let label = text(classed(&document, "text", "fastest")[0]);
    assert!(label.starts_with("the fastest, another shape: 149 executors of 1 core, "), "{label}");
    let caption = text(all(&document, "figcaption")[0]);
    assert!(
        caption.ends_with(
            "The diamond is another shape, executors of 1 core with 704 MiB of heap, and not on that line."
        ),
        "{caption}"
    );
    let numbers = classed(&document, "table", "curve")[0];
    let last = numbers.descendants().rfind(|node| node.tag_name().name() == "tr").unwrap();
    let last: Vec<String> = last.children().map(text).collect();
    assert_eq!(last[..3], ["149", "1", "149"], "the table ends where the chart does");
    assert!(last.contains(&Unit::Money.show(plan.fastest.point.cost.expected)));
    assert!(label.ends_with(&format!("cost {}", Unit::Money.show(plan.fastest.point.cost.expected))));
    assert!(plan_table_in(&answer, WIDTH).contains(&Unit::Money.show(plan.chosen().point.cost.expected)));
}

#[test]
fn what_is_chosen_comes_first() {
    for ((question, answer), order) in [
        (million(), ["numbers-1", "cluster", "numbers-2"]),
        (too_many_for_one(), ["cluster", "numbers-1", "numbers-2"]),
    ] {
        let page = complete(&question, &answer);
        let at = |id: &str| page.find(&format!("<h2 id=\"{id}\">")).unwrap();
        assert!(order.map(at).is_sorted(), "{order:?}");
    }
}

#[test]
fn a_page_has_every_number_and_a_chart() {
    let (question, answer) = too_many_for_one();
    let plan = answer.cluster.as_ref().unwrap();
    assert_eq!(answer.choice.engine, Chosen::Spark, "{}", answer.choice.why);
    let page = complete(&question, &answer);
    let document = parsed(&page);
    let points = plan.curve.len().min(POINTS_MAX);
    assert_eq!(classed(&document, "circle", "point").len(), points);
    let curves = classed(&document, "polyline", "curve");
    let corners = |node: &Node<'_, '_>| node.attribute("points").unwrap().split(' ').count();
    assert_eq!(curves.iter().map(corners).collect::<Vec<_>>(), [points; 2]);
    let bands = classed(&document, "polygon", "band");
    assert_eq!(bands.iter().map(corners).collect::<Vec<_>>(), [2 * points; 2]);
    let deadlines = classed(&document, "line", "deadline");
    assert_eq!(deadlines.iter().filter(|line| line.attribute("class") == Some("deadline")).count(), 1);
    assert_eq!(text(classed(&document, "text", "deadline")[0]), "deadline 1 min 40 s");
    assert!(
        text(classed(&document, "text", "chosen")[0]).contains(&plan.chosen().point.executors.to_string())
    );
    let svg = all(&document, "svg")[0];
    let first: Vec<&str> =
        svg.children().filter(Node::is_element).map(|node| node.tag_name().name()).take(2).collect();
    assert_eq!(first, ["title", "desc"]);
}

#[test]
fn where_this_machine_is_enough_the_page_says_so() {
    let (question, answer) = million();
    assert_eq!(answer.choice.engine, Chosen::Embedded, "{}", answer.choice.why);
    let page = complete(&question, &answer);
    assert!(page.contains("<code class=\"option\">--calibrate</code>"), "options are not broken");
    assert!(page.contains("Use the embedded engine") && page.contains("surely met"));
}

#[test]
fn names_of_feeds_are_text() {
    let mut question = question(1_000);
    let hostile = "<script>alert('1')</script> & \"x\" \u{1b}[31m \u{7}";
    question.facts.feed = hostile.to_owned();
    question.facts.tables[0].table = hostile.to_owned();
    question.facts.levels[1].path = "a<b>&amp;".to_owned();
    let mut answer = answer(&question);
    answer.notes.push(hostile.to_owned());
    let page = plan_page(&answer, &question, MADE);
    let document = parsed(&page);
    assert!(all(&document, "script").is_empty());
    let plain = hostile.replace(['\u{1b}', '\u{7}'], "\u{fffd}");
    assert_eq!(text(all(&document, "h1")[0]), format!("{plain}, 2026-11-22"));
    assert_eq!(text(all(&document, "li").pop().unwrap()), plain);
    assert!(rows(&document).iter().any(|row| row[0] == "rows of a<b>&amp;"));
}

#[test]
fn one_executor_is_a_point_with_a_range() {
    let mut question = question(60_000_000);
    question.cluster = Some(Cluster::new(1, 2, 16 * GIB, Manager::Kubernetes));
    let answer = answer(&question);
    assert_eq!(answer.cluster.as_ref().map(|plan| plan.curve.len()), Some(1), "{:?}", answer.cluster_lacks);
    let page = complete(&question, &answer);
    let document = parsed(&page);
    assert_eq!(classed(&document, "polyline", "range").len(), 2);
    assert_eq!(classed(&document, "circle", "point").len(), 1);
    assert_eq!(text(classed(&document, "text", "chosen")[0]).split(':').next(), Some("the fastest"));
}

#[test]
fn without_a_cluster_there_is_the_sentence_why() {
    let mut question = question(1_000_000);
    question.cluster = None;
    let none = answer(&question);
    let how = "--nodes, --node-cores and --node-memory describe a Spark cluster";
    assert!(plan_table_in(&none, WIDTH).contains(how));
    let page = complete(&question, &none);
    let document = parsed(&page);
    let said = all(&document, "p").into_iter().map(text);
    assert!(said.into_iter().any(|text| text == format!("No Spark cluster was given: {how}.")), "{page}");
    assert!(asked(&document).iter().all(|(what, _)| what != "Spark cluster" && what != "price"), "{page}");
    question.cluster = Some(Cluster::new(1, 2, 2 * GIB, Manager::YARN));
    let small = answer(&question);
    let lacks = small.cluster_lacks.clone().unwrap();
    let page = complete(&question, &small);
    let document = parsed(&page);
    let reason = lacks.strip_prefix("the cluster is too small: ").unwrap();
    let said = |wanted: &str| all(&document, "p").into_iter().map(text).any(|text| text == wanted);
    assert!(said(&format!("The cluster is too small: {reason}.")), "{page}");
    assert!(!plan_table_in(&small, WIDTH).contains("--nodes"), "a cluster was given");
}

#[test]
fn a_deadline_that_the_environments_server_meets_is_met() {
    let mut question = question(60_000_000);
    question.purpose = Purpose::Build;
    question.cluster = None;
    question.server = Some(Server { cores: Some(400) });
    let wall = answer(&question).server.unwrap().wall;
    question.wanted.deadline = Some(wall.high + 1.0);
    question.machine.memory_bytes = 64 << 20;
    let answer = answer(&question);
    assert_eq!(answer.choice.engine, Chosen::Spark, "{:?}", answer.choice);
    let page = complete(&question, &answer);
    assert!(page.contains("surely met"), "{page}");
}

#[test]
fn a_deadline_that_nothing_meets_is_missed() {
    let mut question = question(60_000_000);
    question.wanted.deadline = Some(2.0);
    let answer = answer(&question);
    assert_eq!(answer.choice.engine, Chosen::Neither);
    let page = complete(&question, &answer);
    let document = parsed(&page);
    assert_eq!(text(classed(&document, "p", "missed")[0]), "Deadline 2.0 s: missed.");
    assert_eq!(text(classed(&document, "text", "deadline")[0]), "deadline 2.0 s");
    assert!(plan_table_in(&answer, WIDTH).contains("\nDeadline 2.0 s: missed.\n"));
}

#[test]
fn without_a_deadline_there_is_no_line_and_no_verdict() {
    let mut question = question(60_000_000);
    question.wanted.deadline = None;
    let answer = answer(&question);
    let page = complete(&question, &answer);
    let document = parsed(&page);
    for tag in ["line", "text"] {
        assert!(classed(&document, tag, "deadline").is_empty());
    }
    assert!(classed(&document, "p", "verdict").is_empty());
    assert!(text(classed(&document, "text", "chosen")[0]).starts_with("the cheapest: "));
    assert!(!plan_table_in(&answer, WIDTH).contains("Deadline"));
}

#[test]
fn a_large_cluster_has_as_many_points_as_can_be_told_apart() {
    let mut question = question(60_000_000);
    question.cluster = Some(Cluster::new(2_000, 16, 64 * GIB, Manager::YARN));
    let answer = answer(&question);
    assert!(answer.cluster.as_ref().unwrap().curve.len() > POINTS_MAX);
    let page = complete(&question, &answer);
    assert_eq!(classed(&parsed(&page), "circle", "point").len(), POINTS_MAX);
    let curve = &answer.cluster.as_ref().unwrap().curve;
    let executors: Vec<u32> = thinned(curve).iter().map(|point| point.executors).collect();
    assert!(executors.is_sorted_by(|a, b| a < b), "{executors:?}");
    assert_eq!((executors[0], executors.last()), (1, curve.last().map(|point| &point.executors)));
}

#[test]
fn the_table_of_a_day() {
    let (_, answer) = million();
    let text = plan_table_in(&answer, WIDTH);
    assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
    insta::assert_snapshot!(text, @r"
    contracts, 2026-11-22
    Use the embedded engine: this machine does it in 10.0 s, which is in time.
    Deadline 30 min: surely met, 10.0 s expected, 31.3 s at most.

    the day                                      expected  range               arithmetic
    rows of accounts                            1,000,000                      by the files' footers; 39.1 MiB in 8 files
    rows of parties                             2,500,000                      by the files' footers; 71.5 MiB in 12 files
    rows of addresses                           3,000,000                      by the files' footers; 148.8 MiB in 16 files
    rows of documents                             900,000                      by a scan of the keys; after
                                                                               `where`, 90.000 % of accounts
    memory of documents                         171.7 MiB  154.5 to 206.0 MiB  900,000 x 200 B a row of the columns
                                                                               that are read, by the files' footers
    rows of partyRelations                      2,500,000                      by a scan of the keys; all of parties
    memory of partyRelations                    286.1 MiB  257.5 to 343.3 MiB  2,500,000 x 120 B a row of the columns
                                                                               that are read, by the files' footers
    largest key of partyRelations                   1,204                      by a scan of the keys;
                                                                               the next have 1,101, 987
    rows of partyRelations.partyAddress         3,000,000                      by a scan of the keys; all of addresses
    memory of partyRelations.partyAddress       515.0 MiB  463.5 to 618.0 MiB  3,000,000 x 180 B a row of the columns
                                                                               that are read, by the files' footers
    largest key of partyRelations.partyAddress         64                      by a scan of the keys; the next have 61
    bytes a document                              1.5 KiB  1.3 to 1.7 KiB      by the last edition

    embedded engine  expected  range               arithmetic
    --threads               8                      all that the machine has: more are faster
    --memory         3008 MiB                      all rows in memory: 991.8 MiB of rows that are read x
                                                   1.25 / 0.5 + 8 threads x 64 MiB, rounded up to 64 MiB
    peak memory       2.0 GiB  0.9 to 5.7 GiB      stated defaults; nothing was measured: 60 MiB program + 192 MiB
                                                   workers (…) + 972.7 MiB rows (…) + 721.0 MiB copy (…) + 60 MiB sending
    spill space           0 B                      all rows are in memory
    build time          1.5 s  0.7 to 4.5 s        stated defaults; nothing was measured: 0.030 s start + 0.284 s rows
                                                   (…) + 0.061 s bytes (…) + 0.214 s documents (…) + 0.902 s pages (…)
    publish time        6.9 s  3.0 to 21.7 s       stated defaults; nothing was measured: 0.100 s start + 3.6 s documents
                                                   (4.0 s x 0.900 million documents) + 3.2 s bytes (2.5 s x 1.267 GiB sent)
    verify time         1.6 s  0.7 to 5.1 s        stated defaults; nothing was measured: 0.050 s
                                                   start + 0.810 s documents (…) + 0.760 s bytes (…)
    wall time          10.0 s  4.3 to 31.3 s       1.5 s + 6.9 s + 1.6 s
    cost              0.00111  0.00048 to 0.00348  0.0028 h x 8.00 cores of this machine x 0.05 a core with 4 GiB and hour

    spark                         expected  range               arithmetic
    cheapest shape              1 executor                      1 executor of 6 cores and 2432 MiB
                                                                of heap: 25.9 s, for 0.00612
    fastest shape            149 executors                      149 executors of 1 core and 704 MiB
                                                                of heap: 17.3 s, for 0.0384
    shuffle                        2.3 GiB  2.1 to 2.7 GiB      972.7 MiB of rows that `where` leaves
                                                                x 1.2 as Spark has them x 2 shuffles
    largest task                  64.5 MiB  64.0 to 96.5 MiB    64 MiB of rows, which are cut into tasks of
                                                                64 MiB at most, + 474.3 KiB of the largest key;
                                                                by chance a task has 1.5 times as many rows
    execution memory a task      208.9 MiB                      96.5 MiB of the largest task at most x 2, for rows and what
                                                                sorts them, + 16 MiB of pages that Spark takes at once
    objects a task                58.2 MiB                      678.3 KiB that collect_list gathers x 3 as Java's
                                                                objects + 48.2 MiB of a row group that is written +
                                                                8 MiB of a reader; outside of what Spark accounts for
    shuffle partitions                  22                      the greater of 1.4 GiB / 64 MiB a task, and 6 cores x 2
    executors                            1                      the cheapest shape that is in time; 10 nodes of
                                                                16 cores and 64 GiB, less 1 core and 8 GiB of
                                                                their own, less 1 core and 1 GiB of YARN's
                                                                application master, hold 20 of 6 cores and 3 GiB
    executor cores                       6                      of 1 to 8 the one with which that shape
                                                                costs least, and of equals the nearest to 5
    executor heap                 2432 MiB                      300 MiB + the greater of 6 tasks x 208.9 MiB / 0.6, and
                                                                (6 tasks x 58.2 MiB + 72 MiB) / 0.4, in steps of 64 MiB
    executor overhead              384 MiB                      the greater of 384 MiB and 2432 MiB x 0.1
    executor container               3 GiB                      2432 MiB of heap + 384 MiB of overhead,
                                                                which YARN rounds up to 1 GiB
    driver cores                         2                      it plans, and sends tasks; no rows go through it
    driver heap                      1 GiB                      768 MiB of its own, with the Spark Connect
                                                                server, and 32.0 KiB for each file and each of
                                                                320 tasks, which is what all cores of the cluster
                                                                get behind a shuffle, in steps of 256 MiB
    driver overhead                384 MiB                      the greater of 384 MiB and 1 GiB x 0.1
    build time                      17.4 s  8.2 to 48.3 s       stated defaults; nothing was measured: 8.0 s start +
                                                                5.4 s rows (…) + 3.6 s documents (…) + 0.427 s own (…)
    publish time                     6.9 s  3.0 to 21.7 s       stated defaults; nothing was measured: 0.100 s
                                                                start + 3.6 s documents (…) + 3.2 s bytes (…)
    verify time                      1.6 s  0.7 to 5.1 s        stated defaults; nothing was measured: 0.050 s
                                                                start + 0.810 s documents (…) + 0.760 s bytes (…)
    wall time                       25.9 s  11.9 to 75.2 s      17.4 s + 6.9 s + 1.6 s
    cost                           0.00612  0.00282 to 0.01775  0.0072 h x (1 executor x 6.00 cores + 2.00 of the
                                                                driver + 1.00 of YARN's application master + 8
                                                                threads of this machine) x 0.05 a core with 4 GiB
                                                                and hour; who takes more memory counts as more cores

    note: the build on this machine, the build on Spark, publishing and verifying are by stated defaults of another
      machine: each run is learned from, and --calibrate measures builds before there are any
    --why NAME explains a number whole, or one of Spark's 20 settings; --page FILE has all of it, with a chart.
        ");
}

#[test]
fn a_table_is_as_wide_as_its_terminal() {
    let (_, answer) = million();
    for columns in [50, 60, 80, 100, 130, 160, 400] {
        let text = plan_table_in(&answer, columns);
        let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= columns.min(160), "{columns}: {text}");
        // However narrow it is, the sum of the peak has all its terms.
        let plain = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for term in
            ["60 MiB program + 192 MiB workers", "+ 972.7 MiB rows", "+ 721.0 MiB copy", "+ 60 MiB sending"]
        {
            assert!(plain.contains(term), "{columns}, {term}: {text}");
        }
    }
    let narrow = plan_table_in(&answer, 60);
    let (_, day) = narrow.split_once("the day\n").unwrap();
    let first: Vec<&str> = day.lines().take(4).collect();
    insta::assert_snapshot!(first.join("\n"), @r"
      rows of accounts: 1,000,000
        by the files' footers; 39.1 MiB in 8 files
      rows of parties: 2,500,000
        by the files' footers; 71.5 MiB in 12 files
    ");
}

#[test]
fn the_table_where_a_cluster_is_needed() {
    let text = plan_table_in(&too_many_for_one().1, WIDTH);
    let (head, _) = text.split_once("\n\n").unwrap();
    insta::assert_snapshot!(head, @r"
    contracts, 2026-11-22
    Use the Spark cluster: the cluster does it in 1 min 40 s with 7 executors; this machine takes 2 min 16 s, and the
      deadline is 1 min 40 s.
    Deadline 1 min 40 s: likely met, 1 min 40 s expected, 4 min 56 s at most.
        ");
}
