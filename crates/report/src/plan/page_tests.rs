use hivecast_estimate::spark::{Cluster, GIB, Manager};
use hivecast_estimate::{Answer, Chosen, answer};
use roxmltree::{Document, Node, ParsingOptions};

use super::chart::{POINTS_MAX, thinned};
use super::fixture::{million, question, too_many_for_one};
use super::{plan_page, plan_table};

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

/// What every page has, whatever the answer.
fn complete(answer: &Answer) -> String {
    let page = plan_page(answer);
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

#[test]
fn a_page_has_every_number_and_a_chart() {
    let answer = too_many_for_one();
    let plan = answer.cluster.as_ref().unwrap();
    assert_eq!(answer.choice.engine, Chosen::Spark, "{}", answer.choice.why);
    let page = complete(&answer);
    let document = parsed(&page);
    let points = plan.curve.len().min(POINTS_MAX);
    assert_eq!(classed(&document, "circle", "point").len(), points);
    let curves = classed(&document, "polyline", "curve");
    let corners = |node: &Node<'_, '_>| node.attribute("points").unwrap().split(' ').count();
    assert_eq!(curves.iter().map(corners).collect::<Vec<_>>(), [points; 2]);
    let bands = classed(&document, "polygon", "band");
    assert_eq!(bands.iter().map(corners).collect::<Vec<_>>(), [2 * points; 2]);
    assert_eq!(classed(&document, "line", "deadline").len(), 1);
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
    let answer = million();
    assert_eq!(answer.choice.engine, Chosen::Embedded, "{}", answer.choice.why);
    let page = complete(&answer);
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
    let page = plan_page(&answer);
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
    let page = complete(&answer);
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
    for text in [complete(&none), plan_table(&none)] {
        assert!(text.contains("--nodes, --node-cores and --node-memory describe a Spark cluster"), "{text}");
    }
    question.cluster = Some(Cluster::new(1, 2, 2 * GIB, Manager::YARN));
    let small = answer(&question);
    let lacks = small.cluster_lacks.clone().unwrap();
    let page = complete(&small);
    let document = parsed(&page);
    let said = all(&document, "p")
        .into_iter()
        .map(text)
        .any(|text| text == format!("The Spark cluster is too small: {lacks}."));
    assert!(said, "{page}");
    assert!(!plan_table(&small).contains("--nodes"), "a cluster was given");
}

#[test]
fn a_deadline_that_nothing_meets_is_missed() {
    let mut question = question(60_000_000);
    question.wanted.deadline = Some(2.0);
    let answer = answer(&question);
    assert_eq!(answer.choice.engine, Chosen::Neither);
    let page = complete(&answer);
    let document = parsed(&page);
    assert_eq!(text(classed(&document, "p", "missed")[0]), "Deadline 2.0 s: missed.");
    assert_eq!(text(classed(&document, "text", "deadline")[0]), "deadline 2.0 s");
    assert!(plan_table(&answer).contains("\nDeadline 2.0 s: missed.\n"));
}

#[test]
fn without_a_deadline_there_is_no_line_and_no_verdict() {
    let mut question = question(60_000_000);
    question.wanted.deadline = None;
    let answer = answer(&question);
    let page = complete(&answer);
    let document = parsed(&page);
    for tag in ["line", "text"] {
        assert!(classed(&document, tag, "deadline").is_empty());
    }
    assert!(classed(&document, "p", "verdict").is_empty());
    assert!(text(classed(&document, "text", "chosen")[0]).starts_with("the cheapest: "));
    assert!(!plan_table(&answer).contains("Deadline"));
}

#[test]
fn a_large_cluster_has_as_many_points_as_can_be_told_apart() {
    let mut question = question(60_000_000);
    question.cluster = Some(Cluster::new(2_000, 16, 64 * GIB, Manager::YARN));
    let answer = answer(&question);
    assert!(answer.cluster.as_ref().unwrap().curve.len() > POINTS_MAX);
    let page = complete(&answer);
    assert_eq!(classed(&parsed(&page), "circle", "point").len(), POINTS_MAX);
    let curve = &answer.cluster.as_ref().unwrap().curve;
    let executors: Vec<u32> = thinned(curve).iter().map(|point| point.executors).collect();
    assert!(executors.is_sorted_by(|a, b| a < b), "{executors:?}");
    assert_eq!((executors[0], executors.last()), (1, curve.last().map(|point| &point.executors)));
}

#[test]
fn the_table_of_a_day() {
    let answer = million();
    let text = plan_table(&answer);
    assert!(text.lines().all(|line| line.chars().count() <= 110), "{text}");
    insta::assert_snapshot!(text, @r"
    contracts, 2026-11-22
    Use the embedded engine: this machine does it in 11.6 s, the cluster's cheapest shape in 25.9 s and its
      fastest in 17.3 s: that is not worth a cluster.
    Deadline 30 min 00 s: surely met, 11.6 s expected, 34.7 s at most.

    the day                                      expected  range                   arithmetic
    rows of accounts                            1,000,000                          by the files' footers; 39.1 MiB
                                                                                   in 8 files
    rows of parties                             2,500,000                          by the files' footers; 71.5 MiB
                                                                                   in 12 files
    rows of addresses                           3,000,000                          by the files' footers; 148.8
                                                                                   MiB in 16 files
    rows of documents                             900,000                          by a scan of the keys; after
                                                                                   `where`, 90.000 % of accounts
    memory of documents                         171.7 MiB  154.5 MiB to 206.0 MiB  900,000 x 200 B a row of the
                                                                                   columns that are read, by the …
    rows of partyRelations                      2,500,000                          by a scan of the keys; all of
                                                                                   parties
    memory of partyRelations                    286.1 MiB  257.5 MiB to 343.3 MiB  2,500,000 x 120 B a row of the
                                                                                   columns that are read, by the …
    largest key of partyRelations                   1,204                          by a scan of the keys; the next
                                                                                   have 1,101, 987
    rows of partyRelations.partyAddress         3,000,000                          by a scan of the keys; all of
                                                                                   addresses
    memory of partyRelations.partyAddress       515.0 MiB  463.5 MiB to 618.0 MiB  3,000,000 x 180 B a row of the
                                                                                   columns that are read, by the …
    largest key of partyRelations.partyAddress         64                          by a scan of the keys; the next
                                                                                   have 61
    bytes a document                              1.5 KiB  1.3 KiB to 1.7 KiB      by the last edition

    embedded engine  expected  range                 arithmetic
    --threads               8                        all that the machine offers
    --memory          2.9 GiB                        all rows in memory: 991.8 MiB of rows x 1.25 / 0.5 + 8
                                                     threads x 64.0 MiB
    peak memory       2.0 GiB  902.6 MiB to 5.9 GiB  60.0 MiB program + 192.0 MiB workers (24.0 MiB x 8 threads) +
                                                     972.7 MiB rows (1.00 x 972.7 MiB bytes of rows) + 721.0 MiB …
    spill space           0 B                        all rows are in memory
    build time          3.1 s  1.4 s to 9.3 s        stated defaults; nothing was measured: 0.05 s start + 0.57 s
                                                     rows (0.70 s x 0.812 million rows / threads) + 0.12 s bytes …
    publish time        6.9 s  3.1 s to 20.6 s       stated defaults; nothing was measured: 0.10 s start + 3.6 s
                                                     documents (4.00 s x 0.900 million documents) + 3.2 s bytes …
    verify time         1.6 s  0.73 s to 4.9 s       stated defaults; nothing was measured: 0.05 s start + 0.81 s
                                                     documents (0.90 s x 0.900 million documents) + 0.76 s bytes …
    wall time          11.6 s  5.2 s to 34.7 s       3.1 s + 6.9 s + 1.6 s

    spark                     expected  range                 arithmetic
    cheapest shape                   1                        1 executor of 6 cores and 2.4 GiB of heap: 25.9 s,
                                                              for 0.0058
    fastest shape                  149                        149 executors of 1 core and 704.0 MiB of heap: 17.3
                                                              s, for 0.0382
    shuffle                    2.3 GiB  2.1 GiB to 2.7 GiB    972.7 MiB of rows x 1.2 as Spark has them x 2
                                                              shuffles
    largest task              64.5 MiB  64.0 MiB to 96.5 MiB  64.0 MiB a task + 474.3 KiB of the largest key; by
                                                              chance 1.5 times as much a task
    execution memory a task  208.9 MiB                        96.5 MiB x 2 + 16.0 MiB of pages
    objects a task            58.2 MiB                        678.3 KiB of collect_list x 3 + 48.2 MiB of a row
                                                              group + 8.0 MiB of a reader; outside of what Spark …
    shuffle partitions              22                        the greater of 1.4 GiB / 64.0 MiB a task, and 6
                                                              cores x 2
    executors                        1                        the cheapest shape that is in time, or the fastest
                                                              where none is; 10 nodes of 16 cores and 64.0 GiB …
    executor cores                   6                        of 1 to 8 the one with which that shape costs least,
                                                              and of equals the nearest to 5
    executor heap              2.4 GiB                        300 MiB + the greater of 6 tasks x 208.9 MiB / 0.6,
                                                              and (6 tasks x 58.2 MiB + 72.0 MiB) / 0.4, in …
    executor overhead        384.0 MiB                        the greater of 384 MiB and 2.4 GiB x 0.1
    driver cores                     2                        it plans, and sends tasks; no rows go through it
    driver heap                1.0 GiB                        768.0 MiB of its own, with the Spark Connect server,
                                                              and 32.0 KiB for each of 22 tasks and the files …
    driver overhead          384.0 MiB                        the greater of 384 MiB and 1.0 GiB x 0.1
    build time                  17.4 s  7.8 s to 52.3 s       stated defaults; nothing was measured: 8.0 s start +
                                                              5.4 s rows (5.00 s x 1.083 million rows / cores) …
    publish time                 6.9 s  3.1 s to 20.6 s       stated defaults; nothing was measured: 0.10 s start
                                                              + 3.6 s documents (4.00 s x 0.900 million …
    verify time                  1.6 s  0.73 s to 4.9 s       stated defaults; nothing was measured: 0.05 s start
                                                              + 0.81 s documents (0.90 s x 0.900 million …
    wall time                   25.9 s  11.7 s to 77.8 s      17.4 s + 6.9 s + 1.6 s
    cost                        0.0058  0.0026 to 0.0173      0.007 h x (1 executor, the driver and 8 threads of
                                                              this machine) x 0.05 a core with 4 GiB and hour

    note: the build on this machine, the build on Spark, publishing and verifying are by stated defaults of
      another machine: --calibrate measures builds on this one, and each run is learned from
    --why NAME explains a number whole, or one of Spark's 20 settings; --page FILE has all of it, with a chart.
        ");
}

#[test]
fn the_table_where_a_cluster_is_needed() {
    let text = plan_table(&too_many_for_one());
    let (head, _) = text.split_once("\n\n").unwrap();
    insta::assert_snapshot!(head, @r"
    contracts, 2026-11-22
    Use the Spark cluster: 7 executors do it in 99.9 s, and this machine takes 2 min 06 s.
    Deadline 1 min 40 s: likely met, 99.9 s expected, 5 min 00 s at most.
        ");
}
