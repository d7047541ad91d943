//! The dead-letter desk: what people do about dead letters, many at a time. The routes and the commands both work through it.
//!
//! A bulk is a frozen set: the open dead letters of a selection up to an id. It is worked off by steps, each of which begins
//! where the one before ended, and nothing of it is remembered between them: whoever asks may die half-way, and ask again
//! for what is left. A replay that fails again is a new dead letter with a greater id, so the set never grows.

use std::time::{Duration, Instant};

use crate::{
    order::{Verdict, validate_caught},
    store::{Matching, OpenLetter, REPLAYS_AT_ONCE, Result, Selection, Store, Stretch},
};

/// So many dead letters are looked at in one step.
const STEP: usize = 1000;
/// So many bytes of them.
const STEP_BYTES: usize = 16 << 20;
/// And no longer than this: somebody waits for the answer.
const STEP_TIME: Duration = Duration::from_secs(1);
/// So many characters a note may have: longer ones are letters.
pub(crate) const LONGEST_NOTE: usize = 2000;

/// The dead letters of a store, and the rules of today.
#[derive(Debug, Clone, Copy)]
pub struct Desk<'a> {
    store: &'a dyn Store,
    max_message_bytes: usize,
}

/// What a selection holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Survey {
    /// Open dead letters, and the newest of them.
    pub matching: Matching,
    /// So many of them, the oldest, were validated again.
    pub checked: i64,
    /// So many of these are orders by the rules of today.
    pub would_pass: i64,
}

/// One step of a bulk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Dead letters that were replayed, or discarded.
    pub done: i64,
    /// Dead letters that stay open because they would not pass.
    pub passed_over: i64,
    /// Where the next step begins.
    pub after: i64,
    /// Whether the set has more for it. How many is not counted: each step would count again what all those after it count.
    pub more: bool,
}

impl<'a> Desk<'a> {
    /// `max_message_bytes` is `MAX_MESSAGE_BYTES`, which is one of the rules.
    #[must_use]
    pub fn new(store: &'a dyn Store, max_message_bytes: usize) -> Self {
        Self { store, max_message_bytes }
    }

