//! `hivecast generate`: manual pages and completions, made of the command line's own definition, so that
//! a package can't say anything else than the binary in it.

use std::fs;
use std::io::Error;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use hivecast_run::{Fault, Result};

use crate::args::{Cli, GenerateArgs};

/// Each shell's completions, in a directory named after it.
const SHELLS: [(&str, Shell); 3] = [("bash", Shell::Bash), ("zsh", Shell::Zsh), ("fish", Shell::Fish)];

pub(crate) fn run(args: &GenerateArgs) -> Result<()> {
    let manual = made(&args.dir.join("man1"))?;
    let mut program = Cli::command().disable_help_subcommand(true);
    // Gives every subcommand its whole name, and the options that all take.
    program.build();
    let commands = program.get_subcommands().filter(|command| !command.is_hide_set());
    for command in commands.chain([&program]) {
        write_page(&manual, command.clone(), &args.date.to_string())?;
    }
    for (name, shell) in SHELLS {
        let dir = made(&args.dir.join(name))?;
        clap_complete::generate_to(shell, &mut Cli::command(), "hivecast", &dir)
            .map_err(|error| failed(&dir, error))?;
    }
    Ok(())
}

fn write_page(dir: &Path, command: Command, date: &str) -> Result<()> {
    let source = concat!("hivecast ", env!("CARGO_PKG_VERSION"));
    let page = Man::new(command).date(date).source(source).manual("Hivecast");
    let path = dir.join(page.get_filename());
    let mut text = Vec::new();
    page.render(&mut text).and_then(|()| fs::write(&path, text)).map_err(|error| failed(&path, error))
}

fn made(dir: &Path) -> Result<PathBuf> {
    fs::create_dir_all(dir)
        .map_err(|error| Fault::io(format!("failed to make directory {}", dir.display()), error))?;
    Ok(dir.to_owned())
}

fn failed(path: &Path, error: Error) -> Fault {
    Fault::io(format!("failed to write {}", path.display()), error)
}
