//! Run events to the terminal, to log lines and to JSON
