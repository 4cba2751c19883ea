//! What an export takes: pure functions from facts to an answer. Nothing here reads a file, asks a service or
//! knows an engine's code; who calls has the facts, and shows the answer.

pub mod spark;
