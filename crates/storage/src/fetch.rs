//! Ranges of a file that is far away: neighbours are fetched together, and several at a time.

use std::io;
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, StreamExt, TryStreamExt};

/// Ranges that are no further apart than this are fetched with what lies between them, which costs less than
/// asking once more.
const COALESCE_GAP_BYTES: u64 = 1 << 20;

/// What is asked for at once is no longer than this, so that one answer is quick and long ranges come over
/// several connections.
pub(crate) const PART_BYTES: u64 = 8 << 20;

/// How many parts of one call are under way at once.
pub(crate) const PARALLEL_PARTS: usize = 4;

/// The bytes of each range, in the order in which they are asked for. `read` fetches one part of the file.
pub(crate) async fn fetch<F, R>(ranges: &[Range<u64>], read: F) -> io::Result<Vec<Bytes>>
where
    F: FnMut(Range<u64>) -> R,
    R: Future<Output = io::Result<Bytes>>,
{
    let spans = spans(ranges);
    let parts: Vec<Range<u64>> = spans.iter().flat_map(parts).collect();
    let read: Vec<Bytes> = stream::iter(parts).map(read).buffered(PARALLEL_PARTS).try_collect().await?;
    let mut read = read.into_iter();
    let spans: Vec<(u64, Bytes)> =
        spans.iter().map(|span| (span.start, joined(&mut read, parts_of(span)))).collect();
    ranges.iter().map(|range| cut(&spans, range)).collect()
}

/// The fewest ranges that have all of these in them and little else: sorted, and apart.
fn spans(ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut sorted: Vec<Range<u64>> =
        ranges.iter().filter(|range| range.start < range.end).cloned().collect();
    sorted.sort_by_key(|range| range.start);
    let mut spans: Vec<Range<u64>> = Vec::new();
    for range in sorted {
        match spans.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(COALESCE_GAP_BYTES) => {
                last.end = last.end.max(range.end);
            }
            _ => spans.push(range),
        }
    }
    spans
}

fn parts_of(span: &Range<u64>) -> u64 {
    (span.end - span.start).div_ceil(PART_BYTES)
}

fn parts(span: &Range<u64>) -> impl Iterator<Item = Range<u64>> + use<> {
    let span = span.clone();
    (0..parts_of(&span)).map(move |n| {
        let start = span.start + n * PART_BYTES;
        start..span.end.min(start + PART_BYTES)
    })
}

fn joined(read: &mut impl Iterator<Item = Bytes>, count: u64) -> Bytes {
    if count == 1 {
        return read.next().unwrap_or_default();
    }
    let mut whole = BytesMut::new();
    (0..count).filter_map(|_| read.next()).for_each(|part| whole.extend_from_slice(&part));
    whole.freeze()
}

fn cut(spans: &[(u64, Bytes)], range: &Range<u64>) -> io::Result<Bytes> {
    if range.start >= range.end {
        return Ok(Bytes::new());
    }
    let after = spans.partition_point(|(start, _)| *start <= range.start);
    let (start, bytes) = &spans[after - 1];
    let place = |offset: u64| usize::try_from(offset - start).map_err(io::Error::other);
    let (from, to) = (place(range.start)?, place(range.end)?);
    if to > bytes.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes.slice(from..to))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use proptest::prelude::*;

    use super::*;

    fn byte(offset: u64) -> u8 {
        offset.to_le_bytes().iter().fold(7, |sum, byte| sum.wrapping_mul(31).wrapping_add(*byte))
    }

    fn fetched(ranges: &[Range<u64>]) -> (Vec<Bytes>, Vec<Range<u64>>) {
        let asked = Mutex::new(Vec::new());
        let read = |range: Range<u64>| {
            asked.lock().unwrap().push(range.clone());
            async move { Ok(range.map(byte).collect::<Bytes>()) }
        };
        let bytes = futures::executor::block_on(fetch(ranges, read)).unwrap();
        (bytes, asked.into_inner().unwrap())
    }

    #[test]
    fn neighbours_come_together_and_long_ranges_in_parts() {
        let far = 100 * COALESCE_GAP_BYTES;
        let (_, asked) = fetched(&[far..far + 5, 10..20, 0..4, 4..4, 15..30]);
        assert_eq!(asked, [0..30, far..far + 5]);
        let (_, asked) = fetched(std::slice::from_ref(&(1..PART_BYTES * 2 + 3)));
        assert_eq!(
            asked,
            [1..PART_BYTES + 1, PART_BYTES + 1..PART_BYTES * 2 + 1, PART_BYTES * 2 + 1..PART_BYTES * 2 + 3]
        );
        assert!(fetched(&[]).1.is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn each_range_has_its_bytes(ranges in prop::collection::vec((0..20 * COALESCE_GAP_BYTES, 0..100u64), 0..10)) {
            let ranges: Vec<_> = ranges.into_iter().map(|(start, length)| start..start + length).collect();
            let (bytes, _) = fetched(&ranges);
            for (range, bytes) in ranges.into_iter().zip(bytes) {
                prop_assert_eq!(range.map(byte).collect::<Bytes>(), bytes);
            }
        }
    }
}
