// The look-up of an order: what is shown for an answer of GET /order.

import { ask, showRefusal } from "./answer.js";
import { copyText } from "./clipboard.js";
import { button, element } from "./dom.js";
import { draw, message, viewLink } from "./frame.js";
import { get, parse } from "./json.js";
import { say, sayParts } from "./language.js";
import { orderView } from "./order.js";

const SAMPLE = "b563feb7b2b84b6test";

/** Shows the order of this uid, or why there is none; `again` looks once more. */
export function showOrder(uid, signal, again) {
  const tryAgain = () => button(say("answer.again"), again);
  ask(documentLink(uid), say("answer.order_unread"), signal, (answer) => {
    if (answer.status === 200) order(uid, answer, tryAgain);
    else if (answer.status === 404) missing(uid, tryAgain);
    else if (answer.status === 400) showRefusal(say("answer.not_uid"), answer);
    else showRefusal(say("answer.status", { status: String(answer.status) }), answer, tryAgain());
  });
}

function documentLink(uid) {
  return `order?${new URLSearchParams({ order_uid: uid })}`;
}

function order(uid, answer, tryAgain) {
  let document;
  try {
    document = parse(answer.text);
  } catch (error) {
    const why = say("answer.not_json", { what: say(`syntax.${error.what}`), at: error.at + 1 });
    draw(say("answer.unreadable"), why, message(say("answer.not_order"), [why], tryAgain()));
    return;
  }
  const json = element("a", { href: documentLink(uid) }, say("order.json_link"));
  const items = say("order.count", { n: get(document, "items")?.items?.length ?? 0 });
  const said = say("order.said", { uid, items });
  draw(uid, said, orderView(document, answer.text, answer.size, [...shareTools(), json]));
}

/** The button that copies the address of the view, and what it says then. */
export function shareTools() {
  const said = element("span", { class: "quiet", role: "status" });
  const share = button(say("copy.link"), async () => {
    said.textContent = say((await copyText(location.href)) ? "copy.done" : "copy.refused");
  });
  return [said, share];
}

function missing(uid, tryAgain) {
  const lines = [element("bdi", { class: "code" }, uid), say("answer.missing_why")];
  const actions = [tryAgain()];
  if (uid.trim() !== uid && uid.trim() !== "") {
    lines.push(say("answer.space"));
    actions.push(viewLink({ order_uid: uid.trim() }, say("answer.without_space")));
  }
  draw(say("answer.missing"), say("answer.missing_said", { uid }), message(say("answer.missing_title"), lines, ...actions));
}

/** What helps with the first look-up. */
export function welcome() {
  const sample = viewLink({ order_uid: SAMPLE }, element("span", { class: "code" }, SAMPLE));
  const address = new URL(documentLink(SAMPLE), document.baseURI);
  return element(
    "section",
    { class: "message" },
    element("h2", {}, say("welcome.title")),
    element("p", {}, ...sayParts("welcome.example", { uid: sample })),
    element("p", {}, say("welcome.command")),
    element("pre", { class: "command" }, `curl '${address}'`),
    element("p", { class: "quiet keys" }, ...sayParts("welcome.key", { key: element("kbd", {}, "/") })),
  );
}
