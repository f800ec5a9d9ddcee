//! The front door: one file per subcommand, each with the arguments as typed (clap), the validated
//! request made from them, and the run. Nothing else parses arguments.
//!
//! Exit codes: 0 done, 1 it failed (the message names the file or record), 2 the command line asks
//! for something that cannot be.

mod analysis;
mod answers;
mod association;
mod bench;
mod benchmark;
mod biotypes;
mod boundaries;
mod codon_phase;
mod compare;
mod compute;
mod convert;
mod counts;
mod density;
mod draws;
mod evaluate;
mod fetch;
mod finetune;
mod inspect;
mod left_out;
mod locus;
mod matched_flops;
mod merge;
mod motif_enrichment;
mod predict;
mod progress;
mod reads;
mod report;
mod reproduce;
mod results;
mod router;
mod scan;
mod shards;
mod site_profile;
mod source;
mod splice_profile;
mod stability;
mod stderr;
mod stdout;
mod steps;
mod table;
mod task;
mod train;
mod training;
mod variants;
mod windows;

use crate::error::{Error, Result, is_contained, said};
use answers::Origin;
use clap::{Parser, Subcommand};
use std::error::Error as _;
use std::process::ExitCode;

/// Where do the token boundaries of a DNA language model fall?
///
/// LDARNet learns to cut DNA into tokens without labels. This program runs it, and asks with
/// matched controls whether its cuts fall on what biology has annotated.
#[derive(Debug, Parser)]
#[command(
    name = "ldar-analyze",
    version,
    max_term_width = 120,
    after_help = "\
Start here (no input needed: the bundled fly chromosome and model are used):
  ldar-analyze reproduce
      every analysis, one report: fly-demo/index.html
  ldar-analyze splice-profile --out results
      one analysis: results/index.html

Exit codes: 0 done, 1 failed, 2 wrong usage."
)]
struct Arguments {
    /// Threads to use [default: all cores]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    #[command(subcommand)]
    command: Command,
}

/// Declares the subcommands in the order of help: module of the arguments, and how they are run.
macro_rules! commands {
    ($($variant:ident($module:ident): $how:ident,)+) => {
        #[derive(Debug, Subcommand)]
        enum Command {
            $($variant(Box<$module::Arguments>),)+
        }

        impl Command {
            /// Runs it.
            fn run(self, origin: Origin, threads: Option<u16>) -> Result<()> {
                match self {
                    $(Command::$variant(arguments) => {
                        commands!(@$how arguments, origin, threads)
                    })+
                }
            }

            /// Whether a run of it can be split into shards.
            fn has_shards(&self) -> bool {
                match self {
                    $(Command::$variant(_) => commands!(@$how),)+
                }
            }
        }
    };
    (@sharded $arguments:ident, $origin:ident, $threads:ident) => {
        $arguments.validate()?.run($origin)
    };
    (@sharded) => { true };
    (@single $arguments:ident, $origin:ident, $threads:ident) => {
        $arguments.validate()?.run()
    };
    (@single) => { false };
    (@direct $arguments:ident, $origin:ident, $threads:ident) => {
        $arguments.run()
    };
    (@direct) => { false };
    (@steps $arguments:ident, $origin:ident, $threads:ident) => {
        $arguments.validate()?.run($threads)
    };
    (@steps) => { false };
}

// A new subcommand is a module above and a line here; one with a page is also a line of
// `report/analysis.rs`.
commands! {
    SpliceProfile(splice_profile): sharded,
    SiteProfile(site_profile): sharded,
    MotifEnrichment(motif_enrichment): sharded,
    Density(density): sharded,
    Locus(locus): single,
    Association(association): sharded,
    CodonPhase(codon_phase): sharded,
    Variants(variants): sharded,
    Stability(stability): sharded,
    Reproduce(reproduce): steps,
    Compare(compare): sharded,
    Finetune(finetune): sharded,
    Predict(predict): single,
    Benchmark(benchmark): steps,
    MatchedFlops(matched_flops): steps,
    Report(report): direct,
    Boundaries(boundaries): sharded,
    Merge(merge): single,
    Scan(scan): single,
    Inspect(inspect): single,
    Convert(convert): single,
    Train(train): single,
    Evaluate(evaluate): single,
    Bench(bench): single,
    Fetch(fetch): single,
}

fn run(arguments: Arguments) -> Result<()> {
    if let Some(threads) = arguments.threads {
        // The scan, the matrix products and the statistics all run on rayon's global pool.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(usize::from(threads));
        pool.build_global()
            .map_err(|e| Error::Invalid(format!("{threads} threads cannot be started: {e}")))?;
    }
    arguments.command.run(Origin::Typed, arguments.threads)
}

/// The command of a command line, word by word.
fn parsed(words: &[String]) -> std::result::Result<Command, clap::Error> {
    Arguments::try_parse_from(words).map(|arguments| arguments.command)
}

/// Parses the command line, runs the command, prints what went wrong on standard error, and gives
/// the exit code.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version come this way too. A closed pipe is no error; clap's own code is 2
            // for mistakes and 0 for help.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    refuse_at_the_limit();
    steps::end_with_parent();
    std::panic::set_hook(Box::new(report_panic));
    match std::panic::catch_unwind(|| run(arguments)).unwrap_or(Err(Error::Invalid(
        "stopped by a fault of this program".into(),
    ))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if stdout::is_closed(&error) => ExitCode::SUCCESS,
        Err(error) => {
            stderr::say(&format!("error: {}", chain(&error)));
            ExitCode::from(if matches!(error, Error::Usage(_)) {
                2
            } else {
                1
            })
        }
    }
}

/// Says what broke, and where, for whoever mends it; nothing where it becomes an error about a
/// file.
fn report_panic(of: &std::panic::PanicHookInfo<'_>) {
    if !is_contained() {
        let at = of
            .location()
            .map_or(String::new(), |at| format!(" at {at}"));
        let what = said(of.payload()).unwrap_or_default();
        stderr::say(&format!(
            "a fault of {} {}{at}: {what}\nplease report it with the command",
            env!("CARGO_PKG_NAME"),
            env!("CARGO_PKG_VERSION")
        ));
    }
}

/// A file that reaches the limit of `ulimit -f` is an error of its writer, which removes it and
/// says so, and not the end of the program.
fn refuse_at_the_limit() {
    #[cfg(unix)]
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, std::sync::Arc::default());
}

/// The message with those of its causes that it does not quote already.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let message = inner.to_string();
        if !text.contains(&message) {
            text += &format!("\n  because: {message}");
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn causes_are_not_said_twice() {
        let error = Error::io("a.fa")(std::io::Error::other("no luck"));
        assert_eq!(chain(&error), "a.fa: no luck");
    }
}
