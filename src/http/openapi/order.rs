use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ArrayBuilder, ObjectBuilder, RefOr, Schema, schema::Type},
};

use crate::desk::LONGEST_NOTE;

/// Not only Unicode white space, and no control characters.
const POSSIBLE: &str = r"^[^\u0000-\u001f\u007f]*[^\u0000-\u0020\u007f\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000][^\u0000-\u001f\u007f]*$";

/// A uid that an order can have.
pub(in crate::http) enum Uid {}

impl ToSchema for Uid {}

impl PartialSchema for Uid {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(1))
            .max_length(Some(255))
            .pattern(Some(POSSIBLE))
            .into()
    }
}

/// How many characters [`PlainText`] may have.
pub(in crate::http) const PLAIN_TEXT: std::ops::RangeInclusive<usize> = 1..=1000;

/// What a uid or the code of an error may be compared to.
pub(in crate::http) enum PlainText {}

impl ToSchema for PlainText {}

impl PartialSchema for PlainText {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .min_length(Some(*PLAIN_TEXT.start()))
            .max_length(Some(*PLAIN_TEXT.end()))
            .pattern(Some(r"^[^\u0000-\u001f\u007f-\u009f]+$"))
            .into()
    }
}

/// A note on a dead letter.
pub(in crate::http) enum NoteText {}

impl ToSchema for NoteText {}

impl PartialSchema for NoteText {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .max_length(Some(LONGEST_NOTE))
            .pattern(Some(r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$"))
            .into()
    }
}

/// What every accepted message has; it is served as it was published, with whatever else is in it.
pub(in crate::http) enum OrderDocument {}

impl ToSchema for OrderDocument {
    fn name() -> std::borrow::Cow<'static, str> {
        "Order".into()
    }
}

impl PartialSchema for OrderDocument {
    fn schema() -> RefOr<Schema> {
        let of = |kind| ObjectBuilder::new().schema_type(kind);
        of(Type::Object)
            .description(Some(
                "An order, byte for byte as it was published: more keys than these may be in it",
            ))
            .property("order_uid", Uid::schema())
            .property("track_number", of(Type::String).min_length(Some(1)).max_length(Some(255)))
            .property("delivery", of(Type::Object))
            .property("payment", of(Type::Object))
            .property("items", ArrayBuilder::new().items(of(Type::Object).build()))
            .required("order_uid")
            .required("track_number")
            .required("delivery")
            .required("payment")
            .required("items")
            .into()
    }
}
