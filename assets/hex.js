// Bytes that are no text: base64, UTF-8, and a view in hexadecimal.

import { element, moreButton } from "./dom.js";
import { say } from "./language.js";

// A payload can have 256 KiB; its rows are drawn so many at a time.
const ROWS_AT_A_TIME = 2_048;

/** The bytes that a base64 text stands for. */
export function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

/** The place of the first byte at which UTF-8 breaks, or -1. */
export function firstBroken(bytes) {
  let at = 0;
  while (at < bytes.length) {
    const length = lengthAt(bytes, at);
    if (length === 0) return at;
    at += length;
  }
  return -1;
}

/** How many bytes the character there has; 0 when there is none. The ranges are those of RFC 3629, section 4. */
function lengthAt(bytes, at) {
  const lead = bytes[at];
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  const least = { 0xe0: 0xa0, 0xf0: 0x90 }[lead] ?? 0x80;
  const most = { 0xed: 0x9f, 0xf4: 0x8f }[lead] ?? 0xbf;
  const second = bytes[at + 1];
  if (second === undefined || second < least || second > most) return 0;
  for (let next = at + 2; next < at + length; next += 1) {
    if (bytes[next] === undefined || bytes[next] < 0x80 || bytes[next] > 0xbf) return 0;
  }
  return length;
}

/** The bytes in rows of `width` as { nodes, mark }; the byte at `broken`, unless that is -1, is the mark. */
export function hexView(bytes, broken, width) {
  const view = element("pre", { class: "code source hex", tabindex: "0", role: "region", "aria-label": say("letter.hex_label") });
  const mark = broken === -1 ? null : element("mark", { tabindex: "-1", "data-places": "1" }, hex(bytes[broken], 2));
  const last = Math.ceil(bytes.length / width);
  let drawn = 0;
  const draw = (rows) => {
    const end = Math.min(last, drawn + rows);
    let text = "";
    for (; drawn < end; drawn += 1) {
      const start = drawn * width;
      const row = bytes.subarray(start, start + width);
      const cells = Array.from(row, (byte) => hex(byte, 2));
      text += `${offsetOf(start)}  `;
      if (broken >= start && broken < start + row.length) {
        const before = cells.slice(0, broken - start);
        view.append(text + before.map((cell) => `${cell} `).join(""), mark);
        text = cells.slice(before.length + 1).map((cell) => ` ${cell}`).join("");
      } else text += cells.join(" ");
      text += `${"   ".repeat(width - row.length)}  ${Array.from(row, printable).join("")}\n`;
    }
    view.append(text);
    return drawn < last;
  };
  // At once as far as the mark, with some of what follows it.
  const left = draw(Math.max(ROWS_AT_A_TIME, Math.ceil(broken / width) + 64));
  const label = () => say("letter.more_bytes", { drawn: Math.min(drawn * width, bytes.length), all: bytes.length });
  return { nodes: left ? [view, moreButton(label, () => draw(ROWS_AT_A_TIME))] : [view], mark };
}

/** A place among the bytes, from 0, as the rows of the view begin with it. */
export function offsetOf(at) {
  return hex(at, 5);
}

function hex(value, digits) {
  return value.toString(16).padStart(digits, "0");
}

function printable(byte) {
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·";
}
