//! Envelope and JSON bytes, chunks, resume, verify; the Target trait with the dir target
