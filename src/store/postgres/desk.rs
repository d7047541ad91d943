use sqlx::{PgConnection, postgres::PgRow};

use super::{
    column::{column, length},
    record,
    report::parsed,
};
use crate::store::{
    Lineage, Load, Matching, OpenLetter, Parent, Replay, ReplayState, Selection, SourceKind, Stretch,
    cause::Unknown,
    desk::{Traces, replay_id},
    ledger::{RECEIVED, Tally},
};

/// The open ones of a selection in a stretch of ids.
macro_rules! open {
    ($what:literal, $which:literal, $end:literal) => {
        concat!(
            "SELECT ",
            $what,
            " FROM dead_letters WHERE ",
            $which,
            "
                AND ($3::text IS NULL OR reason = $3) AND ($4::text IS NULL OR position($4 IN errors::text) > 0)
                AND ($6::timestamptz IS NULL OR rejected_at >= $6) AND ($7::timestamptz IS NULL OR rejected_at < $7) ",
            $end
        )
    };
}
/// Walks the open ones. Both ends of the stretch are told as places in the index, or the planner would walk the ids, past every dead letter
/// that was resolved.
macro_rules! open_of_any {
    ($what:literal, $end:literal) => {
        open!(
            $what,
            "(resolution, id) > ('open', $1) AND (resolution, id) <= ('open', $2) AND $5::text IS NULL",
            $end
        )
    };
}
/// Finds those of a uid in its index.
macro_rules! open_of_uid {
    ($what:literal, $end:literal) => {
        open!(
            $what,
            "(order_uid, id) > ($5, $1) AND (order_uid, id) <= ($5, $2) AND order_uid IS NOT NULL AND resolution = 'open'",
            $end
        )
    };
}
const COUNT_OPEN: &str = open_of_any!("count(*), max(id)", "");
const COUNT_OPEN_OF_UID: &str = open_of_uid!("count(*), max(id)", "");
const SELECT_OPEN: &str = open_of_any!("id, octet_length(payload)", "ORDER BY resolution, id LIMIT $8");
const SELECT_OPEN_OF_UID: &str = open_of_uid!("id, octet_length(payload)", "ORDER BY order_uid, id LIMIT $8");
const COUNT_REPLAYS: &str =
    "SELECT count(*), coalesce(sum(octet_length(payload)), 0)::bigint FROM inbox WHERE source = 'replay'";
/// The order in which locks are taken: two who resolve the same ones wait for each other only in turn.
const LOCK_OPEN: &str =
    "SELECT id, channel FROM dead_letters WHERE id = ANY ($1) AND resolution = 'open' ORDER BY id FOR UPDATE";
const SET_REPLAYED: &str = "
    UPDATE dead_letters
    SET resolution = 'replayed', resolved_at = now(), resolved_by = $2, replay_edited = coalesce(payload <> $3, false)
    WHERE id = ANY ($1) AND resolution = 'open'";
const SET_DISCARDED: &str = "
    UPDATE dead_letters SET resolution = 'discarded', resolved_at = now(), resolved_by = $2, note = $3
    WHERE id = ANY ($1) AND resolution = 'open'";
const INSERT_REPLAYS: &str = "
    INSERT INTO inbox (message_id, source, channel, sequence, published_at_ns, payload, parent_id)
    SELECT 'replay:' || id || '.1', 'replay', channel, sequence, published_at_ns, coalesce($2, payload), id
    FROM dead_letters WHERE id = ANY ($1)";
/// One statement, so that a replay which is settled meanwhile is either pending or has left all its traces.
const SELECT_LINEAGE: &str = "
    SELECT letter.resolution, parent.id, parent.resolution, parent.rejected_at,
        letter.replay_edited, letter.replay_outcome, letter.replay_order_uid,
        (SELECT again.id FROM dead_letters AS again WHERE again.message_id = 'replay:' || letter.id || '.1'),
        EXISTS (SELECT 1 FROM order_history AS former WHERE former.message_id = 'replay:' || letter.id || '.1')
    FROM dead_letters AS letter LEFT JOIN dead_letters AS parent ON parent.id = letter.parent_id WHERE letter.id = $1";

/// See [`Store::count_open`](crate::store::Store::count_open).
pub(super) async fn count_open(
    connection: &mut PgConnection,
    selection: &Selection,
    stretch: Stretch,
) -> sqlx::Result<Matching> {
    let row = selected(COUNT_OPEN, COUNT_OPEN_OF_UID, selection, stretch).fetch_one(connection).await?;
    Ok(Matching { letters: column(&row, 0)?, last: column(&row, 1)? })
}

