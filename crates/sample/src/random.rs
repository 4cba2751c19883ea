//! Randomness by counting: a number for each (seed, place), without any state between them.

/// The finaliser of SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number
/// Generators", 2014): a bijection of 64 bits in which every input bit reaches every output bit.
fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// SplitMix64's increment, the golden ratio in 64 bits.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// A stream of numbers that belongs to one place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draws(u64);

impl Draws {
    pub(crate) fn new(seed: u64) -> Draws {
        Draws(mix(seed.wrapping_add(GOLDEN)))
    }

    /// The stream of a place within this one's; drawing from either leaves the other as it is.
    pub(crate) fn at(self, place: u64) -> Draws {
        Draws(mix(self.0 ^ place.wrapping_mul(GOLDEN).wrapping_add(GOLDEN)))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// Below `bound`, all alike.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // The high half of a product: the bias is below bound / 2^64.
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    /// True in `share` of a million cases.
    pub(crate) fn chance(&mut self, share: PerMillion) -> bool {
        self.below(1_000_000) < u64::from(share.0)
    }

    pub(crate) fn word(&mut self, from: &[&'static str]) -> &'static str {
        from[self.below(from.len() as u64) as usize]
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }
}

/// A share of cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PerMillion(pub(crate) u32);

/// A bijection of the numbers below `size`: a Feistel network of four rounds over the next even
/// power of two, walked until it falls below `size`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Permutation {
    size: u64,
    half_bits: u32,
    keys: [u64; 4],
}

impl Permutation {
    /// `size` is at least 1 and at most 2^62.
    pub(crate) fn new(size: u64, mut draws: Draws) -> Permutation {
        let bits = u64::BITS - size.saturating_sub(1).leading_zeros();
        let half_bits = bits.div_ceil(2).max(1);
        Permutation { size, half_bits, keys: std::array::from_fn(|_| draws.next()) }
    }

    /// The number that `number`, below the size, is mapped to.
    pub(crate) fn of(&self, number: u64) -> u64 {
        let mut number = number;
        loop {
            number = self.round_trip(number);
            if number < self.size {
                return number;
            }
        }
    }

    fn round_trip(&self, number: u64) -> u64 {
        let mask = (1_u64 << self.half_bits) - 1;
        let (mut left, mut right) = (number >> self.half_bits, number & mask);
        for key in self.keys {
            (left, right) = (right, left ^ (mix(right ^ key) & mask));
        }
        left << self.half_bits | right
    }
}

/// Who is still there after some days, if each day takes the same share of those left.
#[derive(Clone, Debug)]
pub(crate) struct Survival {
    /// By age in days, of 2^64 those that are left.
    left: Vec<u64>,
}

impl Survival {
    pub(crate) fn new(loss: PerMillion, days: u32) -> Survival {
        let keep = u128::from(1_000_000 - loss.0);
        let mut left = vec![u64::MAX];
        for _ in 0..days {
            let last = left.last().copied().unwrap_or(u64::MAX);
            left.push((u128::from(last) * keep / 1_000_000) as u64);
        }
        Survival { left }
    }

    /// Whether who drew `lot` is still there at an age; ages beyond the table count as its last.
    pub(crate) fn is_left(&self, lot: u64, age: u32) -> bool {
        let at = (age as usize).min(self.left.len() - 1);
        lot <= self.left[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permutation_takes_each_number_once_and_scatters_them() {
        for size in [1, 2, 3, 5, 64, 1000, 4097] {
            let permutation = Permutation::new(size, Draws::new(7));
            let mut seen: Vec<u64> = (0..size).map(|number| permutation.of(number)).collect();
            let rising = seen.windows(2).filter(|pair| pair[0] < pair[1]).count() as u64;
            assert!(size < 64 || (size * 2 / 5..size * 3 / 5).contains(&rising), "{size}: {rising} rise");
            seen.sort_unstable();
            assert_eq!(seen, (0..size).collect::<Vec<_>>());
        }
    }

    #[test]
    fn survival_loses_its_share_each_day() {
        let survival = Survival::new(PerMillion(1000), 10);
        let mut draws = Draws::new(1);
        let lots: Vec<u64> = (0..1_000_000).map(|_| draws.next()).collect();
        let left = |age| lots.iter().filter(|lot| survival.is_left(**lot, age)).count();
        assert_eq!(left(0), 1_000_000);
        assert!((989_700..990_400).contains(&left(10)), "{}", left(10));
        assert_eq!(left(11), left(10));
    }

    #[test]
    fn places_are_independent_of_each_other() {
        let root = Draws::new(42);
        let mut ones = 0;
        for place in 0..1000 {
            let (mut a, mut b) = (root.at(place), root.at(place + 1));
            ones += (a.next() ^ b.next()).count_ones();
        }
        assert!((31_000..33_000).contains(&ones), "{ones} of 64,000 bits differ");
    }
}
