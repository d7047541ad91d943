use axum::{
    extract::Request,
    http::{HeaderMap, StatusCode, Uri},
    middleware::Next,
    response::Response,
};

use super::errors::Problem;

/// The longest path and query; a uid of 255 characters, percent-encoded, takes 3 KB.
pub(super) const MAX_URI_BYTES: usize = 8 << 10;

/// The longest head that is answered as any other request is.
pub(super) const MAX_HEAD_BYTES: usize = 16 << 10;

/// The longest head that hyper reads at all: between the two a client is told what is wrong, above only that something is.
pub(super) const MAX_READ_BYTES: usize = 2 * MAX_HEAD_BYTES;

/// Whether a head is within the limits.
///
/// # Errors
/// 414 for what is asked for, 431 for the headers.
pub(super) fn check(uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let asked = uri.path().len() + uri.query().map_or(0, str::len);
    if asked > MAX_URI_BYTES {
        return Err(Problem::new(
            StatusCode::URI_TOO_LONG,
            format!("path and query have more than {MAX_URI_BYTES} bytes: ask for one order at a time"),
        ));
    }
    // With the `: ` and the line end of each.
    let lines = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    if asked + lines.sum::<usize>() > MAX_HEAD_BYTES {
        return Err(Problem::new(
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            format!(
                "the head of the request has more than {MAX_HEAD_BYTES} bytes: send fewer or shorter headers"
            ),
        ));
    }
    Ok(())
}

/// Refuses every request whose head is not.
pub(super) async fn limit(request: Request, next: Next) -> Result<Response, Problem> {
    check(request.uri(), request.headers())?;
    Ok(next.run(request).await)
}
