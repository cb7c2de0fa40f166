//! The program `fewmark`: segments medical images from a few clicks.

mod args;
mod commands;
mod failure;
mod interrupt;
mod output;
mod progress;

use std::process::ExitCode;

use args::{Arguments, Command};
use clap::Parser as _;
use failure::Failure;

/// Large fields and tensors come and go; this one keeps their pages.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match in_pool(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Runs the command on a thread of the pool: from outside it, short pieces of work are over before a second thread has woken up.
fn in_pool(arguments: Arguments) -> Result<(), Failure> {
    if let Some(threads) = arguments.common.threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads.get())
            .build_global()
            .map_err(|e| Failure::work(format!("cannot start {threads} threads: {e}")))?;
    }
    match &arguments.command {
        // It waits most of the time, and would hold a thread of the pool while it does.
        Command::Serve(serve) => commands::serve::run(serve, &arguments.common),
        _ => rayon::scope(|_| run(arguments)),
    }
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    let common = &arguments.common;
    match arguments.command {
        Command::Serve(serve) => commands::serve::run(&serve, common),
        Command::Segment(segment) => commands::segment::run(&segment, common),
        Command::Evaluate(evaluate) => commands::evaluate::run(&evaluate, common),
        Command::Train(train) => commands::train::run(&train, common),
        Command::Predict(predict) => commands::predict::run(&predict, common),
        Command::Superpixels(superpixels) => commands::superpixels::run(&superpixels, common),
        Command::Fewshot(fewshot) => commands::fewshot::run(&fewshot, common),
        Command::Support(args::Support::Build(build)) => commands::support::build(&build, common),
        Command::Import(import) => commands::import::run(&import, common),
        Command::Explain(explain) => commands::explain::run(&explain, common),
        Command::Runs(runs) => commands::runs::run(&runs, common),
        Command::Info(info) => commands::info::run(&info, common),
        Command::Convert(convert) => commands::convert::run(&convert, common),
        Command::Clicks(clicks) => commands::clicks::run(&clicks, common),
        Command::Demo(demo) => commands::demo::run(&demo, common),
        Command::Methods(methods) => commands::methods::run(&methods, common),
        Command::Networks => commands::networks::run(common),
        Command::Doctor => commands::doctor::run(common),
        Command::Completions { shell } => commands::completions::run(shell),
    }
}
