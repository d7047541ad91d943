//! The page at `/`: plain files, embedded in the binary, that a browser loads from nowhere else.
//! It reads orders by `GET /order`, and the rest by `/api`, as anyone does, so it has no route of its own for data.

use axum::{
    Router,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, REFERRER_POLICY,
            X_CONTENT_TYPE_OPTIONS,
        },
    },
    response::{IntoResponse, Response},
    routing::get,
};

use super::etag;

/// Only our own files run and style the page; Trusted Types makes turning a text into markup an error, should a
/// later change try it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// A file of the page and where it is served.
struct Asset {
    path: &'static str,
    content_type: &'static str,
    body: &'static [u8],
}

const fn asset(path: &'static str, content_type: &'static str, body: &'static [u8]) -> Asset {
    Asset { path, content_type, body }
}

static ASSETS: [Asset; 47] = [
    asset("/", HTML, include_bytes!("../../assets/index.html")),
    asset("/favicon.ico", SVG, include_bytes!("../../assets/favicon.svg")),
    asset("/assets/favicon.svg", SVG, include_bytes!("../../assets/favicon.svg")),
    asset("/assets/desk.css", CSS, include_bytes!("../../assets/desk.css")),
    asset("/assets/flow.css", CSS, include_bytes!("../../assets/flow.css")),
    asset("/assets/order.css", CSS, include_bytes!("../../assets/order.css")),
    asset("/assets/style.css", CSS, include_bytes!("../../assets/style.css")),
    asset("/assets/act.js", JS, include_bytes!("../../assets/act.js")),
    asset("/assets/answer.js", JS, include_bytes!("../../assets/answer.js")),
    asset("/assets/app.js", JS, include_bytes!("../../assets/app.js")),
    asset("/assets/bulk.js", JS, include_bytes!("../../assets/bulk.js")),
    asset("/assets/bytes.js", JS, include_bytes!("../../assets/bytes.js")),
    asset("/assets/chart.js", JS, include_bytes!("../../assets/chart.js")),
    asset("/assets/clipboard.js", JS, include_bytes!("../../assets/clipboard.js")),
    asset("/assets/confirm.js", JS, include_bytes!("../../assets/confirm.js")),
    asset("/assets/date.js", JS, include_bytes!("../../assets/date.js")),
    asset("/assets/decimal.js", JS, include_bytes!("../../assets/decimal.js")),
    asset("/assets/desk.js", JS, include_bytes!("../../assets/desk.js")),
    asset("/assets/desk_texts.js", JS, include_bytes!("../../assets/desk_texts.js")),
    asset("/assets/dom.js", JS, include_bytes!("../../assets/dom.js")),
    asset("/assets/drafts.js", JS, include_bytes!("../../assets/drafts.js")),
    asset("/assets/exchange.js", JS, include_bytes!("../../assets/exchange.js")),
    asset("/assets/filter.js", JS, include_bytes!("../../assets/filter.js")),
    asset("/assets/filter_form.js", JS, include_bytes!("../../assets/filter_form.js")),
    asset("/assets/flow.js", JS, include_bytes!("../../assets/flow.js")),
    asset("/assets/frame.js", JS, include_bytes!("../../assets/frame.js")),
    asset("/assets/gaps.js", JS, include_bytes!("../../assets/gaps.js")),
    asset("/assets/hex.js", JS, include_bytes!("../../assets/hex.js")),
    asset("/assets/home.js", JS, include_bytes!("../../assets/home.js")),
    asset("/assets/items.js", JS, include_bytes!("../../assets/items.js")),
    asset("/assets/job.js", JS, include_bytes!("../../assets/job.js")),
    asset("/assets/json.js", JS, include_bytes!("../../assets/json.js")),
    asset("/assets/language.js", JS, include_bytes!("../../assets/language.js")),
    asset("/assets/letter.js", JS, include_bytes!("../../assets/letter.js")),
    asset("/assets/lineage.js", JS, include_bytes!("../../assets/lineage.js")),
    asset("/assets/locate.js", JS, include_bytes!("../../assets/locate.js")),
    asset("/assets/lookup.js", JS, include_bytes!("../../assets/lookup.js")),
    asset("/assets/memory.js", JS, include_bytes!("../../assets/memory.js")),
    asset("/assets/mend.js", JS, include_bytes!("../../assets/mend.js")),
    asset("/assets/newest.js", JS, include_bytes!("../../assets/newest.js")),
    asset("/assets/order.js", JS, include_bytes!("../../assets/order.js")),
    asset("/assets/rates.js", JS, include_bytes!("../../assets/rates.js")),
    asset("/assets/retry.js", JS, include_bytes!("../../assets/retry.js")),
    asset("/assets/stream.js", JS, include_bytes!("../../assets/stream.js")),
    asset("/assets/texts.js", JS, include_bytes!("../../assets/texts.js")),
    asset("/assets/token.js", JS, include_bytes!("../../assets/token.js")),
    asset("/assets/value.js", JS, include_bytes!("../../assets/value.js")),
];

