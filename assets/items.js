// The items of an order: a table with totals, which narrow screens show as cards.

import { element, moreButton } from "./dom.js";
import { add, decimal, equal, plain } from "./decimal.js";
import { get, others } from "./json.js";
import { say, sayParts } from "./language.js";
import { amount, code, digits, otherFields, text } from "./value.js";

// [key, how it is shown, whether it counts something and stands to the right]; brand stands below name.
const COLUMNS = [
  ["name", text, false],
  ["price", amount, true],
  ["sale", text, true],
  ["total_price", amount, true],
  ["size", text, false],
  ["status", text, true],
  ["nm_id", code, true],
  ["chrt_id", code, true],
  ["rid", code, false],
  ["track_number", code, false],
];
const NAMED_AS_KEYS = ["nm_id", "chrt_id", "rid"];
const KNOWN = [...COLUMNS.map(([key]) => key), "brand"];

// An order of 256 KiB can hold 80,000 items; the page stays quick by drawing so many at a time.
const ROWS_AT_A_TIME = 500;

/** The section of the items. `currency` and `goods` are the payment's currency and goods_total. */
export function itemsSection(items, currency, goods) {
  const list = items?.kind === "array" ? items.items : [];
  const section = element("section", { class: "items" }, element("h3", {}, say("order.items", { n: list.length })));
  if (list.length === 0) {
    section.append(element("p", { class: "note" }, say("order.no_items")));
    return section;
  }
  const body = element("tbody", { role: "rowgroup" });
  const table = element("table", { role: "table", "aria-label": say("order.items_label") }, head(), body, foot(list, currency));
  section.append(element("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": say("order.items_scroll") }, table));
  section.append(...more(list, body), ...remark(list, goods));
  return section;
}

function head() {
  const cells = COLUMNS.map(([key, , counts]) => cell("th", key, counts, { scope: "col", title: key }, heading(key)));
  return group("thead", row("", cell("th", "position", true, { scope: "col" }, "№"), ...cells));
}

// Identifiers are called what orders call them; the name of an item stands for the item.
function heading(key) {
  if (key === "name") return say("field.item");
  return NAMED_AS_KEYS.includes(key) ? key : say(`field.${key}`);
}

/** The row of an item, and one more below it when it has fields that the columns don't show. */
function rows(item, position) {
  const cells = COLUMNS.map(([key, show, counts]) => cell("td", key, counts, { "data-label": heading(key) }, show(get(item, key))));
  cells[0].append(element("span", { class: "brand", title: "brand" }, text(get(item, "brand"))));
  const extra = otherFields(others(item, KNOWN), "h4");
  const number = cell("td", "position", true, {}, String(position));
  if (extra.length === 0) return [row("", number, ...cells)];
  return [row("continued", number, ...cells), row("extra", cell("td", "", false, { colspan: "11" }, ...extra))];
}

function foot(list, currency) {
  const named = currency?.kind === "string" && currency.text.trim() !== "";
  const unit = named ? [" ", element("bdi", { class: "currency" }, currency.text)] : [];
  return group(
    "tfoot",
    row(
      "",
      cell("th", "all", false, { scope: "row", colspan: "2" }, say("order.all_items"), ...unit),
      cell("td", "price", true, { "data-label": say("order.prices") }, ...total(list, "price")),
      cell("td", "sale", true, {}),
      cell("td", "total_price", true, { "data-label": say("field.total_price") }, ...total(list, "total_price")),
      cell("td", "rest", false, { colspan: "6" }),
    ),
  );
}

// Narrow screens lay the table out as cards, which takes its meaning away from what reads it aloud: the roles
// give it back.
const ROLES = { thead: "rowgroup", tfoot: "rowgroup", td: "cell", col: "columnheader", row: "rowheader" };

function group(tag, ...children) {
  return element(tag, { role: ROLES[tag] }, ...children);
}

function row(style, ...children) {
  return element("tr", { role: "row", class: style }, ...children);
}

function cell(tag, name, counts, attributes, ...children) {
  const style = counts ? `${name} count` : name;
  return element(tag, { role: ROLES[attributes.scope ?? tag], class: style, ...attributes }, ...children);
}

/** The exact sum of a price over all items; says so when some of them don't state it. */
function total(list, key) {
  const stated = amounts(list, key);
  if (stated.length === 0) return [element("span", { class: "quiet" }, "—")];
  const sum = digits(plain(stated.reduce(add)));
  if (stated.length === list.length) return [sum];
  return [sum, element("span", { class: "part" }, say("order.part", { n: stated.length }))];
}

function amounts(list, key) {
  return list
    .map((item) => get(item, key))
    .map((value) => (value?.kind === "number" ? decimal(value.source) : null))
    .filter((value) => value !== null);
}

function remark(list, goods) {
  const stated = amounts(list, "total_price");
  const claimed = goods?.kind === "number" ? decimal(goods.source) : null;
  if (claimed === null || stated.length < list.length || equal(stated.reduce(add), claimed)) return [];
  return [element("p", { class: "note" }, ...sayParts("order.other_total", { sum: digits(plain(claimed)) }))];
}

/** Draws the first rows; gives a button for the others when there are any. */
function more(list, body) {
  let drawn = 0;
  const draw = () => {
    const next = list.slice(drawn, drawn + ROWS_AT_A_TIME);
    body.append(...next.flatMap((item, index) => rows(item, drawn + index + 1)));
    drawn += next.length;
    return drawn < list.length;
  };
  return draw() ? [moreButton(() => say("order.more_items", { drawn, all: list.length }), draw)] : [];
}
