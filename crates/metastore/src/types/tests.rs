use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> HiveType {
    text.parse().unwrap()
}

#[test]
fn every_type_is_read_and_printed_as_it_was() {
    for text in [
        "void",
        "boolean",
        "tinyint",
        "smallint",
        "int",
        "bigint",
        "float",
        "double",
        "decimal(38,18)",
        "string",
        "char(255)",
        "varchar(65535)",
        "binary",
        "date",
        "timestamp",
        "timestamp with local time zone",
        "interval_year_month",
        "interval_day_time",
        "array<struct<a:int,b:decimal(38,18)>>",
        "map<string,array<map<int,timestamp with local time zone>>>",
        "struct<>",
        "struct<naïve name:int,a.b:string>",
        "uniontype<int,string,struct<x:void>>",
    ] {
        assert_eq!(parse(text).to_string(), text);
    }
}

#[test]
fn other_spellings_are_known() {
    for (text, canonical) in [
        ("DECIMAL", "decimal(10,0)"),
        ("decimal(5)", "decimal(5,0)"),
        ("numeric ( 5 , 2 )", "decimal(5,2)"),
        ("double precision", "double"),
        ("integer", "int"),
        ("Timestamp With Local Time Zone", "timestamp with local time zone"),
        (" array < Struct < A : INT , `b c` : string > > ", "array<struct<A:int,b c:string>>"),
    ] {
        assert_eq!(parse(text).to_string(), canonical);
    }
}

#[test]
fn what_is_no_type_says_where() {
    for text in [
        "",
        "text",
        "decimal(39,0)",
        "decimal(0,0)",
        "decimal(5,6)",
        "decimal(5",
        "decimal(-5,1)",
        "char",
        "char(0)",
        "char(256)",
        "varchar(65536)",
        "varchar(99999999999)",
        "timestamp with time zone",
        "array",
        "array<int",
        "array<int>>",
        "map<int>",
        "struct<a int>",
        "struct<:int>",
        "struct<a:int,>",
        "int int",
        "é",
    ] {
        let fault = text.parse::<HiveType>().unwrap_err();
        assert!(fault.chain().contains("at byte"), "{text}: {}", fault.chain());
    }
}

#[test]
fn depth_is_bounded() {
    let deep = format!("{}int{}", "array<".repeat(100_000), ">".repeat(100_000));
    let fault = deep.parse::<HiveType>().unwrap_err();
    assert!(fault.chain().contains("nested too deeply"));
    assert!(fault.chain().len() < 400);
}

fn types() -> impl Strategy<Value = HiveType> {
    let leaf = prop_oneof![
        Just(HiveType::Void),
        Just(HiveType::Boolean),
        Just(HiveType::BigInt),
        Just(HiveType::Double),
        Just(HiveType::String),
        Just(HiveType::Timestamp),
        Just(HiveType::TimestampLocalTz),
        Just(HiveType::IntervalDayTime),
        (1..=MAX_PRECISION)
            .prop_flat_map(|precision| (Just(precision), 0..=precision))
            .prop_map(|(precision, scale)| HiveType::Decimal { precision, scale }),
        (1..=MAX_CHAR).prop_map(HiveType::Char),
        (1..=MAX_VARCHAR).prop_map(HiveType::Varchar),
    ];
    leaf.prop_recursive(6, 64, 5, |inner| {
        let field = ("[a-z_é][a-z0-9_. $-]{0,8}[a-z0-9]", inner.clone())
            .prop_map(|(name, field_type)| StructField { name, field_type });
        prop_oneof![
            inner.clone().prop_map(|item| HiveType::Array(Box::new(item))),
            (inner.clone(), inner.clone()).prop_map(|(k, v)| HiveType::Map(Box::new(k), Box::new(v))),
            prop::collection::vec(field, 0..5).prop_map(HiveType::Struct),
            prop::collection::vec(inner, 0..4).prop_map(HiveType::Union),
        ]
    })
}

proptest! {
    #[test]
    fn printed_types_are_read_back(one in types()) {
        prop_assert_eq!(parse(&one.to_string()), one);
    }

    #[test]
    fn no_text_breaks_the_parser(text in "[a-z<>(),:` 0-9é]{0,60}") {
        let _ = text.parse::<HiveType>();
    }

    #[test]
    fn half_a_type_is_refused_or_another_type(one in types(), cut in 0usize..200) {
        let text = one.to_string();
        if let Some(half) = text.get(..cut.min(text.len())) {
            let _ = half.parse::<HiveType>();
        }
    }
}
