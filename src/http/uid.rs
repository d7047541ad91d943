use std::borrow::Cow;

use axum::http::Uri;
use percent_encoding::percent_decode;

use super::errors::Problem;

const PARAMETER: &str = "order_uid";

/// The longest uid of an order, in characters.
const MAX_CHARS: usize = 255;

/// The uid that `/order?order_uid=UID` or `/order/UID` asks for; it borrows from the URI unless an escape is in it.
///
/// # Errors
/// 400 when there is none, when there are two, and when no order can have it, so a typing error is told from an order that is
/// not here.
pub(super) fn of(uri: &Uri) -> Result<Cow<'_, str>, Problem> {
    possible(match uri.path().strip_prefix("/order/") {
        Some(segment) => decode(Cow::Borrowed(segment.as_bytes()))?,
        None => decode(parameter(uri.query().unwrap_or_default())?)?,
    })
}

/// The uid in a path between what comes `before` and `after` it.
///
/// # Errors
/// 400 when no order can have it.
pub(super) fn in_path<'u>(uri: &'u Uri, before: &str, after: &str) -> Result<Cow<'u, str>, Problem> {
    let path = uri.path();
    let segment = path.strip_prefix(before).and_then(|path| path.strip_suffix(after)).unwrap_or_default();
    possible(decode(Cow::Borrowed(segment.as_bytes()))?)
}

/// Order rules: not blank, at most 255 characters, no control characters.
fn possible(uid: Cow<'_, str>) -> Result<Cow<'_, str>, Problem> {
    if uid.trim().is_empty() {
        return Err(Problem::bad_request("the uid is blank"));
    }
    // Bytes bound characters from above, so the usual uid is not counted.
    if uid.len() > MAX_CHARS && uid.chars().count() > MAX_CHARS {
        return Err(Problem::bad_request("the uid has more than 255 characters: no order can have it"));
    }
    if uid.bytes().any(|byte| byte.is_ascii_control()) {
        return Err(Problem::bad_request("the uid has a control character: no order can have it"));
    }
    Ok(uid)
}

/// The one value of the parameter, still with its percent escapes.
fn parameter(query: &str) -> Result<Cow<'_, [u8]>, Problem> {
    let mut values = query
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .filter(|(name, _)| *name == PARAMETER)
        .map(|(_, value)| value);
    let Some(value) = values.next() else {
        return Err(Problem::bad_request(
            "the parameter order_uid is missing: ask for /order?order_uid=UID or /order/UID",
        ));
    };
    if values.next().is_some() {
        return Err(Problem::bad_request(
            "the parameter order_uid is given twice: ask for one order at a time",
        ));
    }
    // In a query a plus is a space (HTML forms); in a path it is a plus.
    Ok(if value.contains('+') {
        Cow::Owned(value.replace('+', " ").into_bytes())
    } else {
        Cow::Borrowed(value.as_bytes())
    })
}

fn decode(raw: Cow<'_, [u8]>) -> Result<Cow<'_, str>, Problem> {
    let decoded: Cow<'_, [u8]> = match raw {
        Cow::Borrowed(raw) => percent_decode(raw).into(),
        Cow::Owned(raw) => Cow::Owned(percent_decode(&raw).collect()),
    };
    let text = match decoded {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
    };
    text.ok_or_else(|| Problem::bad_request("the uid is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uid(uri: &str) -> Option<String> {
        of(&uri.parse().expect("a URI")).ok().map(Cow::into_owned)
    }

    #[test]
    fn a_uid_is_decoded_from_the_query_and_from_the_path() {
        for (uri, expected) in [
            ("/order?order_uid=abc", "abc"),
            ("/order?x=1&order_uid=abc&order_uids=2", "abc"),
            ("/order?order_uid=a%2Fb%20c+d%2B", "a/b c d+"),
            ("/order?order_uid=a=b", "a=b"),
            ("/order/abc", "abc"),
            ("/order/abc?order_uid=other", "abc"),
            ("/order/a%2Fb%20c+d%2B", "a/b c+d+"),
            ("/order/%D0%B7%D0%B0%D0%BA%D0%B0%D0%B7", "заказ"),
            ("/order/100%", "100%"),
        ] {
            assert_eq!(uid(uri).as_deref(), Some(expected), "{uri}");
        }
    }

    #[test]
    fn what_no_order_can_have_is_refused() {
        for uri in [
            "/order",
            "/order?",
            "/order?order_uid",
            "/order?order_uid=",
            "/order?order_uid=%20%E2%80%83",
            "/order?order_uid=a&order_uid=a",
            "/order?Order_Uid=a",
            "/order/",
            "/order/%20",
            "/order/%FF",
            "/order?order_uid=%ED%A0%80",
            "/order/a%00b",
            "/order/a%0Ab",
            "/order/a%7Fb",
        ] {
            assert_eq!(uid(uri), None, "{uri}");
        }
    }

    #[test]
    fn the_limit_is_in_characters() {
        let longest = "%D0%B7".repeat(255);
        assert!(uid(&format!("/order/{longest}")).is_some());
        assert!(uid(&format!("/order/{longest}a")).is_none());
        assert!(uid(&format!("/order/{}", "a".repeat(256))).is_none());
    }

    #[test]
    fn a_plain_uid_is_not_copied() {
        let uri = "/order?order_uid=abc".parse().expect("a URI");
        assert!(matches!(of(&uri), Ok(Cow::Borrowed("abc"))));
    }
}
