use bytes::Bytes;

use crate::{
    sample::MODEL,
    store::{Message, SourceKind},
};

use super::Delivery;

/// The sample order. Its time is 0, so any real message with its uid is newer and replaces it.
#[must_use]
pub fn sample() -> Delivery {
    let message = Message {
        message_id: "sample:1".into(),
        source: SourceKind::Sample,
        channel: SourceKind::Sample.as_str().into(),
        sequence: 1,
        published_at_ns: 0,
        payload: Bytes::from_static(MODEL),
    };
    Delivery { message, acker: None }
}
