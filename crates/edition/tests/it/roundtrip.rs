use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray, StringViewArray, UInt32Array};
use hivecast_contract::key_hash;
use hivecast_edition::{Columns, Edition};
use proptest::prelude::*;

use crate::build::{FEED, TestStore, day, draft};
use crate::model::{Doc, Encoding, arrays, doc, docs, encoding};

type Documents = Vec<(String, Doc)>;

/// How one edition is written.
#[derive(Clone, Debug)]
struct Plan {
    encoding: Encoding,
    /// Where shards and batches end, as shares of the documents.
    shards: Vec<prop::sample::Index>,
    batches: Vec<prop::sample::Index>,
    keys_as_views: bool,
}

fn plan() -> impl Strategy<Value = Plan> {
    let cuts = || proptest::collection::vec(any::<prop::sample::Index>(), 0..4);
    (encoding(), cuts(), cuts(), any::<bool>()).prop_map(|(encoding, shards, batches, keys_as_views)| Plan {
        encoding,
        shards,
        batches,
        keys_as_views,
    })
}

fn documents() -> impl Strategy<Value = Documents> {
    proptest::collection::btree_map("\\PC{0,5}", doc(), 0..40).prop_map(|documents: BTreeMap<String, Doc>| {
        let mut documents: Documents = documents.into_iter().collect();
        documents.sort_by_cached_key(|(key, _)| (key_hash(key.as_bytes()), key.clone()));
        documents
    })
}

fn cuts(at: &[prop::sample::Index], length: usize) -> Vec<usize> {
    let mut cuts: Vec<usize> = at.iter().map(|index| index.index(length + 1)).collect();
    cuts.extend([0, length]);
    cuts.sort();
    cuts
}

fn write(test: &TestStore, id: &str, documents: &Documents, plan: &Plan) -> Edition {
    let writer = test.store.begin(FEED, day("2026-11-22")).unwrap();
    let fields = plan.encoding.fields();
    for (index, ends) in cuts(&plan.shards, documents.len()).windows(2).enumerate() {
        let part = &documents[ends[0]..ends[1]];
        let mut shard = writer.shard(index as u32, &fields).unwrap();
        for ends in cuts(&plan.batches, part.len()).windows(2) {
            let batch = &part[ends[0]..ends[1]];
            let keys: Vec<&str> = batch.iter().map(|(key, _)| key.as_str()).collect();
            let values: Vec<Doc> = batch.iter().map(|(_, doc)| doc.clone()).collect();
            let hash: UInt32Array = keys.iter().map(|key| Some(key_hash(key.as_bytes()))).collect();
            let keys: ArrayRef = if plan.keys_as_views {
                Arc::new(StringViewArray::from(keys))
            } else {
                Arc::new(StringArray::from(keys))
            };
            shard.write(&hash, &keys, &arrays(&values, plan.encoding)).unwrap();
        }
        shard.finish().unwrap();
    }
    let mut draft = draft(id);
    draft.document = fields;
    writer.finish(draft).unwrap()
}

fn read(edition: &Edition, start: u64, batch_rows: usize) -> Documents {
    let mut read = Documents::new();
    for batch in edition.reader(start, Columns::Documents).unwrap().with_batch_rows(batch_rows) {
        let batch = batch.unwrap();
        assert_eq!(batch.ordinal, start + read.len() as u64);
        assert!(batch.len() <= batch_rows);
        let keys = batch.key.iter().flatten().map(str::to_owned);
        let document = batch.document.unwrap();
        assert_eq!(document.fields(), edition.fields());
        read.extend(keys.zip(docs(&document)));
    }
    read
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn documents_come_back_as_they_were_and_sums_depend_on_content_alone(
        documents in documents(),
        one in plan(),
        other in plan(),
        start in any::<prop::sample::Index>(),
        batch_rows in 1usize..50,
    ) {
        let test = TestStore::new();
        let first = write(&test, "one", &documents, &one);
        let second = write(&test, "other", &documents, &other);
        prop_assert_eq!(&first.description.checksum, &second.description.checksum);
        let most = |edition: &Edition| {
            let shards = &edition.description.shards;
            (shards.iter().map(|shard| shard.max_text_bytes).max(), shards.iter().map(|shard| shard.max_values).max())
        };
        prop_assert_eq!(most(&first), most(&second));
        first.verify_files().unwrap();
        prop_assert_eq!(&read(&first, 0, 4096), &documents);
        let start = start.index(documents.len() + 1);
        prop_assert_eq!(read(&second, start as u64, batch_rows), documents[start..].to_vec());
        for (at, (key, doc)) in documents.iter().enumerate().step_by(7) {
            let found = second.find(key).unwrap().unwrap();
            prop_assert_eq!(found.ordinal, at as u64);
            prop_assert_eq!(&docs(&found.document.unwrap()), std::slice::from_ref(doc));
        }
    }

    #[test]
    fn any_change_of_content_changes_the_sum(
        documents in documents(),
        changed in doc(),
        at in any::<prop::sample::Index>(),
        plan in plan(),
    ) {
        prop_assume!(!documents.is_empty());
        let at = at.index(documents.len());
        prop_assume!(documents[at].1 != changed);
        let mut other = documents.clone();
        other[at].1 = changed;
        let test = TestStore::new();
        let before = write(&test, "one", &documents, &plan);
        prop_assert_ne!(&before.description.checksum, &write(&test, "other", &other, &plan).description.checksum);
        other.remove(at);
        prop_assert_ne!(&before.description.checksum, &write(&test, "less", &other, &plan).description.checksum);
    }

    #[test]
    fn counts_of_text_and_values_are_those_of_the_largest_document(documents in documents(), plan in plan()) {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let one = |one: &Option<crate::model::One>| match one {
            Some(one) => (text(&one.name), 3),
            None => (0, 1),
        };
        let measure = |(key, doc): &(String, Doc)| {
            let (mut bytes, mut values) = (text(&doc.text) + 2 * key.len(), 5);
            let mut add = |(more_bytes, more_values)| {
                bytes += more_bytes;
                values += more_values;
            };
            add(one(&doc.one));
            for element in &doc.many {
                add((text(&element.id), 3));
                add(one(&element.one));
                element.tags.iter().for_each(|tag| add((text(tag), 1)));
            }
            (bytes as u64, values as u64)
        };
        let test = TestStore::new();
        let shards = write(&test, "one", &documents, &plan).description.shards;
        let measured: Vec<(u64, u64)> = documents.iter().map(measure).collect();
        prop_assert_eq!(shards.iter().map(|shard| shard.max_text_bytes).max(), measured.iter().map(|m| m.0).max().or(Some(0)));
        prop_assert_eq!(shards.iter().map(|shard| shard.max_values).max(), measured.iter().map(|m| m.1).max().or(Some(0)));
    }
}
