//! Our side of the speed comparisons: prints `NAME<TAB>median milliseconds`, the names of `peers.py` and its like.
//!
//! A speed means something only as a ratio of two programs that ran in turn on the same quiet machine: see `README.md`.

mod case;
mod classical;
mod fewshot;
mod nets;
mod peak;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Instant;

use clap::Parser;
use fewmark_conv::Level;

use case::{Failure, Work};

/// That of the program `fewmark`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Our side of the speed comparisons.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// A grey image of a chest slice; cases on it are skipped without it
    #[arg(long)]
    image: Option<PathBuf>,
    /// Run the cases whose names contain this
    #[arg(long, default_value = "")]
    only: String,
    /// Counted runs of each case, after one that is not
    #[arg(long, default_value = "5")]
    repeat: NonZeroUsize,
    /// Number of threads [default: all cores]
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// Vector instructions of the convolutions [default: the best of this processor]
    #[arg(long, value_parser = parse_level)]
    level: Option<Level>,
    /// Also print, on stderr, the speed of each convolution in GFLOP/s and as a share of this machine's peak
    #[arg(long)]
    gflops: bool,
    /// Also compare the energy of the default solver with that of ADMM run to a far smaller tolerance; needs --image
    #[arg(long, requires = "image")]
    check: bool,
    /// Print the names of the cases and run none
    #[arg(long)]
    list: bool,
}

fn parse_level(name: &str) -> Result<Level, String> {
    let found = Level::ALL.into_iter().find(|level| format!("{level:?}").eq_ignore_ascii_case(name));
    found.ok_or_else(|| "expected portable, neon, avx2 or avx512".to_string())
}

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    if let Some(threads) = arguments.threads {
        rayon::ThreadPoolBuilder::new().num_threads(threads.get()).build_global()?;
    }
    // On a thread of the pool, so that no operation waits for one to wake up.
    Ok(rayon::scope(|_| run(arguments).map_err(|failure| failure.to_string()))?)
}

/// Runs the chosen cases.
#[allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints its result")]
fn run(arguments: Arguments) -> Result<(), Failure> {
    if let Some(level) = arguments.level {
        Level::force(Some(level)).map_err(|level| format!("this processor has no {level:?}"))?;
    }
    let image = arguments.image.map(fewmark::image::read_image).transpose()?.map(Rc::new);
    let peak = arguments.gflops.then(peak::operations_per_second);
    if let Some(peak) = peak {
        let (threads, level) = (rayon::current_num_threads(), Level::current());
        eprintln!("# peak: {:.1} GFLOP/s with {threads} threads, {level:?}", peak / 1e9);
    }
    let mut skipped = Vec::new();
    let cases = classical::cases(image.clone()).into_iter().chain(nets::cases()).chain(fewshot::cases());
    for case in cases.filter(|case| case.name.contains(&arguments.only)) {
        let (name, operations) = (case.name.clone(), case.operations);
        if arguments.list {
            println!("{name}");
            continue;
        }
        if case.lacks_image {
            skipped.push(name);
            continue;
        }
        let median = median_ms(case.prepare()?, arguments.repeat)?;
        println!("{name}\t{median:.3}");
        if let (Some(peak), Some(operations)) = (peak, operations) {
            let speed = operations as f64 / (median * 1e-3);
            eprintln!("# {name}: {:.1} GFLOP/s, {:.0} % of the peak", speed / 1e9, 100.0 * speed / peak);
        }
    }
    if !skipped.is_empty() {
        eprintln!("skipped without --image: {}", skipped.join(", "));
    }
    if let (true, Some(image)) = (arguments.check, image) {
        let (ours, admm) = classical::energies(&image)?;
        println!(
            "# energy, 512: primal-dual {ours:.4}, ADMM {admm:.4}, relative difference {:.2e}",
            (ours - admm) / admm.abs()
        );
    }
    Ok(())
}

/// Median time of `repeat` runs after one that is not counted, in milliseconds.
fn median_ms(mut work: Work, repeat: NonZeroUsize) -> Result<f64, Failure> {
    work()?;
    let mut times = Vec::new();
    for _ in 0..repeat.get() {
        let started = Instant::now();
        work()?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    let (middle, odd) = (times.len() / 2, times.len() % 2 == 1);
    Ok(if odd { times[middle] } else { (times[middle - 1] + times[middle]) / 2.0 })
}
