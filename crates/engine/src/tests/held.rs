use std::fmt::Write;
use std::sync::Arc;

use arrow_array::Array;

use super::gates::{FEED, tables};
use super::{DATE, plan, with_context};
use crate::arrays::batch_bytes;
use crate::masked::Masked;
use crate::nodes::NodePlan;
use crate::read::Reader;
use crate::row_gates::Tally;

const ROWS: usize = 60_000;

/// Bytes that the rows of the document's table hold once they are read, beside what is counted for them, where
/// every row or one of so many is left by `where`, and the document has one field more.
fn held_and_counted(one_of: usize, field: &str) -> (usize, usize) {
    let note = "a note of which nobody wants more than its beginning ".repeat(4);
    let mut accounts = String::from("account_id,branch,active,note\n");
    for row in 0..ROWS {
        let active = usize::from(row.is_multiple_of(one_of));
        writeln!(
            accounts,
            "account number {row:012},the branch in street {:08},{active},{note}{row}",
            row % 7
        )
        .unwrap();
    }
    let root = tables(&[
        ("accounts", &accounts),
        ("parties", "party_id,account_id,role\n"),
        ("branches", "branch,city\n"),
    ]);
    let feed = FEED.replace("    id: account_id\n", &format!("    id: account_id\n{field}"));
    let plan = plan(&feed, root.path(), DATE.parse().unwrap());
    let masked = Masked::of(&plan.checked);
    let node = NodePlan::bind(&plan.checked, &masked).unwrap();
    let sources = with_context(|context| crate::tables::open(&plan, context).unwrap().sources);
    let source = Arc::clone(&sources["accounts"]);
    let reader = Reader::new(&node, source, Some("active = '1'"), &[], Vec::new()).unwrap();
    let (mut counted, mut rows) = (0, 0);
    // Pieces of a batch share what it was read into.
    let mut held = std::collections::HashMap::new();
    let mut all = Vec::new();
    for part in 0..reader.parts() {
        reader
            .read(part, &mut Tally::default(), &|_| {}, &mut |batch| {
                rows += batch.len;
                let buffers = batch.slots.iter().flat_map(|slot| slot.to_data().buffers().to_vec());
                held.extend(buffers.map(|buffer| (buffer.data_ptr(), buffer.capacity())));
                counted += batch_bytes(&batch.slots);
                // As a build keeps them, so that nothing is taken for somebody else's.
                all.push(batch.slots);
                Ok(())
            })
            .unwrap();
    }
    assert_eq!(rows, ROWS.div_ceil(one_of));
    (held.values().sum(), counted)
}

#[test]
fn rows_hold_what_is_counted_for_them() {
    for (one_of, field) in [(1, ""), (50, ""), (1, "    start: substr(note, 1, 16)\n")] {
        let (held, counted) = held_and_counted(one_of, field);
        assert!(held < counted * 3 / 2, "one row of {one_of}{field}: {held} bytes are held for {counted}");
    }
}
