use std::{convert::Infallible, sync::Arc};

use axum::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    http::{HeaderMap, StatusCode, header, request::Parts},
};

use super::{
    Shared, Tokens,
    auth::{CHALLENGE, bearer},
    errors::Problem,
};

/// The right of an administrator. A handler that takes one as its first argument is not reached without it.
#[derive(Debug, Clone)]
pub(super) struct Admin(String);

impl Admin {
    /// Who it is, for the log and for `resolved_by`: `token:` and the first digits of the token's SHA-256.
    pub(super) fn name(&self) -> &str {
        &self.0
    }
}

impl Tokens {
    /// Decides by the head of a request alone whether its sender is an administrator, wherever it comes from.
    ///
    /// # Errors
    /// 401 for a wrong or missing token, and for every one when there is none.
    pub(super) fn may_administer(&self, headers: &HeaderMap) -> Result<Admin, Problem> {
        let (token, help) = match (&self.admin, &self.random_admin) {
            (Some(token), _) => (token, "the token of ADMIN_TOKEN, sent as Authorization: Bearer TOKEN"),
            (None, Some(token)) => (
                token,
                "the token of the link that the service printed when it started, sent as Authorization: Bearer TOKEN; \
                 set ADMIN_TOKEN for one that lasts",
            ),
            (None, None) => {
                return Err(refused(
                    "ADMIN_TOKEN, which is not set: set it, start the service again, and send it as Authorization: Bearer TOKEN",
                ));
            }
        };
        if token.is(bearer(headers).unwrap_or_default()) {
            Ok(Admin(token.name()))
        } else {
            Err(refused(help))
        }
    }
}

fn refused(help: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, format!("this needs {help}"))
        .with(header::WWW_AUTHENTICATE, CHALLENGE)
}

impl FromRequestParts<Arc<Shared>> for Admin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Problem> {
        shared.api.tokens.may_administer(&parts.headers)
    }
}

/// For routes that tell an administrator more than others.
impl OptionalFromRequestParts<Arc<Shared>> for Admin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Option<Self>, Infallible> {
        Ok(shared.api.tokens.may_administer(&parts.headers).ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Token;

    fn is_admin(tokens: &Tokens, authorization: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, value.parse().expect("a header value"));
        }
        tokens.may_administer(&headers).is_ok()
    }

    #[test]
    fn only_the_bearer_of_the_admin_token_is_an_administrator() {
        let token = |text| Some(Token::new(text));
        let set = Tokens { publish: token("publish"), admin: token("admin"), random_admin: token("random") };
        let random = Tokens { admin: None, ..set.clone() };
        let none = Tokens { random_admin: None, ..random.clone() };
        for (tokens, right) in [(&set, Some("admin")), (&random, Some("random")), (&none, None)] {
            for sent in ["admin", "random", "publish", "adminx", ""] {
                let header = format!("Bearer {sent}");
                assert_eq!(is_admin(tokens, Some(&header)), right == Some(sent), "{right:?}: {header}");
            }
            assert!(!is_admin(tokens, None));
            assert!(!is_admin(tokens, Some("Basic admin")));
        }
    }
}
