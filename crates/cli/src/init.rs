//! `hivecast init`: the example project, in a directory of one's own.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use hivecast_run::{Fault, Result};

use crate::args::InitArgs;
use crate::failure::{Output, json_line};
use crate::logging::print;

/// The project's files, as they lie in `examples/mdm` and are tested there.
const FILES: [(&str, &str); 2] = [
    ("hivecast.yaml", include_str!("../../../examples/mdm/hivecast.yaml")),
    ("feeds/contracts.yaml", include_str!("../../../examples/mdm/feeds/contracts.yaml")),
];

pub(crate) fn run(args: &InitArgs, output: Output) -> Result<()> {
    write_project(&args.dir)?;
    print(&match output {
        Output::People => next_steps(&args.dir),
        Output::Programs => {
            let files: Vec<&str> = FILES.iter().map(|(path, _)| *path).collect();
            json_line(&serde_json::json!({ "version": 1, "dir": args.dir, "files": files }))
        }
    })
}

/// Writes the files into a directory that is empty or not there yet.
pub(crate) fn write_project(dir: &Path) -> Result<()> {
    refuse_unless_empty(dir)?;
    for (path, text) in FILES {
        let path = dir.join(path);
        let parent = path.parent().unwrap_or(dir);
        fs::create_dir_all(parent)
            .map_err(|error| Fault::io(format!("failed to make directory {}", parent.display()), error))?;
        fs::write(&path, text)
            .map_err(|error| Fault::io(format!("failed to write {}", path.display()), error))?;
    }
    Ok(())
}

fn refuse_unless_empty(dir: &Path) -> Result<()> {
    let mut entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            return Err(Fault::usage(format!("{} is no directory", dir.display())));
        }
        Err(error) => return Err(Fault::io(format!("failed to look into {}", dir.display()), error)),
    };
    match entries.next() {
        None => Ok(()),
        Some(_) => {
            Err(Fault::usage(format!("{} is not empty, and nothing in it is replaced", dir.display()))
                .advise("name a directory that is empty or not there yet"))
        }
    }
}

fn next_steps(dir: &Path) -> String {
    let dir = dir.display();
    let files: String = FILES.iter().map(|(path, _)| format!("  {path}\n")).collect();
    format!(
        "wrote a project to {dir}:\n{files}\n\
         next:\n\
         \x20 cd {dir}\n\
         \x20 hivecast sample                          a week of a realistic export, in ./warehouse\n\
         \x20 hivecast check                           is the feed right?\n\
         \x20 hivecast preview                         what would be sent?\n\
         \x20 hivecast publish --load-date latest      send it to ./topics\n"
    )
}
