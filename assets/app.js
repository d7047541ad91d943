// The page: which order is asked for, how it is fetched, and what is said when there is none.

import { button, element } from "./dom.js";
import { get, parse } from "./json.js";
import { copyText, orderView } from "./order.js";

const SAMPLE = "b563feb7b2b84b6test";

// The service gives its store 10 s; past twice that nobody is going to answer.
const ANSWER_LIMIT_MS = 20_000;
const LONGEST_PAUSE_S = 30;

// Answers that say "not now": the service's own, and those of a proxy before it.
const NOT_NOW = [429, 502, 503, 504];

const form = document.getElementById("lookup");
const input = document.getElementById("order_uid");
const result = document.getElementById("result");
const announcement = document.getElementById("announce");

// Ends the lookup before the current one, so that only the last one asked for is ever drawn.
let lookup = new AbortController();

/** Draws what the address says. */
function open() {
  lookup.abort();
  lookup = new AbortController();
  const uid = new URLSearchParams(location.search).get("order_uid") ?? "";
  input.value = uid;
  if (uid === "") {
    draw("orderbox", "", welcome());
    input.focus();
  } else {
    look(uid, 1, lookup.signal);
  }
}

/** Goes to an order: a new entry in the history, unless it is the one that is open. */
function go(uid) {
  const address = link(uid);
  if (new URL(address, location).href === location.href) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  open();
}

function link(uid) {
  return `./?${new URLSearchParams({ order_uid: uid })}`;
}

function documentLink(uid) {
  return `order?${new URLSearchParams({ order_uid: uid })}`;
}

async function look(uid, attempt, signal) {
  result.setAttribute("aria-busy", "true");
  let answer;
  try {
    answer = await ask(uid, signal);
  } catch (error) {
    answer = { status: 0, text: String(error) };
  }
  if (signal.aborted) return;
  show(uid, answer, attempt, signal);
}

/** The answer's status, text and size; throws when there is none. */
async function ask(uid, signal) {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_LIMIT_MS)]);
  const response = await fetch(documentLink(uid), { signal: limit });
  const bytes = await response.arrayBuffer();
  return {
    status: response.status,
    text: new TextDecoder().decode(bytes),
    size: bytes.byteLength,
    retryAfter: Number(response.headers.get("Retry-After") ?? "0"),
  };
}

function show(uid, answer, attempt, signal) {
  if (answer.status === 200) showOrder(uid, answer);
  else if (answer.status === 404) showMissing(uid);
  else if (answer.status === 0 || NOT_NOW.includes(answer.status)) showOutage(uid, answer, attempt, signal);
  else if (answer.status === 400) showRefusal("This is not an order uid", answer);
  else showRefusal(`The service answered ${answer.status}`, answer, again());
}

function showOrder(uid, answer) {
  let order;
  try {
    order = parse(answer.text);
  } catch (error) {
    const why = `What came back for this order is not JSON (${error.message}). Is orderbox behind this address?`;
    draw("Unreadable", why, message("The answer is not an order", [why], again()));
    return;
  }
  const said = element("span", { class: "quiet", role: "status" });
  const share = button("Copy link", async () => {
    said.textContent = (await copyText(location.href)) ? "Copied" : "The browser did not allow it";
  });
  const json = element("a", { href: documentLink(uid) }, "Open as JSON");
  const items = get(order, "items")?.items?.length ?? 0;
  draw(uid, `Order ${uid}: ${items === 1 ? "1 item" : `${items} items`}`, orderView(order, answer.text, answer.size, [said, share, json]));
}

function showMissing(uid) {
  const lines = [
    element("bdi", { class: "code" }, uid),
    "An order can be read as soon as it was received and accepted. If it was published a moment ago, try again; a message that " +
      "was refused is kept as a dead letter and has no order.",
  ];
  const actions = [again()];
  if (uid.trim() !== uid && uid.trim() !== "") {
    lines.push("A space stands before or after this uid.");
    actions.push(orderLink(uid.trim(), "Look up without it"));
  }
  draw("Not found", `No order with the uid ${uid}`, message("No order with this uid", lines, ...actions));
}

