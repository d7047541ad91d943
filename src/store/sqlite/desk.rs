use rusqlite::{Connection, Row, params};

use super::{
    column::{length, parsed, text, time},
    date::rfc3339,
    json, record,
    session::SqliteSession,
};
use crate::store::{
    Lineage, Load, Matching, OpenLetter, Parent, Replay, ReplayState, Selection, SourceKind, Stretch,
    cause::{Cause, Unknown},
    desk::{Traces, replay_id},
    ledger::{RECEIVED, Tally},
};

/// The open ones of a selection in a stretch of ids.
macro_rules! open {
    ($what:literal, $which:literal, $end:literal) => {
        concat!(
            "SELECT ",
            $what,
            " FROM dead_letters
            WHERE resolution = 'open' AND id > ?1 AND id <= ?2 AND ",
            $which,
            " AND (?3 IS NULL OR reason = ?3) AND (?4 IS NULL OR instr(errors, ?4) > 0)
                AND (?6 IS NULL OR rejected_at >= strftime('%Y-%m-%dT%H:%M:%fZ', ?6))
                AND (?7 IS NULL OR rejected_at < strftime('%Y-%m-%dT%H:%M:%fZ', ?7)) ",
            $end
        )
    };
}
const COUNT_OPEN: &str = open!("count(*), max(id)", "?5 IS NULL", "");
const SELECT_OPEN: &str = open!("id, length(payload)", "?5 IS NULL", "ORDER BY id LIMIT ?8");
/// Of a uid, found in its index.
pub(super) const COUNT_OPEN_OF_UID: &str = open!("count(*), max(id)", "order_uid = ?5", "");
pub(super) const SELECT_OPEN_OF_UID: &str =
    open!("id, length(payload)", "order_uid = ?5", "ORDER BY id LIMIT ?8");
const COUNT_REPLAYS: &str =
    "SELECT count(*), coalesce(sum(length(payload)), 0) FROM inbox WHERE source = 'replay'";
/// The write lock is held, so they stay open until they are resolved.
const SELECT_STILL_OPEN: &str = "
    SELECT id, channel FROM dead_letters
    WHERE id IN (SELECT value FROM json_each(?)) AND resolution = 'open' ORDER BY id";
const SET_REPLAYED: &str = "
    UPDATE dead_letters
    SET resolution = 'replayed', resolved_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), resolved_by = ?2,
        replay_edited = coalesce(payload <> ?3, 0)
    WHERE id IN (SELECT value FROM json_each(?1)) AND resolution = 'open'";
const SET_DISCARDED: &str = "
    UPDATE dead_letters
    SET resolution = 'discarded', resolved_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), resolved_by = ?2, note = ?3
    WHERE id IN (SELECT value FROM json_each(?1)) AND resolution = 'open'";
const INSERT_REPLAYS: &str = "
    INSERT INTO inbox (message_id, source, channel, sequence, published_at_ns, payload, parent_id)
    SELECT 'replay:' || id || '.1', 'replay', channel, sequence, published_at_ns, coalesce(?2, payload), id
    FROM dead_letters WHERE id IN (SELECT value FROM json_each(?1)) ORDER BY id";
/// One statement, so that a replay which is settled meanwhile is either pending or has left all its traces.
const SELECT_LINEAGE: &str = "
    SELECT letter.resolution, parent.id, parent.resolution, parent.rejected_at,
        letter.replay_edited, letter.replay_outcome, letter.replay_order_uid,
        (SELECT again.id FROM dead_letters AS again WHERE again.message_id = 'replay:' || letter.id || '.1'),
        EXISTS (SELECT 1 FROM order_history AS former WHERE former.message_id = 'replay:' || letter.id || '.1')
    FROM dead_letters AS letter LEFT JOIN dead_letters AS parent ON parent.id = letter.parent_id WHERE letter.id = ?1";

/// See [`Store::count_open`](crate::store::Store::count_open).
pub(super) async fn count_open(
    session: &mut SqliteSession,
    selection: &Selection,
    stretch: Stretch,
) -> Result<Matching, Cause> {
    let selection = selection.clone();
    session
        .call(move |connection| {
            let of_uid = selection.order_uid.is_some();
            let sql = if of_uid { COUNT_OPEN_OF_UID } else { COUNT_OPEN };
            let mut statement = connection.prepare_cached(sql)?;
            bind(&mut statement, &selection, stretch)?;
            let mut rows = statement.raw_query();
            let row = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
            Ok(Matching { letters: row.get(0)?, last: row.get(1)? })
        })
        .await
}

/// See [`Store::open_letters`](crate::store::Store::open_letters).
pub(super) async fn open_letters(
    session: &mut SqliteSession,
    selection: &Selection,
    stretch: Stretch,
    limit: usize,
) -> Result<Vec<OpenLetter>, Cause> {
    let selection = selection.clone();
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    session
        .call(move |connection| {
            let of_uid = selection.order_uid.is_some();
            let sql = if of_uid { SELECT_OPEN_OF_UID } else { SELECT_OPEN };
            let mut statement = connection.prepare_cached(sql)?;
            bind(&mut statement, &selection, stretch)?;
            statement.raw_bind_parameter(8, limit)?;
            let letters = statement
                .raw_query()
                .and_then(|row| Ok(OpenLetter { id: row.get(0)?, bytes: length(row, 1)? }));
            letters.collect()
        })
        .await
}

