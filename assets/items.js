// The items of an order: a table with totals, which narrow screens show as cards.

import { button, element } from "./dom.js";
import { add, decimal, equal, plain } from "./decimal.js";
import { get, others } from "./json.js";
import { amount, code, digits, otherFields, text } from "./value.js";

// [key, heading, how it is shown, whether it counts something and stands to the right]; brand stands below name.
const COLUMNS = [
  ["name", "Item", text, false],
  ["price", "Price", amount, true],
  ["sale", "Sale, %", text, true],
  ["total_price", "Total", amount, true],
  ["size", "Size", text, false],
  ["status", "Status", text, true],
  ["nm_id", "nm_id", code, true],
  ["chrt_id", "chrt_id", code, true],
  ["rid", "rid", code, false],
  ["track_number", "Track number", code, false],
];
const KNOWN = [...COLUMNS.map(([key]) => key), "brand"];

// An order of 256 KiB can hold 80,000 items; the page stays quick by drawing so many at a time.
const ROWS_AT_A_TIME = 500;

/** The section of the items. `currency` and `goods` are the payment's currency and goods_total. */
export function itemsSection(items, currency, goods) {
  const list = items?.kind === "array" ? items.items : [];
  const section = element("section", { class: "items" }, element("h3", {}, `Items (${list.length})`));
  if (list.length === 0) {
    section.append(element("p", { class: "note" }, "The order has no items."));
    return section;
  }
  const body = element("tbody", { role: "rowgroup" });
  const table = element("table", { role: "table", "aria-label": "Items" }, head(), body, foot(list, currency));
  section.append(element("div", { class: "scroll", role: "region", tabindex: "0", "aria-label": "Items, scrolls sideways" }, table));
  section.append(...more(list, body), ...remark(list, goods));
  return section;
}

function head() {
  const cells = COLUMNS.map(([key, heading, , counts]) => cell("th", key, counts, { scope: "col", title: key }, heading));
  return group("thead", row("", cell("th", "position", true, { scope: "col" }, "№"), ...cells));
}

/** The row of an item, and one more below it when it has fields that the columns don't show. */
function rows(item, position) {
  const cells = COLUMNS.map(([key, heading, show, counts]) => cell("td", key, counts, { "data-label": heading }, show(get(item, key))));
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
      cell("th", "all", false, { scope: "row", colspan: "2" }, "All items", ...unit),
      cell("td", "price", true, { "data-label": "Prices" }, ...total(list, "price")),
      cell("td", "sale", true, {}),
      cell("td", "total_price", true, { "data-label": "Total" }, ...total(list, "total_price")),
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
  return [sum, element("span", { class: "part" }, `of ${stated.length} that state it`)];
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
  return [element("p", { class: "note" }, "The payment states another total for the goods: ", digits(plain(claimed)), ".")];
}

/** Draws the first rows; gives a button for the others when there are any. */
function more(list, body) {
  let drawn = 0;
  const draw = () => {
    const next = list.slice(drawn, drawn + ROWS_AT_A_TIME);
    body.append(...next.flatMap((item, index) => rows(item, drawn + index + 1)));
    drawn += next.length;
  };
  draw();
  if (drawn === list.length) return [];
  const label = () => `Show more items: ${drawn} of ${list.length} are shown`;
  const next = button(label(), () => {
    draw();
    if (drawn === list.length) next.remove();
    else next.textContent = label();
  });
  next.classList.add("more");
  return [next];
}
