use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Runs work of a library that panics where it should return an error, and gives the panic's text. The
/// process's panic hook can ask [`panic_is_caught`], so as not to take it for the end.
pub fn catch_panic<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let before = CAUGHT.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    CAUGHT.set(before);
    result.map_err(|payload| text(payload.as_ref()))
}

/// Whether a panic of this thread is going to be caught by [`catch_panic`].
pub fn panic_is_caught() -> bool {
    CAUGHT.get()
}

fn text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a text".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_text_and_is_known_to_be_caught() {
        assert!(!panic_is_caught());
        assert_eq!(catch_panic(panic_is_caught), Ok(true));
        assert_eq!(catch_panic(|| panic!("no {}", "footer")), Err::<(), _>("no footer".to_owned()));
        assert!(!panic_is_caught());
    }
}