function showRefusal(title, answer, ...actions) {
  const why = detail(answer) ?? "It gave no reason.";
  draw(title, `${title}: ${why}`, message(title, [why], ...actions));
}

/** Says what is wrong and tries again: after the pause that the service asks for, at once when the network is back. */
function showOutage(uid, answer, attempt, signal) {
  const title = answer.status === 0 ? "orderbox does not answer" : "The order can't be read right now";
  const why =
    answer.status === 0
      ? `Nothing answered at ${location.host}. The service may be stopped, or the network is down.`
      : (detail(answer) ?? `Answer ${answer.status}: the service is there but can't reach what it stores.`);
  const asked = Number.isFinite(answer.retryAfter) ? answer.retryAfter : 0;
  let left = Math.min(Math.max(asked, 2 ** (attempt - 1), 1), LONGEST_PAUSE_S);
  const countdown = element("p", { class: "quiet" });
  const tick = () => {
    countdown.textContent = `The page tries again in ${left} s (attempt ${attempt + 1}).`;
    if (left === 0) retry();
    left -= 1;
  };
  const waiting = new AbortController();
  const retry = () => {
    waiting.abort();
    look(uid, attempt + 1, signal);
  };
  const timer = setInterval(tick, 1000);
  waiting.signal.addEventListener("abort", () => clearInterval(timer));
  signal.addEventListener("abort", () => waiting.abort(), { once: true });
  addEventListener("online", retry, { signal: waiting.signal });
  tick();
  // Said once: a screen reader need not hear every try.
  draw(title, attempt === 1 ? `${title}. The page tries again by itself.` : null, message(title, [why, countdown], button("Try now", retry)));
}

/** The `detail` of a problem document, or undefined when the answer is something else. */
function detail(answer) {
  try {
    return get(parse(answer.text), "detail")?.text;
  } catch {
    return undefined;
  }
}

function again() {
  return button("Try again", open);
}

function orderLink(uid, ...label) {
  return element("a", { href: link(uid), "data-uid": uid }, ...label);
}

function message(title, lines, ...actions) {
  const paragraphs = lines.map((line) => (line instanceof Element && line.tagName === "P" ? line : element("p", {}, line)));
  return element("section", { class: "message" }, element("h2", {}, title), ...paragraphs, element("p", { class: "tools" }, ...actions));
}

function welcome() {
  const address = new URL(documentLink(SAMPLE), document.baseURI);
  return element(
    "section",
    { class: "message" },
    element("h2", {}, "Look up an order by its uid"),
    element("p", {}, "For example the sample order, ", orderLink(SAMPLE, element("span", { class: "code" }, SAMPLE)), "."),
    element("p", {}, "The same from the command line:"),
    element("pre", { class: "command" }, `curl '${address}'`),
    element("p", { class: "quiet keys" }, element("kbd", {}, "/"), " puts the cursor into the uid from anywhere on the page."),
  );
}

/** Puts `content` in the place of the result; `said` goes to screen readers, null leaves what was said. */
function draw(title, said, content) {
  const focused = result.contains(document.activeElement);
  document.title = title === "orderbox" ? title : `${title} · orderbox`;
  result.setAttribute("aria-busy", "false");
  result.replaceChildren(content);
  if (focused) result.focus();
  if (said !== null) announcement.textContent = said;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  go(input.value);
});

document.addEventListener("click", (event) => {
  const uid = event.target.closest?.("a[data-uid]")?.dataset.uid;
  const plainClick = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
  if (uid === undefined || !plainClick) return;
  event.preventDefault();
  go(uid);
});

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  input.focus();
  input.select();
});

addEventListener("popstate", open);

open();