    /// Replays one dead letter, with `edited` instead of what it says; `false` when it is not open, or not there.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn replay_one(&self, id: i64, edited: Option<&[u8]>, by: &str) -> Result<bool> {
        let done = if edited.is_some() { "edited and replayed" } else { "replayed" };
        let replayed = told(done, &[id], by, self.store.replay(&[id], edited, by).await)?;
        Ok(!replayed.is_empty())
    }

    /// Discards one dead letter; `false` when it is not open, or not there.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn discard_one(&self, id: i64, note: Option<&str>, by: &str) -> Result<bool> {
        let note = note.filter(|note| !note.trim().is_empty());
        let discarded = told("discarded", &[id], by, self.store.discard(&[id], note, by).await)?;
        Ok(!discarded.is_empty())
    }

    /// Counts a selection, and how many of its oldest would pass now: as many as can be looked at within a second.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn survey(&self, selection: &Selection) -> Result<Survey> {
        let matching = self.store.count_open(selection, Stretch::ALL).await?;
        let (began, mut bytes) = (Instant::now(), 0);
        let (mut checked, mut would_pass) = (0, 0);
        // What comes after the count is in neither number.
        let stretch = Stretch { after: 0, up_to: matching.last.unwrap_or(0) };
        for letter in self.store.open_letters(selection, stretch, STEP).await? {
            bytes += letter.bytes;
            if checked > 0 && (bytes > STEP_BYTES || began.elapsed() > STEP_TIME) {
                break;
            }
            checked += 1;
            would_pass += i64::from(self.passes(letter).await?);
        }
        Ok(Survey { matching, checked, would_pass })
    }

    /// Replays the next ones of a frozen set, as many as the inbox has room for; with `only_passing` those that are orders by
    /// the rules of today. A step that finds no room has done nothing and begins again where it began.
    ///
    /// # Errors
    /// When the store fails. What was replayed before is replayed.
    pub async fn replay(
        &self,
        selection: &Selection,
        mut stretch: Stretch,
        only_passing: bool,
        by: &str,
    ) -> Result<Step> {
        let waiting = self.store.waiting_replays().await?;
        let room = usize::try_from(REPLAYS_AT_ONCE.messages - waiting.messages).unwrap_or(0);
        let mut bytes = usize::try_from(REPLAYS_AT_ONCE.bytes - waiting.bytes).unwrap_or(0);
        let (began, mut ids, mut passed_over) = (Instant::now(), Vec::new(), 0);
        // What would not pass takes no room.
        let limit = if only_passing { STEP } else { room };
        let letters = self.store.open_letters(selection, stretch, limit + 1).await?;
        let mut more = letters.len() > limit;
        for letter in letters.into_iter().take(limit) {
            let first = ids.is_empty() && passed_over == 0;
            if !first && began.elapsed() > STEP_TIME {
                more = true;
                break;
            }
            if only_passing && !self.passes(letter).await? {
                passed_over += 1;
            } else if ids.len() < room && (letter.bytes <= bytes || (ids.is_empty() && waiting.messages == 0))
            {
                bytes = bytes.saturating_sub(letter.bytes);
                ids.push(letter.id);
            } else {
                more = true;
                break;
            }
            stretch.after = letter.id;
        }
        let replayed = match ids[..] {
            [] => Vec::new(),
            _ => told("replayed", &ids, by, self.store.replay(&ids, None, by).await)?,
        };
        Ok(Step { done: length(&replayed), passed_over, after: stretch.after, more })
    }

    /// Discards the next ones of a frozen set.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn discard(
        &self,
        selection: &Selection,
        stretch: Stretch,
        note: Option<&str>,
        by: &str,
    ) -> Result<Step> {
        let note = note.filter(|note| !note.trim().is_empty());
        let letters = self.store.open_letters(selection, stretch, STEP + 1).await?;
        let ids: Vec<i64> = letters.iter().take(STEP).map(|letter| letter.id).collect();
        let discarded = match ids[..] {
            [] => Vec::new(),
            _ => told("discarded", &ids, by, self.store.discard(&ids, note, by).await)?,
        };
        let after = ids.last().copied().unwrap_or(stretch.after);
        Ok(Step { done: length(&discarded), passed_over: 0, after, more: letters.len() > STEP })
    }

    /// Whether a dead letter is an order by the rules of today. One that is gone meanwhile is none.
    async fn passes(&self, letter: OpenLetter) -> Result<bool> {
        if letter.bytes > self.max_message_bytes {
            return Ok(false);
        }
        let letter = self.store.dead_letter(letter.id, usize::MAX).await?;
        Ok(letter.is_some_and(|letter| {
            matches!(validate_caught(&letter.payload, self.max_message_bytes), Verdict::Accept(_))
        }))
    }
}

/// A note as it may be kept. PostgreSQL takes no NUL; of other control characters only line breaks and tabs make sense.
///
/// # Errors
/// Says what is allowed.
pub(crate) fn sound_note(note: &str) -> std::result::Result<String, String> {
    let odd = |character: char| character.is_control() && !matches!(character, '\n' | '\r' | '\t');
    if note.chars().count() > LONGEST_NOTE || note.chars().any(odd) {
        return Err(format!(
            "the note is too long or no plain text: at most {LONGEST_NOTE} characters are allowed, of control characters line breaks and tabs"
        ));
    }
    Ok(note.to_owned())
}

fn length(ids: &[i64]) -> i64 {
    i64::try_from(ids.len()).unwrap_or(i64::MAX)
}

/// Makes each change a line of the log, with the first and the last of its dead letters; `resolved_by` names each of them. So is
/// one that may have been made: when the answer to a commit is lost, the store fails and has done it.
fn told(done: &str, ids: &[i64], by: &str, changed: Result<Vec<i64>>) -> Result<Vec<i64>> {
    let ids = changed.as_deref().unwrap_or(ids);
    let ([first, ..], [.., last]) = (ids, ids) else { return changed };
    let dead_letters = ids.len();
    match &changed {
        Ok(_) => tracing::info!(by, dead_letters, first, last, "dead letters were {done}"),
        Err(error) => {
            tracing::warn!(by, dead_letters, first, last, %error, "dead letters may have been {done}: the store has failed");
        }
    }
    changed
}
