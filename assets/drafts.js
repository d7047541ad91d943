// What a reader has typed and not sent yet. It outlives the view, a refused token and a change of the language; not the page, since
// it holds what was published.

const drafts = new Map();

/** The text kept under `key`; null for what was opened and not changed, undefined when nothing is kept. */
export function draft(key) {
  return drafts.get(key);
}

/** Keeps a text; null says that it was opened and is not changed. */
export function keepDraft(key, text) {
  drafts.set(key, text);
}

/** Forgets it. */
export function dropDraft(key) {
  drafts.delete(key);
}

/** The key of the edit of a dead letter, and of the note that it is to be discarded with. */
export const editOf = (id) => `edit ${id}`;
export const noteOf = (id) => `note ${id}`;

addEventListener("beforeunload", (event) => {
  if ([...drafts.values()].some((text) => text !== null)) event.preventDefault();
});
