// An order laid out for a person.

import { copyText } from "./clipboard.js";
import { button, element } from "./dom.js";
import { add, decimal, equal, plain } from "./decimal.js";
import { itemsSection } from "./items.js";
import { format, get, others } from "./json.js";
import { say, sayParts } from "./language.js";
import { amount, code, date, digits, facts, otherFields, text, unixSeconds } from "./value.js";

// [key, how it is shown]; the label of a key is the text `field.KEY`.
const ORDER = [
  ["track_number", code],
  ["date_created", date],
  ["customer_id", text],
  ["delivery_service", text],
  ["entry", text],
  ["locale", text],
  ["shardkey", text],
  ["oof_shard", text],
  ["sm_id", text],
  ["internal_signature", text],
];
const DELIVERY = [
  ["name", text],
  ["phone", text],
  ["email", text],
  ["address", text],
  ["city", text],
  ["region", text],
  ["zip", text],
];
const PAYMENT = [
  ["payment_dt", unixSeconds],
  ["provider", text],
  ["bank", text],
  ["currency", text],
  ["transaction", code],
  ["request_id", code],
];
const SUMS = ["goods_total", "delivery_cost", "custom_fee", "amount"];
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
      element("p", { class: "kind" }, say("order.kind")),
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
        element("h3", {}, say("order.delivery")),
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
  return fields.map(([key, show]) => [say(`field.${key}`), show(get(object, key)), key]);
}

function paymentSection(payment) {
  const currency = get(payment, "currency");
  const named = currency?.kind === "string" && currency.text.trim() !== "";
  const sums = SUMS.map((key) => {
    const value = get(payment, key);
    const unit = named && value?.kind === "number" ? [" ", element("bdi", { class: "currency" }, currency.text)] : [];
    return [say(`field.${key}`), element("span", {}, amount(value), ...unit), key];
  });
  return element(
    "section",
    { class: "payment" },
    element("h3", {}, say("order.payment")),
    facts(sums, { class: "sums" }),
    ...remark(payment),
    facts(rows(payment, PAYMENT)),
    ...otherFields(others(payment, [...SUMS, ...keys(PAYMENT)]), "h4"),
  );
}

/** Publishers are free to state an amount that is not the sum of its parts; a reader wants to know. */
function remark(payment) {
  const [goods, delivery, fee, stated] = SUMS.map((key) => {
    const value = get(payment, key);
    return value?.kind === "number" ? decimal(value.source) : null;
  });
  if ([goods, delivery, fee, stated].includes(null)) return [];
  const sum = [goods, delivery, fee].reduce(add);
  if (equal(sum, stated)) return [];
  return [element("p", { class: "note" }, ...sayParts("order.other_amount", { sum: digits(plain(sum)) }))];
}

/** The document itself; indented when it is opened, since most readers never do. */
function source(order, published, size) {
  const text = element("pre", { class: "code source", tabindex: "0", "aria-label": say("order.json_label") });
  const copied = element("span", { class: "quiet", role: "status" });
  const copy = button(say("copy.published"), async () => {
    copied.textContent = (await copyText(published)) ? say("copy.bytes", { n: size }) : say("copy.refused");
  });
  const details = element(
    "details",
    { class: "json" },
    element("summary", {}, say("order.json", { size: say("letter.size_bytes", { n: size }) })),
    element("p", { class: "tools" }, copy, copied),
    text,
  );
  details.addEventListener("toggle", () => {
    if (text.firstChild === null) text.append(format(order));
  });
  return details;
}
