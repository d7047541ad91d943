use std::collections::BTreeMap;

use utoipa::{
    IntoResponses,
    openapi::{ContentBuilder, Header, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, schema::Type},
};

/// Answers that several routes give. None of these types has values: they stand in the descriptions of routes.
macro_rules! answers {
    ($($(#[$doc:meta])* $name:ident = [$($answer:expr),+];)+) => {
        $(
            $(#[$doc])*
            pub(in crate::http) enum $name {}

            impl IntoResponses for $name {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    BTreeMap::from([$($answer),+])
                }
            }
        )+
    };
}

answers! {
    /// An order that was asked for by its uid.
    OrderRead = [
        answer("200", "The order, byte for byte as it was published", Some(("application/json", "Order")), &[
            ETAG,
            ("Cache-Control", Type::String, "`private, no-cache`: a replaced order must be seen at once"),
        ]),
        answer("304", "The client has it", None, &[ETAG]),
        problem("400", "There is no uid, or one that no order can have; the detail says why", &[]),
        problem("404", "There is no order with this uid", &[]),
        problem("503", "The order is not in memory and the database does not answer; /healthz says why", &[RETRY_AFTER])
    ];
    /// Parameters are taken strictly.
    BadRequest = [problem("400", "A parameter is not known, given twice or out of its limits; the detail names it and what is allowed", &[])];
    /// Without the right of an administrator.
    Unauthorized = [problem("401", "The token of an administrator is missing or wrong; the detail says where to get it", &[
        ("WWW-Authenticate", Type::String, "`Bearer`")
    ])];
    /// What the path names is not there.
    NotFound = [problem("404", "There is none", &[])];
    /// Somebody was faster.
    NotOpen = [problem("409", "It is replayed or discarded already", &[])];
    /// A body that can't be taken.
    BodyRefused = [
        problem("408", "The body did not arrive in time", &[]),
        problem("413", "The body is longer than MAX_MESSAGE_BYTES", &[])
    ];
    /// A bug.
    Bug = [problem("500", "A bug in orderbox, which its log shows; other requests are not affected", &[])];
    /// The store does not answer.
    StoreDown = [problem("503", "The database does not answer; /healthz says why", &[RETRY_AFTER])];
}

type About = (&'static str, Type, &'static str);

const ETAG: About = ("ETag", Type::String, "Strong: other bytes have another one");
const RETRY_AFTER: About = ("Retry-After", Type::Integer, "Seconds to wait before the next try");

fn problem(status: &str, description: &str, headers: &[About]) -> (String, RefOr<Response>) {
    answer(status, description, Some(("application/problem+json", "Problem")), headers)
}

fn answer(
    status: &str,
    description: &str,
    content: Option<(&str, &str)>,
    headers: &[About],
) -> (String, RefOr<Response>) {
    let mut response = ResponseBuilder::new().description(description);
    if let Some((kind, schema)) = content {
        let schema = Ref::from_schema_name(schema);
        response = response.content(kind, ContentBuilder::new().schema(Some(schema)).build());
    }
    for (name, kind, about) in headers {
        let mut header = Header::new(ObjectBuilder::new().schema_type(kind.clone()).build());
        header.description = Some((*about).to_owned());
        response = response.header(*name, header);
    }
    (status.to_owned(), response.build().into())
}
