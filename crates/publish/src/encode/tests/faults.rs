use std::sync::Arc;

use arrow_array::types::{Decimal128Type, Int32Type};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, DurationSecondArray,
    Float32Array, Float64Array, Int64Array, ListArray, NullArray, PrimitiveArray, StringArray,
    StringViewArray, TimestampSecondArray, UInt64Array,
};
use hivecast_feed::{BigIntegers, Decimals, EnvelopeStyle, Mask, NotANumber, Nulls, Shape};
use hivecast_run::Class;

use super::{encode, feed, field, json, stamp, structs, value};
use crate::encode::Encoder;

fn plain(array: ArrayRef) -> String {
    json(array, None, |_| {}).unwrap()
}

#[test]
fn integers_beyond_2_to_the_53_are_written_by_the_feeds_choice() {
    const EXACT: i64 = 1 << 53;
    let text = |array: ArrayRef| json(array, None, |format| format.big_integers = BigIntegers::Text).unwrap();
    let int = |value: i64| Arc::new(Int64Array::from(vec![value])) as ArrayRef;
    for (value, expected) in [
        (EXACT, "9007199254740992"),
        (-EXACT, "-9007199254740992"),
        (EXACT + 1, "\"9007199254740993\""),
        (-EXACT - 1, "\"-9007199254740993\""),
        (i64::MIN, "\"-9223372036854775808\""),
    ] {
        assert_eq!(text(int(value)), expected);
        assert_eq!(plain(int(value)), expected.trim_matches('"'));
    }
    assert_eq!(text(Arc::new(UInt64Array::from(vec![u64::MAX]))), "\"18446744073709551615\"");
    assert_eq!(plain(Arc::new(UInt64Array::from(vec![u64::MAX]))), "18446744073709551615");
}

#[test]
fn nan_and_infinities_are_written_by_the_feeds_choice() {
    for (value, text) in
        [(f64::NAN, "\"NaN\""), (f64::INFINITY, "\"Infinity\""), (f64::NEG_INFINITY, "\"-Infinity\"")]
    {
        let array = || Arc::new(Float64Array::from(vec![value]));
        assert_eq!(plain(array()), "null");
        assert_eq!(json(array(), None, |format| format.nan = NotANumber::Text).unwrap(), text);
        let narrow = Arc::new(Float32Array::from(vec![value as f32]));
        assert_eq!(json(narrow, None, |format| format.nan = NotANumber::Text).unwrap(), text);
        // Null by the feed's choice is null in every respect: it is left out, and not masked.
        let mut omitting = feed(EnvelopeStyle::Plain, Nulls::Omit, vec![value_of_v(Some(Mask::Redact))]);
        assert_eq!(encode(&omitting, &structs(vec![("v", array())])).unwrap(), "{}");
        omitting.format.nan = NotANumber::Text;
        assert_eq!(encode(&omitting, &structs(vec![("v", array())])).unwrap(), r#"{"v":"REDACTED"}"#);
    }
    assert_eq!(plain(Arc::new(Float64Array::from(vec![-0.0]))), "-0.0");
    assert_eq!(plain(Arc::new(Float32Array::from(vec![0.1]))), "0.1");
}

fn value_of_v(mask: Option<Mask>) -> hivecast_feed::Field {
    value("v", mask)
}

#[test]
fn decimals_are_text_or_numbers_with_every_digit() {
    let decimal = |unscaled, scale| {
        let array = Decimal128Array::from(vec![unscaled]).with_precision_and_scale(38, scale).unwrap();
        Arc::new(array) as ArrayRef
    };
    assert_eq!(plain(decimal(1250, 2)), "\"12.50\"");
    assert_eq!(plain(decimal(-12, -3)), "\"-12000\"");
    let number = |array| json(array, None, |format| format.decimals = Decimals::Number).unwrap();
    assert_eq!(number(decimal(1250, 2)), "12.50");
    assert_eq!(number(decimal(10_i128.pow(37), 37)), format!("1.{}", "0".repeat(37)));
}

#[test]
fn other_scalars_have_their_forms() {
    assert_eq!(plain(Arc::new(BooleanArray::from(vec![true]))), "true");
    assert_eq!(plain(Arc::new(BinaryArray::from(vec![b"\xff\x00".as_slice()]))), "\"/wA=\"");
    assert_eq!(plain(Arc::new(NullArray::new(1))), "null");
    let dictionary: DictionaryArray<Int32Type> = ["é\"", "b"].into_iter().collect();
    assert_eq!(plain(Arc::new(dictionary)), r#""é\"""#);
    let none: DictionaryArray<Int32Type> = [None::<&str>].into_iter().collect();
    assert_eq!(plain(Arc::new(none)), "null");
    let none: DictionaryArray<Int32Type> = [None, Some("b")].into_iter().collect();
    assert_eq!(plain(Arc::new(none)), "null");
}

#[test]
fn masks_hide_the_text_form() {
    let masked = |array: ArrayRef, mask| json(array, Some(mask), |_| {}).unwrap();
    let text = |text: &str| Arc::new(StringViewArray::from(vec![text])) as ArrayRef;
    let long = Arc::new(Int64Array::from(vec![123_456_789]));
    assert_eq!(masked(long.clone(), Mask::Last4), "\"*****6789\"");
    assert_eq!(masked(text("pass\"w\\rd"), Mask::Last4), r#""*****w\\rd""#);
    assert_eq!(masked(Arc::new(Date32Array::from(vec![0])), Mask::Last4), "\"******1-01\"");
    // printf 123456789 | openssl dgst -sha256 [-hmac key]
    assert_eq!(
        masked(long.clone(), Mask::Sha256),
        "\"15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225\""
    );
    assert_eq!(masked(long.clone(), Mask::Sha256), masked(text("123456789"), Mask::Sha256));
    assert_eq!(masked(long, Mask::HmacSha256), masked(text("123456789"), Mask::HmacSha256));
    let null = || Arc::new(StringArray::from(vec![None::<&str>]));
    for mask in [Mask::HmacSha256, Mask::Sha256, Mask::Last4, Mask::Redact] {
        assert_eq!(masked(null(), mask), "null");
    }
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1), None])]);
    assert_eq!(masked(Arc::new(list), Mask::Last4), "\"****ull]\"");
}