/// See [`Store::open_letters`](crate::store::Store::open_letters).
pub(super) async fn open_letters(
    connection: &mut PgConnection,
    selection: &Selection,
    stretch: Stretch,
    limit: usize,
) -> sqlx::Result<Vec<OpenLetter>> {
    let rows = selected(SELECT_OPEN, SELECT_OPEN_OF_UID, selection, stretch)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| Ok(OpenLetter { id: column(row, 0)?, bytes: length(row, 1)? })).collect()
}

fn selected<'q>(
    of_any: &'static str,
    of_uid: &'static str,
    selection: &'q Selection,
    stretch: Stretch,
) -> sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments> {
    sqlx::query(if selection.order_uid.is_some() { of_uid } else { of_any })
        .bind(stretch.after)
        .bind(stretch.up_to)
        .bind(selection.reason.as_deref())
        .bind(selection.code_as_stored())
        .bind(selection.order_uid.as_deref())
        .bind(selection.since)
        .bind(selection.until)
}

/// See [`Store::waiting_replays`](crate::store::Store::waiting_replays).
pub(super) async fn waiting_replays(connection: &mut PgConnection) -> sqlx::Result<Load> {
    let row = sqlx::query(COUNT_REPLAYS).fetch_one(connection).await?;
    Ok(Load { messages: column(&row, 0)?, bytes: column(&row, 1)? })
}

/// See [`Store::replay`](crate::store::Store::replay).
pub(super) async fn replay(
    connection: &mut PgConnection,
    ids: &[i64],
    edited: Option<&[u8]>,
    by: &str,
    shard: i16,
) -> sqlx::Result<Vec<i64>> {
    let open = sqlx::query(LOCK_OPEN).bind(ids).fetch_all(&mut *connection).await?;
    let ids = open.iter().map(|row| column(row, 0)).collect::<sqlx::Result<Vec<i64>>>()?;
    sqlx::query(SET_REPLAYED).bind(&ids).bind(by).bind(edited).execute(&mut *connection).await?;
    sqlx::query(INSERT_REPLAYS).bind(&ids).bind(edited).execute(&mut *connection).await?;
    let mut tally = Tally::default();
    for row in &open {
        tally.count_of(SourceKind::Replay, column(row, 1)?, RECEIVED);
    }
    record::count(connection, &tally, shard).await?;
    Ok(ids)
}

/// See [`Store::discard`](crate::store::Store::discard).
pub(super) async fn discard(
    connection: &mut PgConnection,
    ids: &[i64],
    note: Option<&str>,
    by: &str,
) -> sqlx::Result<Vec<i64>> {
    let open = sqlx::query(LOCK_OPEN).bind(ids).fetch_all(&mut *connection).await?;
    let ids = open.iter().map(|row| column(row, 0)).collect::<sqlx::Result<Vec<i64>>>()?;
    sqlx::query(SET_DISCARDED).bind(&ids).bind(by).bind(note).execute(connection).await?;
    Ok(ids)
}

/// See [`Store::lineage`](crate::store::Store::lineage).
pub(super) async fn lineage(connection: &mut PgConnection, id: i64) -> sqlx::Result<Option<Lineage>> {
    let letter = sqlx::query(SELECT_LINEAGE).bind(id).fetch_optional(connection).await?;
    let Some(letter) = letter else { return Ok(None) };
    let parent = column::<Option<i64>>(&letter, 1)?.map(|id| -> sqlx::Result<Parent> {
        Ok(Parent { id, resolution: parsed(&letter, 2)?, rejected_at: column(&letter, 3)? })
    });
    let replay = match column(&letter, 0)? {
        "replayed" => Some(became(&letter, id)?),
        _ => None,
    };
    Ok(Some(Lineage { parent: parent.transpose()?, replay }))
}

fn became(letter: &PgRow, id: i64) -> sqlx::Result<Replay> {
    let outcome = column::<Option<&str>>(letter, 5)?.map(str::parse).transpose().map_err(Unknown)?;
    let traces = Traces {
        outcome,
        order_uid: column(letter, 6)?,
        letter: column(letter, 7)?,
        in_history: column(letter, 8)?,
    };
    let state = ReplayState::of(traces).map_err(Unknown)?;
    Ok(Replay { message_id: replay_id(id), edited: column(letter, 4)?, state })
}
