use std::fmt::Write;
use std::path::PathBuf;

use arrow_array::{ArrayRef, StructArray};
use hivecast_contract::EditionId;
use hivecast_edition::{Edition, InputDescription, Store};
use hivecast_feed::{Checked, fingerprint};
use hivecast_run::{Context, Result};
use hivecast_warehouse::{InputFile, Inputs, TableInput};
use sha2::{Digest, Sha256};

/// Everything that decides what an edition will be, and what may be used to build it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The feed, held against the inputs' schemas.
    pub checked: Checked,
    /// The frozen inputs.
    pub inputs: Inputs,
    /// The edition's name: [`edition_id`].
    pub edition: EditionId,
    /// The memory limit in bytes.
    pub memory_bytes: usize,
    /// How many threads work, at least 1.
    pub threads: usize,
    /// A directory for spill files. They have no names and vanish with the process.
    pub spill: PathBuf,
}

/// Which documents a preview shows.
#[derive(Clone, Debug)]
pub enum Selection {
    /// The first of the edition's order.
    First(usize),
    /// Those with these keys.
    Keys(Vec<String>),
}

/// Some documents, in the edition's order.
#[derive(Clone, Debug)]
pub struct Preview {
    /// Their keys, as text views.
    pub keys: ArrayRef,
    /// The `document` column.
    pub documents: StructArray,
}

/// What joins and nests.
pub trait Engine {
    /// Builds the plan's edition in the store. It is whole when this returns, or not there at all.
    /// What gates find is in its description; a failed gate is no error here.
    fn build(&self, plan: &Plan, store: &Store, context: &Context<'_>) -> Result<Edition>;

    /// Some documents, without writing anything.
    fn preview(&self, plan: &Plan, selection: &Selection, context: &Context<'_>) -> Result<Preview>;
}

/// Names an edition by all that decides it: the first 16 hexadecimal digits of a SHA-256 over the
/// feed's fingerprint, the load_date, and every input file's table, name, size, modification time and,
/// where the store has one, version.
pub fn edition_id(checked: &Checked, inputs: &Inputs) -> EditionId {
    const DIGITS: usize = 16;
    let mut text = format!("{}\n{}\n", fingerprint(&checked.feed), inputs.load_date);
    for (table, file) in frozen(inputs) {
        let (name, modified_ns) = (file.path.name(), file.modified_ns);
        let _ = write!(text, "{}\t{name}\t{}\t{modified_ns}", table.table, file.size);
        if let Some(version) = &file.version {
            let _ = write!(text, "\t{version}");
        }
        text.push('\n');
    }
    let digest = Sha256::digest(text.as_bytes());
    let mut name: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    name.truncate(DIGITS);
    EditionId(name)
}

fn frozen(inputs: &Inputs) -> impl Iterator<Item = (&TableInput, &InputFile)> {
    inputs.tables.iter().flat_map(|table| table.files.iter().map(move |file| (table, file)))
}

/// The frozen files, named from their partition's directory on, so that a warehouse may be moved.
pub(crate) fn input_files(inputs: &Inputs) -> Vec<InputDescription> {
    frozen(inputs)
        .map(|(table, file)| InputDescription {
            table: table.table.clone(),
            path: file.path.name().to_owned(),
            size: file.size,
            modified_ns: file.modified_ns,
        })
        .collect()
}