#[test]
fn a_mask_without_its_key_is_a_usage_fault() {
    let feed = feed(EnvelopeStyle::Plain, Nulls::Omit, vec![value("taxId", Some(Mask::HmacSha256))]);
    let document = structs(vec![("taxId", Arc::new(StringArray::from(vec!["1"])))]);
    let fault = Encoder::new(&feed, document.fields(), stamp(), None).unwrap_err();
    assert_eq!(fault.class(), Class::Usage);
    assert!(fault.chain().contains("contracts") && fault.chain().contains("taxId"), "{}", fault.chain());
}

#[test]
fn the_mask_key_is_never_shown() {
    let feed = feed(EnvelopeStyle::Plain, Nulls::Omit, vec![value("taxId", Some(Mask::HmacSha256))]);
    let document = structs(vec![("taxId", Arc::new(StringArray::from(vec!["1"])))]);
    let encoder = Encoder::new(&feed, document.fields(), stamp(), Some(b"topsecret")).unwrap();
    let shown = format!("{encoder:?}");
    assert!(shown.starts_with("Encoder { feed: \"contracts\"") && !shown.contains("topsecret"), "{shown}");
}

#[test]
fn a_type_without_a_form_is_a_usage_fault_that_names_the_field() {
    let fault = json(Arc::new(DurationSecondArray::from(vec![1])), None, |_| {}).unwrap_err();
    assert_eq!(fault.class(), Class::Usage);
    assert!(fault.chain().contains("field v"), "{}", fault.chain());
}

#[test]
fn a_document_column_of_another_feed_is_a_bug() {
    let document = structs(vec![("other", Arc::new(StringArray::from(vec!["1"])))]);
    let feed = feed(EnvelopeStyle::Plain, Nulls::Omit, vec![value("taxId", None)]);
    assert_eq!(encode(&feed, &document).unwrap_err().class(), Class::Bug);
    let right = structs(vec![("taxId", Arc::new(StringArray::from(vec!["1"])))]);
    let encoder = Encoder::new(&feed, right.fields(), stamp(), None).unwrap();
    assert_eq!(encoder.prepare(&document).err().unwrap().class(), Class::Bug);
}

#[test]
fn a_time_outside_of_the_calendar_is_a_data_fault_that_leaves_nothing_behind() {
    let column: ArrayRef = Arc::new(TimestampSecondArray::from(vec![i64::MAX]));
    let document = structs(vec![("period", Arc::new(structs(vec![("ends", column)])))]);
    let feed = feed(
        EnvelopeStyle::Operations,
        Nulls::Omit,
        vec![field("period", Shape::Fields(vec![value("ends", None)]))],
    );
    let encoder = Encoder::new(&feed, document.fields(), stamp(), None).unwrap();
    let mut out = b"before".to_vec();
    let fault = encoder.prepare(&document).unwrap().write(0, "71", &mut out).unwrap_err();
    assert_eq!(fault.class(), Class::Data);
    insta::assert_snapshot!(fault.chain(), @r#"failed to encode document "71" of feed contracts: 9223372036854775807 seconds since 1970-01-01 in field period.ends lies outside of the calendar's years"#);
    assert_eq!(out, b"before");
}

#[test]
fn decimals_of_every_width_are_read() {
    fn text<T: arrow_array::types::DecimalType>(value: T::Native) -> String {
        plain(Arc::new(PrimitiveArray::<T>::from_value(value, 1).with_precision_and_scale(9, 2).unwrap()))
    }
    assert_eq!(text::<Decimal128Type>(-1), "\"-0.01\"");
    assert_eq!(text::<arrow_array::types::Decimal32Type>(-1), "\"-0.01\"");
    assert_eq!(text::<arrow_array::types::Decimal64Type>(-1), "\"-0.01\"");
    assert_eq!(text::<arrow_array::types::Decimal256Type>(arrow_buffer::i256::MINUS_ONE), "\"-0.01\"");
}
