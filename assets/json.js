// JSON with every literal kept as it was written. JSON.parse turns 9223372036854775807 into
// 9223372036854775808, lets the last of two equal keys win and gives "__proto__" a meaning; an order is
// shown as it was published, so none of that will do.
//
// A value is one of
//   { kind: "object", members: [{ name, source, start, value }] }   in document order, equal names included
//   { kind: "array", items: [value] }
//   { kind: "string", source, text }                                 `source` with quotes and escapes as written
//   { kind: "number" | "boolean" | "null", source }
// and has its place in the text: `start`, and `end` past its last character. The `start` of a member is that of its name.

const SPACE = /[ \t\n\r]*/y;
// All of a string but its last quote.
const STRING = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const WORD = /true|false|null/y;

// The service accepts no deeper nesting; the limit keeps the recursion from exhausting the stack.
const MAX_DEPTH = 127;

// Past this depth the indentation stays, so that 256 KiB of nested brackets don't become 30 MB of spaces.
const MAX_INDENT = 20;

/**
 * Reads one JSON text. Accepts what JSON.parse accepts, to MAX_DEPTH; what it does not accept is a SyntaxError with `what` (the
 * key of a text, without its `syntax.`) and `at` (the character at fault, the length of the text when it ends too early).
 */
export function parse(text) {
  let at = 0;

  function fail(what) {
    throw Object.assign(new SyntaxError(`${what} at character ${at}`), { what: at === text.length ? "ends" : what, at });
  }

  function take(pattern) {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match === null) fail("token");
    at = pattern.lastIndex;
    return match[0];
  }

  // A string with its quotes; one that is broken is at fault where it breaks.
  function string() {
    const source = take(STRING);
    if (text[at] !== '"') fail("token");
    at += 1;
    return `${source}"`;
  }

  // Whether the next character past white space is `mark`; if so it is consumed.
  function next(mark) {
    take(SPACE);
    if (text[at] !== mark) return false;
    at += 1;
    return true;
  }

  // What stands in a pair of brackets, the `depth`th around it; the next character opens it.
  function list(close, depth, element) {
    if (depth > MAX_DEPTH) fail("deep");
    at += 1;
    const elements = [];
    if (next(close)) return elements;
    do elements.push(element(depth));
    while (next(","));
    if (!next(close)) fail("close");
    return elements;
  }

  function member(depth) {
    take(SPACE);
    const start = at;
    const source = string();
    if (!next(":")) fail("colon");
    return { name: JSON.parse(source), source, start, value: value(depth) };
  }

  function value(depth) {
    take(SPACE);
    const start = at;
    const read = unplaced(depth + 1);
    return { ...read, start, end: at };
  }

  function unplaced(depth) {
    if (text[at] === "{") return { kind: "object", members: list("}", depth, member) };
    if (text[at] === "[") return { kind: "array", items: list("]", depth, value) };
    if (text[at] === '"') {
      const source = string();
      return { kind: "string", source, text: JSON.parse(source) };
    }
    if (/[-0-9]/.test(text[at] ?? "")) return { kind: "number", source: take(NUMBER) };
    const source = take(WORD);
    return { kind: source === "null" ? "null" : "boolean", source };
  }

  const root = value(0);
  take(SPACE);
  if (at < text.length) fail("after");
  return root;
}

/** The value as indented text; only the white space differs from what was published. */
export function format(value, depth = 0) {
  if (value.kind === "object") {
    return block("{", "}", depth, value.members.map((m) => `${m.source}: ${format(m.value, depth + 1)}`));
  }
  if (value.kind === "array") {
    return block("[", "]", depth, value.items.map((item) => format(item, depth + 1)));
  }
  return value.source;
}

function block(open, close, depth, lines) {
  if (lines.length === 0) return open + close;
  const indent = (level) => "  ".repeat(Math.min(level, MAX_INDENT));
  const inner = `\n${indent(depth + 1)}`;
  return `${open}${inner}${lines.join(`,${inner}`)}\n${indent(depth)}${close}`;
}

/** The first member of that name, or undefined; also when `value` is no object at all. */
export function get(value, name) {
  return value?.kind === "object" ? value.members.find((m) => m.name === name)?.value : undefined;
}

/** The members that `names` does not speak for: unknown ones, and any repetition of a known one. */
export function others(value, names) {
  const seen = new Set();
  if (value?.kind !== "object") return [];
  return value.members.filter((m) => {
    const shown = names.includes(m.name) && !seen.has(m.name);
    seen.add(m.name);
    return !shown;
  });
}
