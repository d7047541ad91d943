//! What must hold for any URI that a client may ask for.

use std::borrow::Cow;

use axum::http::Uri;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{query::Query, uid};
use crate::store::Resolution;

const KNOWN: [&str; 4] = ["reason", "resolution", "before", "limit"];

/// All that must hold for a URI. It panics where it doesn't.
pub(crate) fn holds(text: &str) {
    let Ok(uri) = text.parse::<Uri>() else { return };
    if let Ok(uid) = uid::of(&uri) {
        possible(&uid);
        let escaped = utf8_percent_encode(&uid, NON_ALPHANUMERIC);
        for again in [format!("/order/{escaped}"), format!("/order?order_uid={escaped}")] {
            let again = again.parse().expect("letters, digits and escapes");
            assert_eq!(uid::of(&again).ok(), Some(Cow::Borrowed(&*uid)), "{again}");
        }
    }
    if let Ok(uid) = uid::in_path(&uri, "/api/orders/", "/history") {
        possible(&uid);
    }
    let Ok(query) = Query::of(&uri, &KNOWN) else { return };
    if let Ok(limit) = query.limit(50) {
        assert!((1..=100).contains(&limit));
    }
    if let Ok(Some(before)) = query.before() {
        assert!(before > 0);
    }
    drop(query.one_of("resolution", &[Resolution::Open, Resolution::Replayed, Resolution::Discarded]));
}

fn possible(uid: &str) {
    assert!(!uid.trim().is_empty() && uid.chars().count() <= 255, "{uid:?}");
    assert!(!uid.contains(|c: char| c.is_ascii_control()), "{uid:?}");
}
