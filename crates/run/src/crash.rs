use std::collections::HashMap;
use std::sync::{Mutex, OnceLock};

/// The variable that arms a crash point: `HIVECAST_CRASH_AT=name` or `name:N` for its N-th visit.
const CRASH_AT: &str = "HIVECAST_CRASH_AT";

/// The variable that makes a crash point panic instead, as a bug of ours would: `HIVECAST_PANIC_AT=name`.
const PANIC_AT: &str = "HIVECAST_PANIC_AT";

/// The variable that makes a crash point stop the process until it is told to go on (SIGSTOP, SIGCONT), so
/// that a test can do something in between: `HIVECAST_STOP_AT=name`.
const STOP_AT: &str = "HIVECAST_STOP_AT";

/// Kills this process with SIGKILL, so that no destructor, buffer or signal handler runs, when the
/// environment asks for it at this name. Promises about crashes are tested through these points;
/// without the variable a visit costs one load.
pub fn crash_point(name: &str) {
    static ARMED: OnceLock<Option<(String, u64)>> = OnceLock::new();
    static PANICS: OnceLock<Option<String>> = OnceLock::new();
    static STOPS: OnceLock<Option<String>> = OnceLock::new();
    static VISITS: OnceLock<Mutex<HashMap<String, u64>>> = OnceLock::new();
    if PANICS.get_or_init(|| std::env::var(PANIC_AT).ok()).as_deref() == Some(name) {
        panic!("the crash point {name} was asked to panic");
    }
    if STOPS.get_or_init(|| std::env::var(STOP_AT).ok()).as_deref() == Some(name) {
        signal_self("-STOP");
    }
    let armed = ARMED.get_or_init(|| {
        let text = std::env::var(CRASH_AT).ok()?;
        match text.rsplit_once(':') {
            Some((name, nth)) => Some((name.to_owned(), nth.parse().ok()?)),
            None => Some((text, 1)),
        }
    });
    let Some((wanted, nth)) = armed else { return };
    if wanted != name {
        return;
    }
    let mut visits =
        VISITS.get_or_init(Mutex::default).lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let visit = visits.entry(name.to_owned()).or_insert(0);
    *visit += 1;
    if *visit == *nth {
        kill_self();
    }
}

fn kill_self() -> ! {
    signal_self("-KILL");
    std::process::abort()
}

/// Through the shell's own `kill`, so that this room needs neither `unsafe` nor a dependency.
fn signal_self(signal: &str) {
    let pid = std::process::id().to_string();
    let _ = std::process::Command::new("kill").args([signal, &pid]).status();
}