/// The parameters that the statements of a selection share.
fn bind(
    statement: &mut rusqlite::Statement<'_>,
    selection: &Selection,
    stretch: Stretch,
) -> rusqlite::Result<()> {
    statement.raw_bind_parameter(1, stretch.after)?;
    statement.raw_bind_parameter(2, stretch.up_to)?;
    statement.raw_bind_parameter(3, &selection.reason)?;
    statement.raw_bind_parameter(4, selection.code_as_stored())?;
    statement.raw_bind_parameter(5, &selection.order_uid)?;
    statement.raw_bind_parameter(6, selection.since.map(rfc3339))?;
    statement.raw_bind_parameter(7, selection.until.map(rfc3339))
}

/// See [`Store::waiting_replays`](crate::store::Store::waiting_replays).
pub(super) async fn waiting_replays(session: &mut SqliteSession) -> Result<Load, Cause> {
    session
        .call(|connection| {
            let mut statement = connection.prepare_cached(COUNT_REPLAYS)?;
            Ok(statement.query_row((), |row| Ok(Load { messages: row.get(0)?, bytes: row.get(1)? }))?)
        })
        .await
}

/// See [`Store::replay`](crate::store::Store::replay).
pub(super) async fn replay(
    session: &mut SqliteSession,
    ids: &[i64],
    edited: Option<&[u8]>,
    by: &str,
    shard: i16,
) -> Result<Vec<i64>, Cause> {
    let (ids, edited, by) = (json(&ids), edited.map(<[u8]>::to_vec), by.to_owned());
    session
        .call(move |connection| {
            let open = still_open(connection, &ids)?;
            let ids: Vec<i64> = open.iter().map(|(id, _)| *id).collect();
            let which = json(&ids);
            connection.prepare_cached(SET_REPLAYED)?.execute(params![which, by, edited])?;
            connection.prepare_cached(INSERT_REPLAYS)?.execute(params![which, edited])?;
            let mut tally = Tally::default();
            for (_, channel) in &open {
                tally.count_of(SourceKind::Replay, channel, RECEIVED);
            }
            record::count(connection, &tally, shard)?;
            Ok(ids)
        })
        .await
}

/// See [`Store::discard`](crate::store::Store::discard).
pub(super) async fn discard(
    session: &mut SqliteSession,
    ids: &[i64],
    note: Option<&str>,
    by: &str,
) -> Result<Vec<i64>, Cause> {
    let (ids, note, by) = (json(&ids), note.map(str::to_owned), by.to_owned());
    session
        .call(move |connection| {
            let open = still_open(connection, &ids)?;
            let ids: Vec<i64> = open.into_iter().map(|(id, _)| id).collect();
            connection.prepare_cached(SET_DISCARDED)?.execute(params![json(&ids), by, note])?;
            Ok(ids)
        })
        .await
}

/// Those of these dead letters that are open, by id and channel.
fn still_open(connection: &Connection, ids: &str) -> Result<Vec<(i64, String)>, Cause> {
    let mut statement = connection.prepare_cached(SELECT_STILL_OPEN)?;
    statement.query_and_then([ids], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

/// See [`Store::lineage`](crate::store::Store::lineage).
pub(super) async fn lineage(session: &mut SqliteSession, id: i64) -> Result<Option<Lineage>, Cause> {
    session
        .call(move |connection| {
            let mut statement = connection.prepare_cached(SELECT_LINEAGE)?;
            let mut letters = statement.query([id])?;
            letters.next()?.map(|letter| lineage_of(letter, id)).transpose()
        })
        .await
}

fn lineage_of(letter: &Row<'_>, id: i64) -> Result<Lineage, Cause> {
    let parent = letter.get::<_, Option<i64>>(1)?.map(|id| -> Result<Parent, Cause> {
        Ok(Parent { id, resolution: parsed(letter, 2)?, rejected_at: time(letter, 3)? })
    });
    let replay = match text(letter, 0)? {
        "replayed" => Some(became(letter, id)?),
        _ => None,
    };
    Ok(Lineage { parent: parent.transpose()?, replay })
}

fn became(letter: &Row<'_>, id: i64) -> Result<Replay, Cause> {
    let outcome = letter.get::<_, Option<String>>(5)?;
    let traces = Traces {
        outcome: outcome.as_deref().map(str::parse).transpose().map_err(Unknown)?,
        order_uid: letter.get(6)?,
        letter: letter.get(7)?,
        in_history: letter.get(8)?,
    };
    let state = ReplayState::of(traces).map_err(Unknown)?;
    Ok(Replay { message_id: replay_id(id), edited: letter.get(4)?, state })
}
