//! What every request passes on its way in, and every answer on its way out.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;

use crate::Shared;
use crate::app::App;
use crate::error::Problem;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a page of ours may do: nothing from elsewhere.
const POLICY: &str = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; \
                      img-src 'self' data: blob:; connect-src 'self' data: blob:; worker-src 'self' blob:; font-src 'self' data:; \
                      object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Numbers a request, refuses it where it must not come from, and gives its answer the headers and the shape that all answers have.
pub(crate) async fn guard(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = next_id();
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let origin = request.headers().get(header::ORIGIN).cloned();
    let allowed = check(&app, request.headers(), &method, &uri);
    let response = match allowed {
        Err(problem) => problem_response(problem),
        Ok(()) if method == Method::OPTIONS => preflight(),
        Ok(()) => match AssertUnwindSafe(next.run(request)).catch_unwind().await {
            Ok(response) => response,
            Err(_) => {
                app.log.line(format!("error: {id} panicked: {method} {}", uri.path()));
                problem_response(Problem::bug())
            }
        },
    };
    let mut response = shaped(&app, response, uri.path(), &id);
    let milliseconds = begun.elapsed().as_millis();
    // What is asked for over and over while somebody waits would push everything else out of the log.
    if !matches!(uri.path(), "/health" | "/auth/" | "/logs/") {
        app.log.line(format!("{id} {method} {} {} {milliseconds} ms", uri.path(), response.status().as_u16()));
    }
    headers(&app, response.headers_mut(), &id, origin, uri.path());
    response
}

fn problem_response(problem: Problem) -> Response {
    axum::response::IntoResponse::into_response(problem)
}

/// Numbers of requests: different from those of another run of the server.
fn next_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    static RUN: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| crate::random::hex(&crate::random::bytes::<3>()));
    format!("{}-{}", *RUN, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Whether the request may be answered: it names this server, comes from no other site, and brings the token.
fn check(app: &App, headers: &HeaderMap, method: &Method, uri: &Uri) -> Result<(), Problem> {
    check_host(app, headers)?;
    check_origin(app, headers, method)?;
    // A browser asks for permission without the token.
    if method == Method::OPTIONS || is_open(uri.path()) {
        return Ok(());
    }
    match &app.config.token {
        Some(token) if !brings(headers, token) => {
            Err(Problem::new(StatusCode::UNAUTHORIZED, "the token is missing or wrong")
                .hint("send the header `Authorization: Bearer TOKEN` with the token that the server was started with"))
        }
        _ => Ok(()),
    }
}

/// What anybody may see: the page itself, which then asks for the token, another viewer's, and whether there is one.
fn is_open(path: &str) -> bool {
    matches!(path, "/health" | "/openapi.json" | "/auth" | "/auth/" | "/auth/token" | "/docs")
        || crate::page::is_part(path)
        || crate::ohif::is_part(path)
}

fn brings(headers: &HeaderMap, token: &str) -> bool {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let given = given.and_then(|value| value.split_once(' ')).filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
    given.is_some_and(|(_, given)| is_token(given.trim(), token))
}

/// Compares in a time that does not tell how much of it is right.
pub(crate) fn is_token(given: &str, token: &str) -> bool {
    given.as_bytes().ct_eq(token.as_bytes()).into()
}

/// Without a token the server answers to the names of this machine only: a page whose own name was pointed here gets nothing (DNS
/// rebinding).
fn check_host(app: &App, headers: &HeaderMap) -> Result<(), Problem> {
    if app.config.token.is_some() {
        return Ok(());
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("");
    let name =
        host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())).map_or(host, |(n, _)| n);
    let own = app.config.address.ip();
    let known = matches!(name.to_ascii_lowercase().as_str(), "localhost" | "127.0.0.1" | "[::1]")
        || name.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip == own || ip.is_loopback());
    if known {
        return Ok(());
    }
    Err(Problem::new(StatusCode::FORBIDDEN, format!("this server does not answer to the name {name:?}"))
        .hint("use http://127.0.0.1, or start the server with a token"))
}

