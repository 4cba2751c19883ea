//! The example feed's documents, byte for byte.

use arrow_array::StructArray;
use arrow_schema::DataType;
use hivecast_feed::document::node_fields;
use hivecast_feed::{EnvelopeStyle, Feed, Nulls};
use serde_json::{Value as Json, json};

use super::arrays::structs;
use super::stamp;
use crate::encode::{EVENT_NAMESPACE, Encoder, event_identifier};

const FEED: &str = r#"
feed: contracts
topic: mdm.contracts
partitions: 6
tables:
  accounts: { source: mdm.accounts, where: active_ind = 1 }
  parties: { source: mdm.parties }
  addresses: { source: mdm.party_address }
document:
  from: accounts
  key: account_id
  fields:
    contractIdentifier: account_id
    contractStartDateTime: account_start_timestamp
    contractTitle:
      list:
        - { when: legal_title_1 is not null, fields: { contractTitleLineType: "'lgl_ttl_ln_1'", contractTitleLine: legal_title_1 } }
        - { when: legal_title_2 is not null, fields: { contractTitleLineType: "'lgl_ttl_ln_2'", contractTitleLine: legal_title_2 } }
    taxIdentifier:
      fields: { taxIdType: tax_id_type, taxId: { value: tax_id, mask: hmac-sha256 } }
    contractCountry: country
    partyRelations:
      many: parties
      on: account_id
      key: party_id
      fields:
        partyIdentifier: party_id
        partyAddress:
          one: addresses
          on: party_id
          fields: { addressCity: city, addressStartDate: address_start_date }
envelope: { style: operations, event: { type: MDM-Contract, majorSchemaVersion: 2, minorSchemaVersion: 1 } }
"#;

fn example(style: EnvelopeStyle, nulls: Nulls) -> Feed {
    let Ok((mut feed, _)) = hivecast_feed::parse("contracts.yaml", FEED) else {
        panic!("the feed is refused")
    };
    feed.envelope.style = style;
    feed.format.nulls = nulls;
    feed
}

fn documents(feed: &Feed) -> StructArray {
    let type_of = |sql: &str| match sql {
        "account_start_timestamp" => DataType::Timestamp(arrow_schema::TimeUnit::Millisecond, None),
        "address_start_date" => DataType::Date32,
        _ => DataType::Utf8View,
    };
    let fields = node_fields(&feed.document, &mut |_, sql| Ok::<_, ()>(type_of(sql))).unwrap();
    let title = |line: &str| json!({ "contractTitleLineType": "lgl_ttl_ln_1", "contractTitleLine": line });
    let cells: [Json; 2] = [
        json!({
            "contractIdentifier": "71",
            "contractStartDateTime": 1_577_836_800_123_i64,
            "contractTitle": [title("Smith \"&\" Söhne"), null],
            "taxIdentifier": { "taxIdType": "VAT", "taxId": "123456789" },
            "contractCountry": null,
            "partyRelations": [
                { "partyIdentifier": "9", "partyAddress": { "addressCity": "Leeds", "addressStartDate": 20_779 } },
                { "partyIdentifier": "10", "partyAddress": null },
            ],
        }),
        json!({
            "contractIdentifier": "72", "contractTitle": [null, null], "taxIdentifier": {}, "partyRelations": [],
        }),
    ];
    structs(&fields, &[&cells[0], &cells[1]])
}

