use std::time::Duration;

/// What clients may take of the service: the settings `HTTP_MAX_CONNECTIONS` and so on.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once.
    pub max_connections: usize,
    /// How long the head of a request may take from its first byte.
    pub header_timeout: Duration,
    /// How long the body of a request may take.
    pub body_timeout: Duration,
    /// How long a connection may ask nothing, or read nothing of its answer.
    pub idle_timeout: Duration,
    /// Look-ups in the store at once.
    pub max_lookups: usize,
}