/// Pages of other sites get nothing, unless the server was told of them.
fn check_origin(app: &App, headers: &HeaderMap, method: &Method) -> Result<(), Problem> {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let refused = || {
        Err(Problem::new(StatusCode::FORBIDDEN, "requests from pages of other sites are refused")
            .hint("start the server with --allow-origin and the address of the site"))
    };
    match headers.get(header::ORIGIN) {
        Some(origin) => {
            let origin = origin.to_str().unwrap_or("");
            let host = text(&header::HOST).unwrap_or("");
            let same = origin.split_once("://").is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host));
            if same || is_allowed(app, origin) { Ok(()) } else { refused() }
        }
        // A link from another site may open the page; its pictures and frames may not.
        None => {
            match (text(&HeaderName::from_static("sec-fetch-site")), text(&HeaderName::from_static("sec-fetch-mode"))) {
                (Some("cross-site"), Some("navigate")) if *method == Method::GET => Ok(()),
                (Some("cross-site"), _) => refused(),
                _ => Ok(()),
            }
        }
    }
}

fn is_allowed(app: &App, origin: &str) -> bool {
    app.config.origins.iter().any(|allowed| allowed.trim_end_matches('/') == origin)
}

fn preflight() -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, POST, PUT, DELETE"));
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("authorization, content-type, accept, x-client"),
    );
    response
}

/// Errors in the shape of their interface; those that the framework made by itself as well.
fn shaped(app: &App, mut response: Response, path: &str, id: &str) -> Response {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return response;
    }
    let problem = response.extensions_mut().remove::<Problem>().unwrap_or_else(|| of_framework(status, path));
    let (message, hint) = (app.without_paths(&problem.message), problem.hint.map(|hint| app.without_paths(&hint)));
    let body = if crate::routes::is_own(path) {
        json!({ "error": message, "hint": hint, "request": id })
    } else {
        // Viewers show `detail` as it is.
        let detail = hint.as_ref().map_or_else(|| message.clone(), |hint| format!("{message} ({hint})"));
        json!({ "detail": detail, "hint": hint, "request": id })
    };
    json_response(status, &body, response.headers())
}

fn json_response(status: StatusCode, body: &Value, before: &HeaderMap) -> Response {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(allow) = before.get(header::ALLOW) {
        response.headers_mut().insert(header::ALLOW, allow.clone());
    }
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// A sentence for an answer that no handler of ours gave.
fn of_framework(status: StatusCode, path: &str) -> Problem {
    let (message, hint) = match status {
        StatusCode::NOT_FOUND => (format!("there is nothing at {path}"), Some("/openapi.json lists what there is")),
        StatusCode::METHOD_NOT_ALLOWED => {
            (format!("{path} does not answer to this method"), Some("/openapi.json lists what there is"))
        }
        StatusCode::BAD_REQUEST => ("the address of the request cannot be understood".to_owned(), None),
        status => (status.canonical_reason().unwrap_or("the request failed").to_lowercase(), None),
    };
    Problem { status, message, hint: hint.map(str::to_owned) }
}

fn headers(app: &App, headers: &mut HeaderMap, id: &str, origin: Option<HeaderValue>, path: &str) {
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(REQUEST_ID, id);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::REFERRER_POLICY, "no-referrer");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    if crate::page::is_part(path) {
        set(header::CONTENT_SECURITY_POLICY, POLICY);
    } else if crate::ohif::is_part(path) {
        set(header::CONTENT_SECURITY_POLICY, crate::ohif::POLICY);
    } else {
        set(header::CACHE_CONTROL, "no-store");
        set(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; sandbox");
    }
    if let Some(origin) =
        origin.and_then(|origin| origin.to_str().ok().map(str::to_owned)).filter(|o| is_allowed(app, o))
    {
        set(header::ACCESS_CONTROL_ALLOW_ORIGIN, &origin);
        set(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        set(header::ACCESS_CONTROL_EXPOSE_HEADERS, "x-request-id, content-disposition");
        set(header::VARY, "Origin");
        set(HeaderName::from_static("cross-origin-resource-policy"), "cross-origin");
    }
}
