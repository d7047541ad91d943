//! A publisher that connects again.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Mutex;

use super::{
    connection::Connection,
    error::{CloseError, ConnectError},
    options::Options,
    publish::{NotStored, Publishing},
};

/// Publishes over one connection at a time, and makes the next one when it is needed.
///
/// It never publishes a message twice: what was not stored, or is unknown, is the caller's decision.
#[derive(Debug)]
pub struct Publisher {
    options: Options,
    current: Mutex<Option<Arc<Connection>>>,
}

/// Why a message was not sent. It is certainly not stored.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// There is no connection, and this try to make one failed.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// There is a connection, and it did not take the message.
    #[error(transparent)]
    NotStored(#[from] NotStored),
}

impl Publisher {
    /// Nothing is sent before the first publish or [`connect`](Self::connect).
    pub fn new(options: Options) -> Self {
        Self { options, current: Mutex::new(None) }
    }

    /// Makes a connection unless there is one that lives. Callers wait for one try together.
    pub async fn connect(&self) -> Result<(), ConnectError> {
        self.connection().await.map(drop)
    }

    /// As [`Connection::start_publish`], on the connection that lives or a new one.
    pub async fn start_publish(&self, channel: &str, data: Bytes) -> Result<Publishing, PublishError> {
        Ok(self.connection().await?.start_publish(channel, data).await?)
    }

    /// Closes the connection if there is one. Publishes that still wait for their ack end as unknown.
    pub async fn close(self, deadline: std::time::Duration) -> Result<(), CloseError> {
        match self.current.into_inner().and_then(Arc::into_inner) {
            Some(connection) => connection.close(deadline).await,
            None => Ok(()),
        }
    }

    async fn connection(&self) -> Result<Arc<Connection>, ConnectError> {
        let mut current = self.current.lock().await;
        if let Some(connection) = &*current
            && connection.session().lost().is_none()
        {
            return Ok(Arc::clone(connection));
        }
        // The old one is ended already, so it no longer answers for the client id.
        let connection = Arc::new(Connection::connect(&self.options).await?);
        *current = Some(Arc::clone(&connection));
        Ok(connection)
    }
}
