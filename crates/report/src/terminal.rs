//! How wide the terminal is that people read on.

/// Columns of the terminal that standard output is; none where it is a file or a pipe, or does not say.
pub(crate) fn columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    // Serial lines, and some that only look like terminals, say 0.
    (size.ws_col > 0).then(|| usize::from(size.ws_col))
}
