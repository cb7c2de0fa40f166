//! What all handlers share.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::Config;
use crate::batch::Batches;
use crate::datastore::Datastore;
use crate::error::Problem;
use crate::flight::Flights;
use crate::jobs::Jobs;
use crate::log::Log;
use crate::methods::Methods;
use crate::sessions::Sessions;
use crate::warm::Store;

/// The server's state.
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) datastore: Datastore,
    pub(crate) warm: Store,
    pub(crate) flights: Flights,
    pub(crate) methods: Methods,
    pub(crate) jobs: Jobs,
    pub(crate) batches: Batches,
    pub(crate) sessions: Sessions,
    pub(crate) log: Log,
    /// As many pieces of work as there are threads: more at once would only take more memory.
    workers: Arc<Semaphore>,
    /// Every path that must not be told, the longest first.
    secrets: Vec<String>,
}

impl App {
    pub(crate) fn new(config: Config) -> std::io::Result<Self> {
        let datastore = Datastore::open(&config.studies)?;
        let sessions = Sessions::new(datastore.root())?;
        let mut secrets = vec![
            datastore.root().join(".fewmark/tmp").display().to_string(),
            datastore.root().display().to_string(),
            config.studies.display().to_string(),
        ];
        // A plain name, as of a folder in the current one, may be a word of any sentence.
        secrets.retain(|path| path.len() > 1 && path.contains(std::path::MAIN_SEPARATOR));
        let workers = Arc::new(Semaphore::new(rayon::current_num_threads().max(1)));
        Ok(Self {
            warm: Store::new(config.warm_bytes),
            flights: Flights::default(),
            methods: Methods::new(datastore.models()),
            jobs: Jobs::open(datastore.runs()),
            batches: Batches::open(datastore.batch()),
            log: Log::default(),
            config,
            datastore,
            sessions,
            workers,
            secrets,
        })
    }

    /// Runs something that computes, on a thread of its own, when one of the workers is free.
    pub(crate) async fn compute<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Arc<Self>) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let permit = self.workers.clone().acquire_owned().await.map_err(|_| Problem::bug())?;
        self.wait(move |app| {
            let _permit = permit;
            // Within the pool: from outside it, short pieces of work are over before a second thread has woken up.
            rayon::scope(|_| work(app))
        })
        .await
    }

    /// Runs something that waits for files, on a thread of its own.
    pub(crate) async fn wait<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Arc<Self>) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let app = self.clone();
        match tokio::task::spawn_blocking(move || work(&app)).await {
            Ok(result) => result,
            Err(_) => {
                self.log.line("error: a piece of work panicked");
                Err(Problem::bug())
            }
        }
    }

    /// An empty file for an upload.
    pub(crate) fn temporary_file(&self) -> Result<tempfile::NamedTempFile, Problem> {
        self.datastore.temporary_file()
    }

    /// A text without the paths of this machine.
    pub(crate) fn without_paths(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, path| {
            text.replace(&format!("{path}{}", std::path::MAIN_SEPARATOR), "").replace(path.as_str(), "the study folder")
        })
    }

    /// The path of a file as clients are told it: in full only to those on the same machine, who may open it themselves.
    pub(crate) fn shown(&self, path: &Path) -> String {
        if self.config.address.ip().is_loopback() {
            path.display().to_string()
        } else {
            crate::datastore::name_of(path)
        }
    }
}
