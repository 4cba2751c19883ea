//! The forms that mistakes take besides text for people.

use hivecast_feed::{Color, parse};

#[test]
fn mistakes_as_json_and_as_one_line() {
    let mistakes = parse("f.yaml", "feed: contracts\ntopik: t\n").unwrap_err();
    let json = serde_json::to_value(&mistakes).unwrap();
    let place = |index: usize| (json[index]["line"].as_u64(), json[index]["column"].as_u64());
    assert_eq!(json[0]["file"], "f.yaml");
    assert_eq!(place(0), (Some(1), Some(1)));
    let unknown = json.as_array().unwrap().iter().find(|record| record["line"] == 2).unwrap();
    assert_eq!(unknown["message"], "unknown setting `topik` in the feed");
    assert_eq!(unknown["help"], "did you mean `topic`?");
    assert!(mistakes.to_string().ends_with("f.yaml:2:1: unknown setting `topik` in the feed"));
}

#[test]
fn mistakes_are_a_usage_fault() {
    let fault = hivecast_run::Fault::from(parse("f.yaml", "").unwrap_err());
    assert_eq!(fault.class().exit_code(), 2);
    assert_eq!(fault.chain(), "1 mistake in f.yaml: f.yaml:1:1: the feed is empty");
}

#[test]
fn colour_is_only_there_when_asked_for() {
    let mistakes = parse("f.yaml", "").unwrap_err();
    assert!(!mistakes.render(Color::Plain).contains('\u{1b}'));
    assert!(mistakes.render(Color::Ansi).contains('\u{1b}'));
}

#[test]
fn columns_count_characters_also_after_a_byte_order_mark() {
    for text in ["é: 1\nñandú: { é: 1, topik: 2 }\n", "\u{feff}é: 1\r\nñandú: { é: 1, topik: 2 }\r\n"]
    {
        let mistakes = parse("f", text).unwrap_err();
        let places: Vec<String> = mistakes.to_string().split("; ").map(str::to_owned).collect();
        assert!(
            places.iter().any(|place| place == "f:2:1: unknown setting `ñandú` in the feed"),
            "{places:?}"
        );
    }
}
