//! What the directory target alone promises.
