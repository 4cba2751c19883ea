use std::fs;

use arrow_array::types::Int32Type;
use chrono_tz::Tz;
use hivecast_feed::{ColumnType, FileFormat, Layout};
use hivecast_run::{Cancel, Class, Context, FixedClock, Silent};

use super::*;
use crate::catalog::{Catalog, Telling};
use crate::directory::Directory;
use crate::far_store::FarStore;
use crate::freeze::look;
use crate::ready::EarlierRows;
use crate::warehouse::Wish;

#[test]
fn small_files_are_read_together_in_their_order() {
    let part = |file: usize, rows, decoded_bytes| Part {
        files: file..file + 1,
        row_groups: 0..1,
        rows: Some(rows),
        decoded_bytes,
    };
    let parts = vec![part(0, 1, 10), part(1, 2, 20), part(2, 3, 30), part(3, 4, 40), part(4, 5, 50)];
    let joined = join_small(parts.clone(), |file| file != 2);
    let files: Vec<_> = joined.iter().map(|part| part.files.clone()).collect();
    assert_eq!(files, [0..2, 2..3, 3..5]);
    assert_eq!((joined[0].rows, joined[0].decoded_bytes), (Some(3), 30));
    assert_eq!(joined[1], parts[2]);
    assert_eq!(join_small(parts.clone(), |_| false), parts);

    let many: Vec<Part> = (0..SMALL_FILES + 1).map(|file| part(file, 1, 1)).collect();
    let joined = join_small(many, |_| true);
    assert_eq!(joined.iter().map(|part| part.files.len()).collect::<Vec<_>>(), [SMALL_FILES, 1]);
    let large = vec![part(0, 1, PART_DECODED_BYTES - 1), part(1, 1, 2)];
    assert_eq!(join_small(large.clone(), |_| true), large);
}

/// More files than are opened ahead, each with its number.
const FILES: i32 = 20;

/// The table on a store of another machine.
fn far(test: impl FnOnce(&FarStore, &TableInput)) {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("codes/load_date=2026-11-22");
    fs::create_dir_all(&dir).unwrap();
    for file in 0..FILES {
        fs::write(dir.join(format!("{file:02}")), format!("{{\"n\":{file}}}\n")).unwrap();
    }
    let store = FarStore::new(root.path());
    let catalog: Arc<dyn Catalog> = Arc::new(Directory { root: store.root() });
    let layout = Layout {
        format: Some(FileFormat::Json),
        columns: Some(vec![("n".to_owned(), ColumnType::Int)]),
        ..Layout::default()
    };
    let wish = Wish { name: "codes", database: None, table: "codes", layout: &layout, zone: Tz::UTC };
    let cancel = Cancel::default();
    let context = Context { sink: &Silent, cancel: &cancel, clock: &FixedClock(0) };
    let day = ("2026-11-22".parse().unwrap(), Telling::OnlyTheDay);
    let marked = look(&*catalog, &wish, day, context).unwrap_or_else(|problem| panic!("{problem:?}"));
    let input = marked.freeze(&catalog, &EarlierRows::default(), context);
    let input = input.unwrap_or_else(|problem| panic!("{problem:?}"));
    store.opened();
    test(&store, &input);
}

fn numbers(batch: &RecordBatch) -> Vec<i32> {
    batch.column(0).as_primitive::<Int32Type>().values().to_vec()
}

#[test]
fn files_that_are_opened_ahead_are_read_in_their_order() {
    far(|store, input| {
        let scan = input.scan(&[0], 10).unwrap();
        let found: Vec<i32> = scan.flat_map(|batch| numbers(&batch.unwrap())).collect();
        assert_eq!(found, (0..FILES).collect::<Vec<_>>());
        assert_eq!(store.opened().len(), FILES as usize, "each once");
    });
}

#[test]
fn a_file_that_cannot_be_opened_ahead_fails_in_its_turn() {
    far(|store, input| {
        store.lose(&["05", "07"]);
        let mut scan = input.scan(&[0], 10).unwrap();
        for file in 0..5 {
            assert_eq!(numbers(&scan.next().unwrap().unwrap()), [file]);
        }
        let fault = scan.next().unwrap().unwrap_err();
        assert_eq!(fault.class(), Class::Infrastructure);
        assert!(fault.chain().contains("no data node has 05"), "{}", fault.chain());
        assert!(scan.next().is_none());
    });
}

#[test]
fn where_threads_are_refused_files_are_opened_one_by_one() {
    far(|store, input| {
        let mut scan = input.scan(&[0], 10).unwrap();
        scan.spawn = |_| Err(io::ErrorKind::WouldBlock.into());
        let first = scan.next().unwrap().unwrap();
        assert_eq!((numbers(&first), store.opened().len()), (vec![0], 1));
        let found: Vec<i32> = scan.flat_map(|batch| numbers(&batch.unwrap())).collect();
        assert_eq!(found, (1..FILES).collect::<Vec<_>>());
    });
}

#[test]
fn no_thread_outlives_its_scan() {
    far(|store, input| {
        let mut scan = input.scan(&[0], 10).unwrap();
        scan.next().unwrap().unwrap();
        drop(scan);
        assert_eq!(store.on_the_way(), 0);
        assert_eq!(store.opened().len(), 1 + OPENED_AHEAD, "and none is begun any more");
    });
}
