// How one value of an order is shown. Each function takes a value of json.js, or undefined for a missing
// key, and gives a node.

import { fromText, fromUnixSeconds } from "./date.js";
import { decimal, plain } from "./decimal.js";
import { element } from "./dom.js";
import { format } from "./json.js";
import { say } from "./language.js";

/** What stands for a value that is not there; the title says whether the key is missing or null. */
export function nothing(value) {
  const why = say(value === undefined ? "value.missing" : "value.null");
  return element("span", { class: "quiet", role: "img", "aria-label": why, title: why }, "—");
}

/** Text or number as it is; anything else as JSON. */
export function text(value) {
  if (value === undefined || value.kind === "null") return nothing(value);
  if (value.kind === "number") return element("bdi", {}, value.source);
  if (value.kind !== "string") return json(value);
  if (value.text === "") return element("span", { class: "quiet" }, say("value.empty"));
  // bdi: text that runs from right to left must not reorder what stands next to it.
  if (value.text.trim() === "") return element("bdi", { class: "code" }, value.source);
  return element("bdi", {}, value.text);
}

/** An identifier: text in a fixed-width face. */
export function code(value) {
  const node = text(value);
  if (!node.classList.contains("quiet")) node.classList.add("code");
  return node;
}

/** An exact amount, written out without an exponent. */
export function amount(value) {
  return value?.kind === "number" ? digits(written(value.source)) : text(value);
}

/** Digits in groups of three. The groups are set apart by style alone, so that a copy is the bare number. */
export function digits(number) {
  const [whole, fraction] = number.split(".");
  const node = element("span", { class: "number" });
  for (const group of whole.match(/^-|[0-9]{1,3}(?=(?:[0-9]{3})*$)/g) ?? [whole]) {
    node.append(element("span", {}, group));
  }
  if (fraction !== undefined) node.append(`.${fraction}`);
  return node;
}

function written(literal) {
  const exact = /[eE]/.test(literal) ? decimal(literal) : null;
  return exact === null ? literal : plain(exact);
}

/** A date text: readable in UTC, and as it was published. */
export function date(value) {
  return value?.kind === "string" ? both(fromText(value.text), value.text) : text(value);
}

/** Unix seconds: readable in UTC, and the number itself. */
export function unixSeconds(value) {
  return value?.kind === "number" ? both(fromUnixSeconds(value.source), value.source) : text(value);
}

function both(moment, published) {
  if (moment === null) {
    return element("span", {}, element("bdi", {}, published), " ", element("span", { class: "quiet" }, say("value.not_date")));
  }
  return element(
    "span",
    {},
    element("time", { datetime: moment.machine }, moment.human),
    " ",
    element("bdi", { class: "quiet code" }, published),
  );
}

/** A value that the page knows nothing about: text as text, the rest as exact JSON. */
export function unknown(value) {
  return value.kind === "string" ? text(value) : json(value);
}

function json(value) {
  const nested = value.kind === "object" || value.kind === "array";
  return element(nested ? "pre" : "bdi", { class: "code" }, format(value));
}

/** A list of names and values. `rows` are [name, node] or [name, node, key]. */
export function facts(rows, attributes = {}) {
  const list = element("dl", attributes);
  for (const [name, node, key] of rows) {
    list.append(element("div", {}, element("dt", key === undefined ? {} : { title: key }, name), element("dd", {}, node)));
  }
  return list;
}

// An order of 256 KiB can hold 40,000 unknown keys; nobody reads them one by one.
const MAX_UNKNOWN = 200;

/** The members that have no place of their own, under a heading of `level`; nothing when there are none. */
export function otherFields(members, level) {
  if (members.length === 0) return [];
  const rows = members.slice(0, MAX_UNKNOWN).map((m) => [element("bdi", {}, m.name === "" ? '""' : m.name), unknown(m.value)]);
  const left = members.length - rows.length;
  const rest = left === 0 ? [] : [element("p", { class: "note" }, say("order.more_fields", { n: left }))];
  return [element("section", { class: "other" }, element(level, {}, say("order.other_fields")), facts(rows), ...rest)];
}
