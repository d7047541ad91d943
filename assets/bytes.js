// The bytes of a message as text, exactly, with places marked in it.

import { element } from "./dom.js";
import { say } from "./language.js";

// Characters that can't be seen, or that move what stands next to them; not tabs and line feeds.
const UNSEEN = /(?:(?![\t\n])[\p{Cc}\p{Default_Ignorable_Code_Point}\u2028\u2029\ufff9-\ufffb])+/gu;

// Each run of such characters is named in an element of its own, up to so many: 256 KiB can hold 130,000, and the fonts that their
// names need would take the browser 15 s. Further ones are points.
const MAX_UNSEEN = 2_000;

/**
 * The text as { node, marks }. `places` are { start, end } or null; `marks` has the element of each place, or null. A mark says the
 * numbers of its places, from 1, in `data-places`.
 */
export function textView(text, places) {
  const node = element("pre", { class: "code source", tabindex: "0", role: "region", "aria-label": say("letter.bytes_label") });
  const marks = places.map(() => null);
  const seen = { unseen: 0 };
  let at = 0;
  for (const { start, end, numbers } of joined(places)) {
    node.append(...visible(text.slice(at, start), seen));
    const inside = start === end ? [element("span", { class: "unseen-character" }, say("letter.end"))] : visible(text.slice(start, end), seen);
    const mark = element("mark", { tabindex: "-1", "data-places": numbers.join(", ") }, ...inside);
    for (const number of numbers) marks[number - 1] = mark;
    node.append(mark);
    at = end;
  }
  node.append(...visible(text.slice(at), seen));
  return { node, marks };
}

/** The places in order, those that overlap made one, each with the numbers of those it stands for. */
function joined(places) {
  const known = places.flatMap((place, index) => (place === null ? [] : [{ ...place, numbers: [index + 1] }]));
  known.sort((a, b) => a.start - b.start || a.end - b.end);
  const merged = [];
  for (const place of known) {
    const last = merged.at(-1);
    const touches = last !== undefined && (place.start < last.end || place.start === last.start);
    if (touches) {
      last.end = Math.max(last.end, place.end);
      last.numbers.push(...place.numbers);
    } else merged.push(place);
  }
  return merged;
}

function visible(text, seen) {
  const nodes = [];
  let [at, plain] = [0, ""];
  for (const match of text.matchAll(UNSEEN)) {
    plain += text.slice(at, match.index);
    at = match.index + match[0].length;
    seen.unseen += 1;
    if (seen.unseen > MAX_UNSEEN) plain += "·".repeat(match[0].length);
    else {
      nodes.push(plain, element("span", { class: "unseen-character" }, Array.from(match[0], nameOf).join("")));
      plain = "";
    }
  }
  nodes.push(plain + text.slice(at));
  return nodes.filter((node) => node !== "");
}

/** What stands for a character that can't be seen: the picture that Unicode has of it, or its number. */
function nameOf(character) {
  const code = character.codePointAt(0);
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  if (code === 0x7f) return "\u2421";
  return `\u27e8U+${code.toString(16).toUpperCase().padStart(4, "0")}\u27e9`;
}
