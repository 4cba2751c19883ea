//! The Spark Connect engine.
