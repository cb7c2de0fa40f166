//! `fewmark serve`: a folder of images for a web page, 3D Slicer and other viewers.

use std::net::SocketAddr;

use fewmark_server::{Config, Server, StartError};
use serde_json::json;

use crate::args::{Common, Serve};
use crate::failure::Failure;
use crate::output::{note, print, print_json};

pub(crate) fn run(arguments: &Serve, common: &Common) -> Result<(), Failure> {
    let mut config = Config::new(&arguments.studies);
    config.address = SocketAddr::new(arguments.host, arguments.port);
    config.token = arguments.token.clone();
    // Whoever can reach the port could read and change the study.
    let made = config.token.is_none() && !arguments.host.is_loopback();
    if made {
        config.token = Some(fewmark_server::new_token());
    }
    config.origins.clone_from(&arguments.allow_origin);
    config.ohif.clone_from(&arguments.ohif);
    config.largest_upload = arguments.largest_upload.saturating_mul(1 << 20);
    if let Some(mebibytes) = arguments.warm {
        config.warm_bytes = mebibytes.saturating_mul(1 << 20);
    }
    let token = config.token.clone().filter(|_| made);
    let runtime = tokio::runtime::Runtime::new().map_err(|e| Failure::work(format!("cannot start threads: {e}")))?;
    runtime.block_on(async {
        let server = Server::bind(config).await?;
        announce(&server, token.as_deref(), arguments.ohif.is_some(), common)?;
        server.serve(interrupted()).await;
        Ok(())
    })
}

/// Says where the server is.
fn announce(server: &Server, token: Option<&str>, ohif: bool, common: &Common) -> Result<(), Failure> {
    let address = server.address();
    let fragment = token.map_or(String::new(), |token| format!("#token={token}"));
    let url = format!("http://{address}/{fragment}");
    if common.json {
        return print_json(&json!({ "url": url, "address": address.to_string(), "token": token }));
    }
    print(format!("open {url} in a browser; 3D Slicer's MONAILabel module connects to http://{address}"))?;
    if ohif {
        note(common, format!("OHIF is at http://{address}/ohif/"));
    }
    if token.is_some() {
        note(common, "the token is shown this once; for 3D Slicer it is the password, with any user name");
    }
    note(common, "end with Ctrl-C");
    Ok(())
}

/// Ends when the program is asked to, by Ctrl-C or by the system.
async fn interrupted() {
    let interrupt = async { tokio::signal::ctrl_c().await.ok() };
    #[cfg(unix)]
    {
        let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
        match terminate {
            Ok(mut terminate) => tokio::select! { _ = interrupt => {}, _ = terminate.recv() => {} },
            Err(_) => {
                interrupt.await;
            }
        }
    }
    #[cfg(not(unix))]
    interrupt.await;
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let failure = Self::work(error.message);
        match error.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}
