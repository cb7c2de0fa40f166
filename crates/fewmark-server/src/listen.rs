//! Connections: accepted, limited in number, given a time for their headers, and ended gracefully.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::app::App;
use crate::{Config, StartError, ohif};

/// Connections at a time: a client that holds many does not take all the memory.
const CONNECTIONS: usize = 256;
/// How long a client may take to send the headers of a request.
const HEADERS_WITHIN: Duration = Duration::from_secs(15);
/// How long requests that are under way are waited for at the end.
const FAREWELL: Duration = Duration::from_secs(30);
/// The shortest token.
const SHORTEST_TOKEN: usize = 8;

/// A server that listens.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    app: Arc<App>,
}

impl Server {
    /// Opens the study folder and the port.
    ///
    /// # Errors
    /// [`StartError`] when the folder cannot be used, the port is taken, or the address is not this machine's own and there is no token.
    pub async fn bind(mut config: Config) -> Result<Self, StartError> {
        let failed = |message: String, hint: &str| StartError { message, hint: Some(hint.into()) };
        match &config.token {
            None if !config.address.ip().is_loopback() => {
                return Err(failed(
                    format!("{} can be reached by other machines, and there is no token", config.address.ip()),
                    "give --token TOKEN, or listen on 127.0.0.1",
                ));
            }
            Some(token) if token.len() < SHORTEST_TOKEN || !token.bytes().all(|b| b.is_ascii_graphic()) => {
                return Err(failed(
                    format!("the token is too short, or not plain text: expected at least {SHORTEST_TOKEN} characters"),
                    "leave --token out for one that is generated",
                ));
            }
            _ => {}
        }
        if let Some(folder) = &mut config.ohif {
            *folder = ohif::check(folder).map_err(|e| {
                failed(
                    format!("there is no OHIF viewer in {folder:?}: {e}"),
                    "build OHIF with PUBLIC_URL=/ohif/, and give the folder that has its index.html",
                )
            })?;
        }
        let studies = config.studies.clone();
        let app = App::new(config).map_err(|e| {
            failed(
                format!("cannot use {studies:?} as a study folder: {e}"),
                "give a folder that exists and may be written to",
            )
        })?;
        let address = app.config.address;
        let listener = TcpListener::bind(address).await.map_err(|e| {
            failed(format!("cannot listen on {address}: {e}"), "give another port with --port, 0 for any free one")
        })?;
        let address = listener.local_addr().unwrap_or(address);
        Ok(Self { listener, address, app: Arc::new(app) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests until `shutdown` ends; then those under way are finished, and a training is stopped at a checkpoint.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) {
        let router: Router = crate::routes::router(self.app.clone());
        let service = TowerToHyperService::new(router);
        let graceful = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            let place = tokio::select! {
                place = places.clone().acquire_owned() => place,
                () = &mut shutdown => break,
            };
            let Ok(place) = place else { break };
            let stream = tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    // No file handles are left, or the client has gone: the others go on.
                    Err(_) => { tokio::time::sleep(Duration::from_millis(50)).await; continue }
                },
                () = &mut shutdown => break,
            };
            let _ = stream.set_nodelay(true);
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADERS_WITHIN)
                .max_buf_size(64 << 10)
                .serve_connection(TokioIo::new(stream), service.clone());
            let connection = graceful.watch(connection);
            tokio::spawn(async move {
                let _ = connection.await;
                drop(place);
            });
        }
        drop(self.listener);
        let app = self.app.clone();
        if let Some(batch) = app.batches.running() {
            batch.stop();
            batch.wait(FAREWELL).await;
        }
        let _ = tokio::task::spawn_blocking(move || app.jobs.stop_and_wait(FAREWELL)).await;
        tokio::select! {
            () = graceful.shutdown() => {}
            () = tokio::time::sleep(FAREWELL) => {}
        }
    }
}