fn encode(style: EnvelopeStyle, nulls: Nulls) -> String {
    let feed = example(style, nulls);
    let documents = documents(&feed);
    let encoder = Encoder::new(&feed, documents.fields(), stamp(), Some(b"key")).unwrap();
    let prepared = encoder.prepare(&documents).unwrap();
    let mut out = Vec::new();
    prepared.write(0, "71", &mut out).unwrap();
    out.push(b'\n');
    prepared.write(1, "72", &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn operations() {
    insta::assert_snapshot!(encode(EnvelopeStyle::Operations, Nulls::Omit), @r#"
    {"eventHeader":{"eventIdentifier":"67d72e5d-bb7f-5152-a5ca-a2aa05188594","eventType":"MDM-Contract","majorSchemaVersion":2,"minorSchemaVersion":1,"eventDateTime":"2026-11-22T04:00:00.000+00:00"},"keys":[{"keyField":"contractIdentifier","keyValue":"71"}],"payload":{"contractIdentifier":{"operation":"INSERT","newValue":"71"},"contractStartDateTime":{"operation":"INSERT","newValue":"2020-01-01T00:00:00.123+00:00"},"contractTitle":{"operation":"INSERT","newValue":[{"contractTitleLineType":"lgl_ttl_ln_1","contractTitleLine":"Smith \"&\" Söhne"}]},"taxIdentifier":{"operation":"INSERT","newValue":{"taxIdType":"VAT","taxId":"4fc1aae3e34774f77bc9ed5146eb4d0c783640d5068cb413745f577b904149df"}},"partyRelations":[{"partyIdentifier":{"operation":"INSERT","newValue":"9"},"partyAddress":{"operation":"INSERT","newValue":{"addressCity":"Leeds","addressStartDate":"2026-11-22"}}},{"partyIdentifier":{"operation":"INSERT","newValue":"10"}}]}}
    {"eventHeader":{"eventIdentifier":"56ea12a5-36a2-5184-bfd1-6304d45a8cca","eventType":"MDM-Contract","majorSchemaVersion":2,"minorSchemaVersion":1,"eventDateTime":"2026-11-22T04:00:00.000+00:00"},"keys":[{"keyField":"contractIdentifier","keyValue":"72"}],"payload":{"contractIdentifier":{"operation":"INSERT","newValue":"72"}}}
    "#);
}

#[test]
fn operations_with_nulls_kept() {
    insta::assert_snapshot!(encode(EnvelopeStyle::Operations, Nulls::Keep), @r#"
    {"eventHeader":{"eventIdentifier":"67d72e5d-bb7f-5152-a5ca-a2aa05188594","eventType":"MDM-Contract","majorSchemaVersion":2,"minorSchemaVersion":1,"eventDateTime":"2026-11-22T04:00:00.000+00:00"},"keys":[{"keyField":"contractIdentifier","keyValue":"71"}],"payload":{"contractIdentifier":{"operation":"INSERT","newValue":"71"},"contractStartDateTime":{"operation":"INSERT","newValue":"2020-01-01T00:00:00.123+00:00"},"contractTitle":{"operation":"INSERT","newValue":[{"contractTitleLineType":"lgl_ttl_ln_1","contractTitleLine":"Smith \"&\" Söhne"}]},"taxIdentifier":{"operation":"INSERT","newValue":{"taxIdType":"VAT","taxId":"4fc1aae3e34774f77bc9ed5146eb4d0c783640d5068cb413745f577b904149df"}},"contractCountry":{"operation":"INSERT","newValue":null},"partyRelations":[{"partyIdentifier":{"operation":"INSERT","newValue":"9"},"partyAddress":{"operation":"INSERT","newValue":{"addressCity":"Leeds","addressStartDate":"2026-11-22"}}},{"partyIdentifier":{"operation":"INSERT","newValue":"10"},"partyAddress":{"operation":"INSERT","newValue":null}}]}}
    {"eventHeader":{"eventIdentifier":"56ea12a5-36a2-5184-bfd1-6304d45a8cca","eventType":"MDM-Contract","majorSchemaVersion":2,"minorSchemaVersion":1,"eventDateTime":"2026-11-22T04:00:00.000+00:00"},"keys":[{"keyField":"contractIdentifier","keyValue":"72"}],"payload":{"contractIdentifier":{"operation":"INSERT","newValue":"72"},"contractStartDateTime":{"operation":"INSERT","newValue":null},"contractTitle":{"operation":"INSERT","newValue":[]},"taxIdentifier":{"operation":"INSERT","newValue":{"taxIdType":null,"taxId":null}},"contractCountry":{"operation":"INSERT","newValue":null},"partyRelations":[]}}
    "#);
}

#[test]
fn plain() {
    insta::assert_snapshot!(encode(EnvelopeStyle::Plain, Nulls::Omit), @r#"
    {"contractIdentifier":"71","contractStartDateTime":"2020-01-01T00:00:00.123+00:00","contractTitle":[{"contractTitleLineType":"lgl_ttl_ln_1","contractTitleLine":"Smith \"&\" Söhne"}],"taxIdentifier":{"taxIdType":"VAT","taxId":"4fc1aae3e34774f77bc9ed5146eb4d0c783640d5068cb413745f577b904149df"},"partyRelations":[{"partyIdentifier":"9","partyAddress":{"addressCity":"Leeds","addressStartDate":"2026-11-22"}},{"partyIdentifier":"10"}]}
    {"contractIdentifier":"72"}
    "#);
}

#[test]
fn before_after() {
    insta::assert_snapshot!(encode(EnvelopeStyle::BeforeAfter, Nulls::Omit), @r#"
    {"before":null,"after":{"contractIdentifier":"71","contractStartDateTime":"2020-01-01T00:00:00.123+00:00","contractTitle":[{"contractTitleLineType":"lgl_ttl_ln_1","contractTitleLine":"Smith \"&\" Söhne"}],"taxIdentifier":{"taxIdType":"VAT","taxId":"4fc1aae3e34774f77bc9ed5146eb4d0c783640d5068cb413745f577b904149df"},"partyRelations":[{"partyIdentifier":"9","partyAddress":{"addressCity":"Leeds","addressStartDate":"2026-11-22"}},{"partyIdentifier":"10"}]},"source":{"connector":"hivecast","feed":"contracts","table":"accounts","load_date":"2026-11-22","snapshot":"true","ts_ms":1795320000000},"op":"r","ts_ms":1795320000000}
    {"before":null,"after":{"contractIdentifier":"72"},"source":{"connector":"hivecast","feed":"contracts","table":"accounts","load_date":"2026-11-22","snapshot":"true","ts_ms":1795320000000},"op":"r","ts_ms":1795320000000}
    "#);
}

#[test]
fn event_identifiers_can_be_made_in_any_language() {
    // Python: uuid.uuid5(uuid.uuid5(uuid.NAMESPACE_URL, "urn:hivecast:event"), "contracts/2026-11-22/71")
    let identifier = event_identifier("contracts", stamp().load_date, "71");
    assert_eq!(identifier.to_string(), "67d72e5d-bb7f-5152-a5ca-a2aa05188594");
    assert_eq!(EVENT_NAMESPACE, uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, b"urn:hivecast:event"));
    let operations = encode(EnvelopeStyle::Operations, Nulls::Omit);
    assert!(operations.contains(&format!(r#"{{"eventIdentifier":"{identifier}""#)), "{operations}");
}

#[test]
fn the_key_field_is_the_field_of_the_key_or_else_its_expression() {
    let mut feed = example(EnvelopeStyle::Operations, Nulls::Omit);
    feed.document.key.as_mut().unwrap().value = "concat(account_id, '\"')".to_owned();
    let documents = documents(&feed);
    let encoder = Encoder::new(&feed, documents.fields(), stamp(), Some(b"key")).unwrap();
    let mut out = Vec::new();
    encoder.prepare(&documents).unwrap().write(0, "71\"", &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let keys = r#""keys":[{"keyField":"concat(account_id, '\"')","keyValue":"71\""}]"#;
    assert!(text.contains(keys), "{text}");
}
