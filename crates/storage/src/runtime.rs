//! The one small runtime for clients that are written for tokio. Everything else here blocks.

use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::timeout;

/// Threads for what clients do on the side: packets of a block, heartbeats, checksums. The calls themselves
/// are driven by their callers' threads.
const WORKERS: usize = 2;

/// Started on the first call, and never stopped: clients outlive who opened them.
fn runtime() -> io::Result<&'static Runtime> {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    static STARTING: Mutex<()> = Mutex::new(());
    let _one = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(WORKERS).thread_name("storage").enable_all().build()?;
    Ok(RUNTIME.get_or_init(|| runtime))
}

/// For clients that start tasks of their own.
pub(crate) fn handle() -> io::Result<Handle> {
    Ok(runtime()?.handle().clone())
}

/// Waits for the call, but no longer than the limit: none when that is over.
pub(crate) fn wait<T: Send>(limit: Duration, call: impl Future<Output = T> + Send) -> io::Result<Option<T>> {
    let runtime = runtime()?;
    let bounded = async { timeout(limit, call).await.ok() };
    if Handle::try_current().is_err() {
        return Ok(runtime.block_on(bounded));
    }
    // A thread of some other runtime can't wait for this one. Its caller blocks all the same.
    thread::scope(|scope| match scope.spawn(|| runtime.block_on(bounded)).join() {
        Ok(done) => Ok(done),
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_ends_with_the_limit_and_works_on_threads_of_another_runtime() {
        let never = std::future::pending::<()>();
        assert_eq!(wait(Duration::from_millis(10), never).unwrap(), None);
        let other = Builder::new_current_thread().build().unwrap();
        let inside = other.block_on(async { wait(Duration::from_secs(10), async { 7 }).unwrap() });
        assert_eq!(inside, Some(7));
    }
}
