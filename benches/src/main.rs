//! Our side of the speed comparisons: prints `NAME<TAB>median milliseconds`, the names of `peers.py`.
//!
//! A speed means something only as a ratio of two programs that ran in turn on the same quiet machine: see `README.md`.

mod cases;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;

/// Our side of the speed comparisons.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// A grey image of a chest slice
    image: PathBuf,
    /// Run the cases whose names contain this
    #[arg(long, default_value = "")]
    only: String,
    /// Counted runs of each case, after one that is not
    #[arg(long, default_value = "5")]
    repeat: NonZeroUsize,
    /// Number of threads [default: all cores]
    #[arg(long)]
    threads: Option<NonZeroUsize>,
    /// Also compare the energy of the default solver with that of ADMM run to a far smaller tolerance
    #[arg(long)]
    check: bool,
}

#[allow(clippy::print_stdout, reason = "a program that prints its result")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    if let Some(threads) = arguments.threads {
        rayon::ThreadPoolBuilder::new().num_threads(threads.get()).build_global()?;
    }
    let image = fewmark::image::read_image(&arguments.image)?;
    for name in cases::NAMES.iter().filter(|name| name.contains(&arguments.only)) {
        let mut work = cases::prepare(name, &image)?;
        work()?;
        let mut times = Vec::new();
        for _ in 0..arguments.repeat.get() {
            let started = Instant::now();
            work()?;
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        let (middle, odd) = (times.len() / 2, times.len() % 2 == 1);
        let median = if odd { times[middle] } else { (times[middle - 1] + times[middle]) / 2.0 };
        println!("{name}\t{median:.3}");
    }
    if arguments.check {
        let (ours, admm) = cases::energies(&image)?;
        println!(
            "# energy, 512: primal-dual {ours:.4}, ADMM {admm:.4}, relative difference {:.2e}",
            (ours - admm) / admm.abs()
        );
    }
    Ok(())
}
