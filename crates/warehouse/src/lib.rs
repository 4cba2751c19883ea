//! Where partitions are, and how their files are read
