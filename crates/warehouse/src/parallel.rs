//! The same work on many things at once, whose outcome does not depend on which was faster.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use hivecast_run::Result;

/// What `work` makes of each item, in the items' order, by at most `at_once` threads. Where some fail, the
/// failure is that of the first in the items' order; what has not begun by then is left out.
pub(crate) fn map_in_order<T: Sync, R: Send>(
    items: &[T],
    at_once: usize,
    work: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let (next, stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
    let take_items = || {
        let mut done = Vec::new();
        while !stopped.load(Ordering::Relaxed) {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { break };
            let result = work(item);
            // All items before this one are taken, and whoever took them finishes them: the first
            // failure is among what is done.
            stopped.fetch_or(result.is_err(), Ordering::Relaxed);
            done.push((at, result));
        }
        done
    };
    let mut done = thread::scope(|scope| {
        let others: Vec<_> = (1..at_once.min(items.len())).map(|_| scope.spawn(take_items)).collect();
        let mut done = take_items();
        for other in others {
            done.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        done
    });
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex};
    use std::time::Duration;

    use hivecast_run::Fault;

    use super::*;

    /// Longer than it takes any machine to start some threads.
    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    fn results_are_in_the_items_order() {
        let items: Vec<u32> = (0..1000).collect();
        for at_once in [0, 1, 7, 5000] {
            let doubled = map_in_order(&items, at_once, |item| Ok(item * 2)).unwrap();
            assert_eq!(doubled, items.iter().map(|item| item * 2).collect::<Vec<_>>(), "{at_once} at once");
        }
        assert!(map_in_order(&[] as &[u32], 4, |item| Ok(*item)).unwrap().is_empty());
    }

    #[test]
    fn as_many_work_at_once_as_may_and_no_more() {
        let (working, came) = (Mutex::new((0, 0)), Condvar::new());
        let items = [(); 30];
        map_in_order(&items, 3, |()| {
            let mut now = working.lock().unwrap();
            now.0 += 1;
            now.1 = now.1.max(now.0);
            came.notify_all();
            let (mut now, waited) = came.wait_timeout_while(now, PATIENCE, |now| now.1 < 3).unwrap();
            now.0 -= 1;
            if waited.timed_out() { Err(Fault::bug("nobody else came")) } else { Ok(()) }
        })
        .unwrap();
        assert_eq!(working.into_inner().unwrap(), (0, 3));
    }

    #[test]
    fn the_first_failure_in_order_is_told_even_if_a_later_one_is_faster() {
        let (later_failed, told) = (Mutex::new(false), Condvar::new());
        let fail = |item: &u32| match item {
            2 => {
                let failed = later_failed.lock().unwrap();
                let (_failed, waited) = told.wait_timeout_while(failed, PATIENCE, |failed| !*failed).unwrap();
                assert!(!waited.timed_out(), "nobody took the third");
                Err::<u32, _>(Fault::data("the second"))
            }
            3 => {
                *later_failed.lock().unwrap() = true;
                told.notify_all();
                Err(Fault::data("the third"))
            }
            item => Ok(*item),
        };
        let fault = map_in_order(&[0, 1, 2, 3, 4, 5], 2, fail).unwrap_err();
        assert_eq!(fault.chain(), "the second");
    }
}
