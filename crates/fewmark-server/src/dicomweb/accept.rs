//! What a client takes for an answer.

use axum::http::{HeaderMap, StatusCode, header};

use crate::error::Problem;

/// How bytes are wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrapping {
    /// `multipart/related`
    Related,
    /// The bytes of the one thing that was asked for.
    Plain,
}

/// Checks that JSON will do.
pub(super) fn json(headers: &HeaderMap) -> Result<(), Problem> {
    let will_do = |range: &str| {
        let kind = kind(range);
        matches!(kind.as_str(), "*/*" | "application/*" | "application/dicom+json" | "application/json")
    };
    if ranges(headers).is_none_or(|ranges| ranges.iter().any(|range| will_do(range))) {
        return Ok(());
    }
    Err(refused("application/dicom+json"))
}

/// How the client wants bytes of a type, `application/dicom`, of which there is one piece or there are several.
pub(super) fn wrapping(headers: &HeaderMap, wanted: &str, single: bool) -> Result<Wrapping, Problem> {
    let Some(ranges) = ranges(headers) else { return Ok(Wrapping::Related) };
    let is_related = |range: &String| {
        let inner = range.split(';').skip(1).find_map(|parameter| parameter.trim().strip_prefix("type="));
        let inner = inner.map(|inner| inner.trim_matches('"').to_ascii_lowercase());
        let will_do = inner.is_none_or(|inner| inner == wanted || inner == "*/*" || inner == "application/*");
        matches!(kind(range).as_str(), "multipart/related" | "multipart/*" | "*/*") && will_do
    };
    if ranges.iter().any(is_related) {
        return Ok(Wrapping::Related);
    }
    if single && ranges.iter().any(|range| kind(range) == wanted || kind(range) == "application/*") {
        return Ok(Wrapping::Plain);
    }
    Err(refused(&format!("multipart/related; type=\"{wanted}\"")))
}

/// The media ranges that are accepted; nothing where the client does not say.
fn ranges(headers: &HeaderMap) -> Option<Vec<String>> {
    let told = headers.get_all(header::ACCEPT);
    let ranges = told.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    let ranges: Vec<String> = ranges.map(|range| range.trim().to_owned()).filter(|range| !range.is_empty()).collect();
    (!ranges.is_empty()).then_some(ranges)
}

fn kind(range: &str) -> String {
    range.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}

fn refused(given: &str) -> Problem {
    Problem::new(StatusCode::NOT_ACCEPTABLE, "what the header Accept asks for is not made here")
        .hint(format!("accept {given}: files are handed out as they are stored"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::ACCEPT, value.parse().unwrap())])
    }

    #[test]
    fn what_clients_send_is_understood() {
        let octets = "application/octet-stream";
        for (value, single, expected) in [
            ("multipart/related; type=application/octet-stream; transfer-syntax=*", true, Some(Wrapping::Related)),
            ("multipart/related; type=\"application/octet-stream\"; transfer-syntax=*", false, Some(Wrapping::Related)),
            ("*/*", false, Some(Wrapping::Related)),
            ("text/html, */*;q=0.1", false, Some(Wrapping::Related)),
            ("application/octet-stream", true, Some(Wrapping::Plain)),
            ("application/octet-stream", false, None),
            ("multipart/related; type=\"image/jpeg\"", true, None),
            ("image/png", true, None),
        ] {
            assert_eq!(wrapping(&asking(value), octets, single).ok(), expected, "{value}");
        }
        assert_eq!(wrapping(&HeaderMap::new(), octets, true).ok(), Some(Wrapping::Related));
        assert!(json(&asking("application/dicom+json")).is_ok() && json(&HeaderMap::new()).is_ok());
        assert_eq!(json(&asking("multipart/related; type=\"application/dicom+xml\"")).unwrap_err().status, 406);
    }
}
