//! Editions: shards, description, store, retention, merge, gates
