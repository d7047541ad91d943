// An order laid out for a person.

import { button, element } from "./dom.js";
import { add, decimal, equal, plain } from "./decimal.js";
import { itemsSection } from "./items.js";
import { format, get, others } from "./json.js";
import { amount, code, date, digits, facts, otherFields, text, unixSeconds } from "./value.js";

// [key, label, how it is shown]
const ORDER = [
  ["track_number", "Track number", code],
  ["date_created", "Created", date],
  ["customer_id", "Customer", text],
  ["delivery_service", "Delivery service", text],
  ["entry", "Entry", text],
  ["locale", "Locale", text],
  ["shardkey", "Shard key", text],
  ["oof_shard", "OOF shard", text],
  ["sm_id", "SM id", text],
  ["internal_signature", "Signature", text],
];
const DELIVERY = [
  ["name", "Name", text],
  ["phone", "Phone", text],
  ["email", "Email", text],
  ["address", "Address", text],
  ["city", "City", text],
  ["region", "Region", text],
  ["zip", "Postcode", text],
];
const PAYMENT = [
  ["payment_dt", "Paid", unixSeconds],
  ["provider", "Provider", text],
  ["bank", "Bank", text],
  ["currency", "Currency", text],
  ["transaction", "Transaction", code],
  ["request_id", "Request", code],
];
const SUMS = [
  ["goods_total", "Goods"],
  ["delivery_cost", "Delivery"],
  ["custom_fee", "Custom fee"],
  ["amount", "Amount"],
];
const PARTS = ["order_uid", "delivery", "payment", "items", ...keys(ORDER)];

/** The order as an element. `tools` are the buttons next to its uid; `published` is its text, `size` that in bytes. */
export function orderView(order, published, size, tools) {
  const delivery = get(order, "delivery");
  const payment = get(order, "payment");
  return element(
    "article",
    { class: "order" },
    element(
      "header",
      {},
      element("p", { class: "kind" }, "Order"),
      element("h2", {}, code(get(order, "order_uid"))),
      element("div", { class: "tools" }, ...tools),
      facts(rows(order, ORDER)),
    ),
    element(
      "div",
      { class: "pair" },
      element(
        "section",
        { class: "delivery" },
        element("h3", {}, "Delivery"),
        facts(rows(delivery, DELIVERY)),
        ...otherFields(others(delivery, keys(DELIVERY)), "h4"),
      ),
      paymentSection(payment),
    ),
    itemsSection(get(order, "items"), get(payment, "currency"), get(payment, "goods_total")),
    ...otherFields(others(order, PARTS), "h3"),
    source(order, published, size),
  );
}

function keys(fields) {
  return fields.map(([key]) => key);
}

function rows(object, fields) {
  return fields.map(([key, label, show]) => [label, show(get(object, key)), key]);
}

function paymentSection(payment) {
  const currency = get(payment, "currency");
  const named = currency?.kind === "string" && currency.text.trim() !== "";
  const sums = SUMS.map(([key, label]) => {
    const value = get(payment, key);
    const unit = named && value?.kind === "number" ? [" ", element("bdi", { class: "currency" }, currency.text)] : [];
    return [label, element("span", {}, amount(value), ...unit), key];
  });
  return element(
    "section",
    { class: "payment" },
    element("h3", {}, "Payment"),
    facts(sums, { class: "sums" }),
    ...remark(payment),
    facts(rows(payment, PAYMENT)),
    ...otherFields(others(payment, [...keys(SUMS), ...keys(PAYMENT)]), "h4"),
  );
}

/** Publishers are free to state an amount that is not the sum of its parts; a reader wants to know. */
function remark(payment) {
  const [goods, delivery, fee, stated] = SUMS.map(([key]) => {
    const value = get(payment, key);
    return value?.kind === "number" ? decimal(value.source) : null;
  });
  if ([goods, delivery, fee, stated].includes(null)) return [];
  const sum = [goods, delivery, fee].reduce(add);
  if (equal(sum, stated)) return [];
  return [element("p", { class: "note" }, "The parts add up to ", digits(plain(sum)), ", not to the amount.")];
}

/** The document itself; indented when it is opened, since most readers never do. */
function source(order, published, size) {
  const text = element("pre", { class: "code source", tabindex: "0", "aria-label": "JSON of the order" });
  const copied = element("span", { class: "quiet", role: "status" });
  const copy = button("Copy as published", async () => {
    copied.textContent = (await copyText(published)) ? `${size} bytes copied` : "The browser did not allow it";
  });
  const details = element(
    "details",
    { class: "json" },
    element("summary", {}, `JSON, ${size} bytes`),
    element("p", { class: "tools" }, copy, copied),
    text,
  );
  details.addEventListener("toggle", () => {
    if (text.firstChild === null) text.append(format(order));
  });
  return details;
}

/** Puts text on the clipboard; resolves to whether that worked. */
export async function copyText(content) {
  // Over plain HTTP from another machine there is no navigator.clipboard: then by way of a selection.
  if (navigator.clipboard !== undefined) {
    try {
      await navigator.clipboard.writeText(content);
      return true;
    } catch {
      // Refused by a permission; the older way needs none.
    }
  }
  const field = element("textarea", { class: "unseen", readonly: "" });
  const focused = document.activeElement;
  field.value = content;
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  focused?.focus();
  return done;
}