/// The routes of the page: `/`, `/favicon.ico` and a file each under `/assets/`. GET and HEAD; needs no state.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    ASSETS.iter().fold(Router::new(), |router, asset| {
        let etag = etag::of(asset.body);
        let handler = async move |headers: HeaderMap| answer(asset, etag, &headers);
        router.route(asset.path, get(handler))
    })
}

fn answer(asset: &Asset, etag: HeaderValue, request: &HeaderMap) -> Response {
    let unchanged = etag::is_known(&etag, request);
    let headers = [
        (ETAG, etag),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    if unchanged {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    let content_type = [(CONTENT_TYPE, HeaderValue::from_static(asset.content_type))];
    (headers, content_type, asset.body).into_response()
}

#[cfg(test)]
mod tests {
    use axum::http::header::IF_NONE_MATCH;

    use super::*;

    #[test]
    fn a_known_etag_is_not_modified_and_another_one_is_sent_again() {
        for (sent, status) in [("\"abc\"", StatusCode::NOT_MODIFIED), ("\"x\"", StatusCode::OK)] {
            let mut request = HeaderMap::new();
            request.insert(IF_NONE_MATCH, HeaderValue::from_static(sent));
            let answer = answer(&ASSETS[0], HeaderValue::from_static("\"abc\""), &request);
            assert_eq!(answer.status(), status, "{sent}");
        }
    }

    #[test]
    fn every_answer_carries_the_policy_even_when_nothing_was_modified() {
        for if_none_match in ["*", "\"x\""] {
            let mut request = HeaderMap::new();
            request.insert(IF_NONE_MATCH, HeaderValue::from_static(if_none_match));
            let response = answer(&ASSETS[0], etag::of(b"page"), &request);
            let header = |name| response.headers().get(name).map(HeaderValue::as_bytes);
            assert_eq!(header(CONTENT_SECURITY_POLICY), Some(POLICY.as_bytes()));
            assert_eq!(header(CACHE_CONTROL), Some(&b"no-cache"[..]));
            assert_eq!(header(REFERRER_POLICY), Some(&b"no-referrer"[..]));
            assert_eq!(header(X_CONTENT_TYPE_OPTIONS), Some(&b"nosniff"[..]));
            assert!(header(ETAG).is_some());
        }
    }

    #[test]
    fn every_module_is_loaded_at_once_and_not_one_after_the_other() {
        let html = include_str!("../../assets/index.html");
        for name in ASSETS.iter().filter(|asset| asset.content_type == JS).map(|asset| asset.path) {
            let link = format!("<link rel=\"modulepreload\" href=\"{}\">", name.trim_start_matches('/'));
            assert!(html.contains(&link) != (name == "/assets/app.js"), "{name}");
        }
        assert_eq!(
            html.matches("modulepreload").count() + 1,
            ASSETS.iter().filter(|asset| asset.content_type == JS).count()
        );
    }

    #[test]
    fn every_file_in_assets_is_served() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/assets");
        for entry in std::fs::read_dir(folder).expect("read assets/") {
            let name = entry.expect("read assets/").file_name().into_string().expect("a plain name");
            let path = if name == "index.html" { "/".to_owned() } else { format!("/assets/{name}") };
            assert!(ASSETS.iter().any(|asset| asset.path == path), "assets/{name} is not served");
        }
    }
}
