//! Text that no one would write: reading it must end in mistakes, never in a panic.

use hivecast_feed::{Color, draft, parse, parse_project};
use proptest::prelude::*;

use crate::support::{FixedSecrets, TinySql, schemas};

const EXAMPLE: &str = include_str!("../../../../examples/mdm/feeds/contracts.yaml");
const PROJECT: &str = include_str!("../../../../examples/mdm/hivecast.yaml");
const PIECES: [&str; 24] = [
    "{", "}", "[", "]", ":", ": ", "- ", "\n", "\t", "'", "\"", "|\n", ">-\n", "&a ", "*a", "!t ", "# ", "%",
    "é", "\u{feff}", "\0", "${", "? ", "---\n",
];

/// A cut of the text replaced by a piece or two.
fn mutated(text: &'static str) -> impl Strategy<Value = String> {
    let cut = (0..text.len(), 0..40_usize, 0..PIECES.len(), 0..PIECES.len());
    prop::collection::vec(cut, 1..5).prop_map(move |cuts| {
        let mut letters: Vec<char> = text.chars().collect();
        for (at, length, first, second) in cuts {
            let at = at.min(letters.len());
            let end = (at + length).min(letters.len());
            letters.splice(at..end, PIECES[first].chars().chain(PIECES[second].chars()));
        }
        letters.into_iter().collect()
    })
}

/// Everything that is done with a feed's text.
fn use_feed(text: &str) {
    if let Err(mistakes) = draft("f", text).check(&schemas(), &TinySql) {
        assert!(!mistakes.list().is_empty());
        assert!(mistakes.render(Color::Plain).ends_with(&mistakes.summary()));
        serde_json::to_string(&mistakes).unwrap();
    }
}

fn use_project(text: &str) {
    match parse_project("f", text) {
        Ok(project) => {
            let _ = project.environment("local", &FixedSecrets::default());
        }
        Err(mistakes) => {
            mistakes.render(Color::Ansi);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn mutated_feeds_do_no_harm(text in mutated(EXAMPLE)) {
        use_feed(&text);
    }

    #[test]
    fn mutated_projects_do_no_harm(text in mutated(PROJECT)) {
        use_project(&text);
    }

    #[test]
    fn any_text_does_no_harm(text in "\\PC{0,80}|[\\x00-\\x7f\\n\\t:{}\\[\\]'\"]{0,80}") {
        use_feed(&text);
        use_project(&text);
    }
}

#[test]
fn nesting_and_aliases_are_bounded() {
    parse("f", &"[".repeat(100_000)).unwrap_err();
    let deep = parse("f", &"- ".repeat(1_000)).unwrap_err();
    assert_eq!(deep.to_string(), "f:1:201: nested more than 100 deep");
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let before = format!("*a{}, ", level - 1).repeat(10);
        bomb.push_str(&format!("a{level}: &a{level} [{before}]\n"));
    }
    assert!(parse("f", &bomb).unwrap_err().to_string().contains("more than 200000 values"));
}

#[test]
fn an_alias_of_itself_is_a_mistake() {
    assert!(parse("f", "a: &a [*a]\n").unwrap_err().to_string().contains("alias"));
}
