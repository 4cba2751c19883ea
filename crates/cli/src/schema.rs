//! `hivecast schema`: what editors need to help with the project's files.

use hivecast_feed::schema::{feed_json_schema, project_json_schema};
use hivecast_run::Result;

use crate::args::{SchemaArgs, SchemaFile};
use crate::failure::json_line;
use crate::logging::print;

pub(crate) fn run(args: &SchemaArgs) -> Result<()> {
    print(&json_line(&match args.file {
        SchemaFile::Feed => feed_json_schema(),
        SchemaFile::Project => project_json_schema(),
    }))
}
