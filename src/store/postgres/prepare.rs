use sqlx::{Connection, PgConnection};

use super::{BEGIN, column::column, copy, migrations};
use crate::store::{cause::Unknown, copy::Mark};

const SELECT_SETTINGS: &str = "
    SELECT current_setting('server_version_num')::integer, current_setting('server_version'),
        current_setting('fsync'), current_setting('full_page_writes'), current_setting('server_encoding'),
        current_database()::text";

/// The oldest version that is supported, as `server_version_num` has it.
const OLDEST: i32 = 140_000;

/// What the server says of itself.
#[derive(Debug)]
pub(super) struct Server {
    version_number: i32,
    version: String,
    fsync: String,
    full_page_writes: String,
    encoding: String,
    database: String,
}

/// Asks the server.
pub(super) async fn server(connection: &mut PgConnection) -> sqlx::Result<Server> {
    let row = sqlx::query(SELECT_SETTINGS).fetch_one(connection).await?;
    Ok(Server {
        version_number: column(&row, 0)?,
        version: column(&row, 1)?,
        fsync: column(&row, 2)?,
        full_page_writes: column(&row, 3)?,
        encoding: column(&row, 4)?,
        database: column(&row, 5)?,
    })
}

/// Brings the schema up to date for a service.
pub(super) async fn schema(connection: &mut PgConnection) -> sqlx::Result<()> {
    refuse_a_part(copy::mark(connection).await?)?;
    migrations::run(connection).await?;
    let mut transaction = connection.begin_with(BEGIN).await?;
    // It may have been begun, or begun anew, meanwhile. Who begins or goes on now waits for this transaction.
    if refuse_a_part(copy::lock_mark(&mut transaction).await?)? {
        // From now on it is no copy of anything.
        copy::drop_mark(&mut transaction).await?;
    } else {
        copy::wait_for_begin(&mut transaction).await?;
        refuse_a_part(copy::mark(&mut transaction).await?)?;
    }
    transaction.commit().await
}

/// Whether it is a copy, which must be whole.
fn refuse_a_part(mark: Option<Mark>) -> Result<bool, Unknown> {
    if let Some(Mark { finished: false, .. }) = mark {
        let reason = "the database is the target of an `orderbox copy` that has not come to its end: run the same copy again";
        return Err(Unknown(reason.to_owned()));
    }
    Ok(mark.is_some())
}

impl Server {
    /// What an operator should know; an error when the server can't be used.
    pub(super) fn warnings(&self) -> Result<Vec<String>, String> {
        if self.version_number < OLDEST {
            return Err(format!("the server is PostgreSQL {}: orderbox needs 14 or newer", self.version));
        }
        if self.encoding != "UTF8" {
            let Self { database, encoding, .. } = self;
            return Err(format!(
                "the database {database} has the encoding {encoding}, which cannot hold every text: make another one with \
                 CREATE DATABASE … ENCODING 'UTF8' LOCALE 'C.UTF-8' TEMPLATE template0, and change DATABASE_URL"
            ));
        }
        let mut warnings = Vec::new();
        if self.fsync == "off" {
            warnings.push(
                "PostgreSQL runs with fsync=off: a power cut loses orders that were acknowledged, and may break the database"
                    .to_owned(),
            );
        }
        if self.full_page_writes == "off" {
            warnings.push(
                "PostgreSQL runs with full_page_writes=off: a power cut may break the database".to_owned(),
            );
        }
        Ok(warnings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(version_number: i32, fsync: &str, full_page_writes: &str) -> Server {
        Server {
            version_number,
            version: "13.22".to_owned(),
            fsync: fsync.to_owned(),
            full_page_writes: full_page_writes.to_owned(),
            encoding: "UTF8".to_owned(),
            database: "orders".to_owned(),
        }
    }

    #[test]
    fn a_server_that_may_lose_commits_is_named() {
        assert_eq!(server(140_000, "on", "on").warnings(), Ok(vec![]));
        let warnings = server(180_001, "off", "off").warnings().expect("new enough");
        assert!(warnings[0].contains("fsync=off") && warnings[1].contains("full_page_writes=off"));
    }

    #[test]
    fn a_server_that_is_too_old_is_refused() {
        let reason = server(130_022, "on", "on").warnings().expect_err("too old");
        assert_eq!(reason, "the server is PostgreSQL 13.22: orderbox needs 14 or newer");
    }
}
