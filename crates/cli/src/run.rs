//! From the parsed command line to one command's work.

use hivecast_run::{Cancel, Result, SystemClock};

use crate::args::{Cli, Command, Global};
use crate::cancel;
use crate::failure::{Failed, Output};
use crate::logging::{self, Progress};
use crate::{
    check, doctor, explain, generate, init, plan, preview, prune, publish, runs, sample, schema, tables,
    verify,
};

/// The machine's clock: the one place that names it.
pub(crate) static CLOCK: SystemClock = SystemClock;

/// How this process talks and listens: decided once, for every command.
pub(crate) struct Console {
    pub(crate) output: Output,
    pub(crate) progress: Progress,
    pub(crate) cancel: Cancel,
}

impl Console {
    fn open(global: &Global) -> Result<Self> {
        Ok(Console {
            output: Output::of(global),
            progress: logging::start(global),
            cancel: cancel::on_signals()?,
        })
    }
}

/// Runs the command.
pub(crate) fn run(cli: Cli) -> Result<(), Failed> {
    let Cli { global, command } = cli;
    let console = Console::open(&global)?;
    match command {
        Command::Init(args) => init::run(&args, console.output)?,
        Command::Schema(args) => schema::run(&args)?,
        Command::Generate(args) => generate::run(&args)?,
        Command::Sample(args) => sample::run(&global, &args, &console)?,
        Command::Check(args) => check::run(&global, &args, &console)?,
        Command::Preview(args) => preview::run(&global, &args, &console)?,
        Command::Build(args) if args.explain => explain::run(&global, &args.build, &console)?,
        Command::Build(args) => publish::build(&global, &args.build, &console)?,
        Command::Publish(args) => publish::publish(&global, &args, &console)?,
        Command::Plan(args) => plan::run(&global, &args, &console)?,
        Command::Verify(args) => verify::run(&global, &args, &console)?,
        Command::Tables(args) => tables::run(&global, &args, &console)?,
        Command::Runs(args) => runs::run(&global, &args, &console)?,
        Command::Doctor => doctor::run(&global, &console)?,
        Command::Prune(args) => prune::run(&global, &args, &console)?,
    }
    Ok(())
}
