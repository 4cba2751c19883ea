//! Every store, held against one suite, and what each does when something is broken. Needs the services
//! that `dev/with-services` starts; without them these tests fail.

mod conformance;
mod hdfs;
mod kerberos;
mod s3;
mod servers;
mod support;
