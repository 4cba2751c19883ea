use std::ops::Range;

/// Documents that a block of [`Marks`] covers.
const BLOCK: u64 = 4_096;
/// Bits of a word.
const WORD: u64 = u64::BITS as u64;

/// Which documents of an edition are set aside: one bit a document up to the last of them, however
/// many they are, and a count for each block, so that ordinals are translated without reading the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    words: Vec<u64>,
    /// How many are marked before each block.
    before_block: Vec<u64>,
    count: u64,
}

impl Marks {
    /// Marks a document; ordinals must ascend.
    pub(crate) fn push(&mut self, gross: u64) {
        let word = (gross / WORD) as usize;
        while self.words.len() <= word {
            if (self.words.len() as u64 * WORD).is_multiple_of(BLOCK) {
                self.before_block.push(self.count);
            }
            self.words.push(0);
        }
        self.words[word] |= 1 << (gross % WORD);
        self.count += 1;
    }

    /// How many lie before a gross ordinal: one that counts excluded documents.
    pub(crate) fn before(&self, gross: u64) -> u64 {
        let (block, word) = (gross / BLOCK, (gross / WORD) as usize);
        let Some(before) = self.before_block.get(block as usize) else { return self.count };
        let first = (block * BLOCK / WORD) as usize;
        let whole = &self.words[first.min(self.words.len())..word.min(self.words.len())];
        let rest = self.words.get(word).map_or(0, |bits| bits & ((1 << (gross % WORD)) - 1));
        before
            + whole.iter().map(|bits| u64::from(bits.count_ones())).sum::<u64>()
            + u64::from(rest.count_ones())
    }

    /// Whether a document is marked.
    pub(crate) fn contains(&self, gross: u64) -> bool {
        self.words.get((gross / WORD) as usize).is_some_and(|bits| bits >> (gross % WORD) & 1 == 1)
    }

    /// How many lie in a range of gross ordinals.
    pub(crate) fn within(&self, gross: Range<u64>) -> u64 {
        self.before(gross.end) - self.before(gross.start)
    }

    /// The net ordinal of a gross one, unless that document is excluded.
    pub(crate) fn net(&self, gross: u64) -> Option<u64> {
        (!self.contains(gross)).then(|| gross - self.before(gross))
    }

    /// The gross ordinal of a net one.
    pub(crate) fn gross(&self, net: u64) -> u64 {
        let (mut low, mut high) = (net, net + self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            // The documents up to this one that are sent.
            if middle + 1 - self.before(middle + 1) > net {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ordinals_are_translated_as_a_list_would(
            marked in proptest::collection::btree_set(prop_oneof![0u64..200, 4_000u64..4_200, 8_190u64..20_000], 0..300),
            asked in proptest::collection::vec(0u64..21_000, 50),
        ) {
            let mut marks = Marks::default();
            marked.iter().for_each(|gross| marks.push(*gross));
            prop_assert_eq!(marks.count, marked.len() as u64);
            let sent: Vec<u64> = (0..21_000).filter(|gross| !marked.contains(gross)).collect();
            for gross in asked.into_iter().chain(marked.iter().copied()) {
                let before = marked.range(..gross).count() as u64;
                prop_assert_eq!(marks.before(gross), before);
                prop_assert_eq!(marks.net(gross), (!marked.contains(&gross)).then_some(gross - before));
                prop_assert_eq!(marks.within(gross..gross + 100), marked.range(gross..gross + 100).count() as u64);
                if let Some(expected) = sent.get(gross as usize) {
                    prop_assert_eq!(marks.gross(gross), *expected);
                }
            }
        }
    }
}
