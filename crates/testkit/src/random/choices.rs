//! Decisions read from a list of numbers. A list that shrinks, or holds smaller numbers, makes a
//! simpler case, which is how a failing case shrinks.

/// The numbers that decide, in their order; all further decisions are 0.
pub(super) struct Choices {
    numbers: std::vec::IntoIter<u16>,
}

impl Choices {
    pub(super) fn new(numbers: Vec<u16>) -> Self {
        Choices { numbers: numbers.into_iter() }
    }

    /// A number below `limit` (at least 1); 0 is the simplest.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        usize::from(self.numbers.next().unwrap_or(0)) % limit.max(1)
    }

    /// Whether something special is to be: once in `times`.
    pub(super) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    /// One of these; the first is the simplest.
    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// An order of `0..length`; the order as it is is the simplest.
    pub(super) fn order(&mut self, length: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..length).collect();
        for at in 0..length {
            let with = at + self.below(length - at);
            order.swap(at, with);
        }
        order
    }
}
