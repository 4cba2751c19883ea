use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use hivecast_run::{Cancel, Result};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaErrorCode;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// How soon a cancelled run notices.
const LOOK: Duration = Duration::from_millis(100);

/// Waits on this thread for one of rdkafka's admin calls, each of which ends by its own request
/// timeout, or for the run to be asked to stop.
pub(crate) fn wait_for<F: Future>(future: F, cancel: &Cancel) -> Result<F::Output> {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return Ok(output),
            Poll::Pending => std::thread::park_timeout(LOOK),
        }
        cancel.check()?;
    }
}

/// Slices of the time that one of librdkafka's blocking questions may take: a cancelled run notices
/// between them. They grow, so that a broker which is slow, and not away, is given the time it needs.
const SLICES: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(7)];

/// Asks again as long as no answer comes, up to 12 seconds in all, unless the run is asked to stop.
pub(crate) fn ask<T>(
    cancel: &Cancel,
    question: impl Fn(Duration) -> KafkaResult<T>,
) -> Result<KafkaResult<T>> {
    let [slices @ .., last] = SLICES;
    for slice in slices {
        cancel.check()?;
        match question(slice) {
            Err(error) if is_silence(&error) => {}
            answer => return Ok(answer),
        }
    }
    cancel.check()?;
    Ok(question(last))
}

fn is_silence(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::OperationTimedOut)
}
