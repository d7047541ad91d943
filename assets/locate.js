// Where in the text of a message its errors are.

import { parse } from "./json.js";

// Two escapes that make one character, half of such a pair alone, any other escape.
const ESCAPES = /\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|[^])/g;

/**
 * The place of each error of a dead letter, as { start, end } in UTF-16 units, or null where there is none to show. A missing
 * key has the brace that opens the object which lacks it, a repeated one its second name.
 */
export function placesOf(errors, text) {
  let root;
  try {
    root = parse(text);
  } catch {
    return errors.map(() => null);
  }
  const membersByName = new WeakMap();
  return errors.map(({ pointer, code }) => (pointer === "" ? null : find(root, pointer, code, membersByName)));
}

function find(root, pointer, code, membersByName) {
  const names = pointer.split("/").slice(1).map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"));
  const last = names.pop();
  const parent = names.reduce((value, name) => step(value, name, membersByName), root);
  if (code === "missing") return parent?.kind === "object" ? { start: parent.start, end: parent.start + 1 } : null;
  if (code === "duplicate_key") {
    const second = named(parent, last, membersByName)[1];
    return second === undefined ? null : { start: second.start, end: second.start + second.source.length };
  }
  const value = step(parent, last, membersByName);
  return value === undefined ? null : { start: value.start, end: value.end };
}

function step(value, name, membersByName) {
  return value?.kind === "array" ? value.items[name] : named(value, name, membersByName)[0]?.value;
}

/** The members of that name. A message can hold 1,000 errors and 40,000 members, so they are sorted by name once. */
function named(value, name, membersByName) {
  if (value?.kind !== "object") return [];
  if (!membersByName.has(value)) membersByName.set(value, Map.groupBy(value.members, (member) => member.name));
  return membersByName.get(value).get(name) ?? [];
}

/** The place of the root of a text that is JSON, or null. */
export function rootOf(text) {
  try {
    const { start, end } = parse(text);
    return { start, end };
  } catch {
    return null;
  }
}

/** Where a text stops being JSON that the service takes: { what, start, end }, `what` being a key of `syntax.`; or null. */
export function faultOf(text) {
  if (text.startsWith("\ufeff")) return { what: "mark", start: 0, end: 1 };
  const lone = loneSurrogate(text);
  try {
    parse(text);
    return lone;
  } catch ({ what, at }) {
    // What keeps the grammar is looked through for the other flaws, and the first of them counts.
    if (what === "deep" && lone !== null && lone.start < at) return lone;
    const character = at < text.length ? String.fromCodePoint(text.codePointAt(at)) : "";
    return { what, start: at, end: at + character.length };
  }
}

function loneSurrogate(text) {
  for (const match of text.matchAll(ESCAPES)) {
    if (match[1] !== undefined) return { what: "surrogate", start: match.index, end: match.index + match[0].length };
  }
  return null;
}

/** Line and column of each offset, both from 1 and in characters; offsets must not fall. */
export function positionsOf(text, offsets) {
  let [at, line, column] = [0, 1, 1];
  return offsets.map((offset) => {
    for (; at < offset; at += 1) {
      const unit = text.charCodeAt(at);
      if (unit === 0x0a) [line, column] = [line + 1, 1];
      // The second half of a pair is no character of its own.
      else if (unit < 0xdc00 || unit > 0xdfff) column += 1;
    }
    return { line, column };
  });
}
