//! Plan in, edition out: the embedded engine
