//! Tasks on several threads.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hivecast_run::{Context, Fault, Result};

/// Most rows of a piece, so that a run that should stop does so soon.
const PIECE_ROWS_MAX: usize = 1 << 20;
/// Fewer rows are not worth a thread.
const PIECE_ROWS_MIN: usize = 1 << 14;

/// The threads that work on something.
#[derive(Clone, Copy)]
pub(crate) struct Workers<'a> {
    /// How many, at least 1.
    pub(crate) threads: usize,
    /// Tells them when to stop.
    pub(crate) context: &'a Context<'a>,
}

impl Workers<'_> {
    /// Runs tasks 0 to `tasks`; their results in order. A failure stops what is not begun; of several that of the
    /// first task is told.
    pub(crate) fn run<T: Send>(
        &self,
        tasks: usize,
        run: impl Fn(usize) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let next = AtomicUsize::new(0);
        let results: Mutex<Vec<Option<T>>> = Mutex::new((0..tasks).map(|_| None).collect());
        let failure: Mutex<Option<(usize, Fault)>> = Mutex::new(None);
        let work = || {
            loop {
                let task = next.fetch_add(1, Ordering::Relaxed);
                if task >= tasks {
                    return;
                }
                match self.context.check_cancelled().and_then(|()| run(task)) {
                    Ok(result) => lock(&results)[task] = Some(result),
                    Err(fault) => {
                        next.store(tasks, Ordering::Relaxed);
                        let mut first = lock(&failure);
                        if first.as_ref().is_none_or(|(other, _)| task < *other) {
                            *first = Some((task, fault));
                        }
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..self.threads.min(tasks) {
                scope.spawn(work);
            }
            work();
        });
        if let Some((_, fault)) = lock(&failure).take() {
            return Err(fault);
        }
        let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        results.into_iter().map(|result| result.ok_or_else(|| Fault::bug("a task was lost"))).collect()
    }

    /// The same for pieces of so many rows: one for each thread, or more where they would be large.
    pub(crate) fn run_pieces<T: Send>(
        &self,
        rows: usize,
        run: impl Fn(Range<usize>) -> Result<T> + Sync,
    ) -> Result<Vec<T>> {
        let size = rows.div_ceil(self.threads).clamp(PIECE_ROWS_MIN, PIECE_ROWS_MAX);
        self.run(rows.div_ceil(size), |piece| run(piece * size..rows.min((piece + 1) * size)))
    }

    /// Fails where the run should stop; asked for each row, it looks only now and then.
    pub(crate) fn check(&self, row: usize) -> Result<()> {
        if row.is_multiple_of(PIECE_ROWS_MAX) { self.context.check_cancelled() } else { Ok(()) }
    }

    /// In how many shares so many rows are worked on, where every share has to look at all of them.
    pub(crate) fn shares(&self, rows: usize) -> usize {
        self.threads.min(rows / PIECE_ROWS_MIN).max(1)
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
