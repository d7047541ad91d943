// The dead-letter desk: which there are, by reason, newest first.

import { ask, showRefusal } from "./answer.js";
import { bulkSection } from "./bulk.js";
import { button, element } from "./dom.js";
import { draft, editOf } from "./drafts.js";
import { filterOf, listQuery, parametersOf } from "./filter.js";
import { filterForm } from "./filter_form.js";
import { draw, viewLink } from "./frame.js";
import { codeText, moment, number, say } from "./language.js";
import { forgetButton, token, tokenForm } from "./token.js";

const PAGE = 50;

// What the service knows of what became of a dead letter, and no filter at all.
const STATES = ["open", "replayed", "discarded", "all"];

// The dead letter that was opened last, and the list it was opened from: the way back leads to its place.
let opened = null;
let left = {};

/** Remembers which dead letter is open. */
export function noteOpened(id) {
  opened = String(id);
}

/** A link to the list as the reader left it. */
export function backToDesk() {
  return viewLink({ dead_letters: "", ...left }, say("letter.back"));
}

/** Shows the list that `asked`, the parameters of the address, names; `go` opens another address. */
export function deskView(asked, signal, again, go) {
  const filter = filterOf(asked);
  if (token() === null) return showLocked(say("desk.title"), again);
  left = parametersOf(filter);
  const show = (answer) => {
    if (answer.status === 200) showList(JSON.parse(answer.text), filter, signal, again, go);
    else showUnread(answer, again);
  };
  ask(`api/dead-letters?${listQuery(filter, PAGE)}`, say("answer.desk_unread"), signal, show, true);
}

/** What stands in place of dead letters while there is no token; `remarks` are further paragraphs. */
export function showLocked(title, again, ...remarks) {
  const { node, field, wrong } = tokenForm(say("token.why_desk"), again);
  node.prepend(...remarks.map((remark) => element("p", {}, remark)));
  draw(title, wrong ?? title, element("section", { class: "message" }, element("h2", {}, title), node), wrong === null ? null : field);
}

/** Says why dead letters could not be read; without the right to, how to get it. */
export function showUnread(answer, again) {
  if (answer.status === 401) return showLocked(say("desk.title"), again);
  // An address that the service does not understand is as wrong the next time.
  const way = answer.status === 400 ? viewLink({ dead_letters: "" }, say("letter.back")) : button(say("answer.again"), again);
  showRefusal(say("answer.status", { status: String(answer.status) }), answer, way);
}

function showList(page, filter, signal, again, go) {
  const title = say("desk.title");
  const letters = page.dead_letters;
  const rows = element("ol", { class: "rows letters" }, ...letters.map(row));
  const counts = page.open_by_reason;
  const noneIsOpen = filter.resolution === "open" && counts !== null && Object.keys(counts).length === 0;
  const none = say(noneIsOpen ? "desk.none_open" : "desk.none");
  const bulk = bulkSection(filter, signal, again);
  const content = element(
    "section",
    { class: "desk" },
    element("header", {}, element("h2", {}, title), element("p", { class: "quiet" }, say("desk.intro"))),
    element("div", { class: "filters" }, reasons(counts, filter), resolutions(filter)),
    filterForm(filter, go),
    bulk,
    letters.length === 0 ? element("p", { class: "none" }, none) : rows,
    paging(page, filter),
    element("p", { class: "tools" }, forgetButton(again)),
  );
  const said = say(page.next_before === null ? "desk.said" : "desk.said_more", { n: letters.length });
  const links = [...rows.querySelectorAll("[data-letter]")];
  // Who was in the bulk stays there; who comes back from a letter is at its place in the list.
  const stay = document.activeElement.closest(".bulk") === null ? null : bulk.querySelector("[tabindex], button");
  draw(title, said, content, links.find((link) => link.dataset.letter === opened) ?? stay);
  opened = null;
}

/** A link to the list with some of the filter changed; a page belongs to one filter, so another one begins anew. */
function listLink(filter, change, ...label) {
  return viewLink(parametersOf({ ...filter, before: "", ...change }), ...label);
}

function choice(filter, change, ...label) {
  const link = listLink(filter, change, ...label);
  if (Object.entries(change).every(([name, value]) => filter[name] === value)) link.setAttribute("aria-current", "true");
  return element("li", {}, link);
}

/** The reasons with how many of each are open; null when they were not counted. */
function reasons(counts, filter) {
  const names = Object.entries(counts ?? {}).sort(([, a], [, b]) => b - a);
  const all = names.reduce((sum, [, count]) => sum + count, 0);
  // A reason that is asked for stays on offer when none of it is left.
  if (filter.reason !== "" && names.every(([name]) => name !== filter.reason)) names.push([filter.reason, 0]);
  const count = (n) => (counts === null ? "" : element("span", { class: "count" }, number(n)));
  return element(
    "nav",
    { "aria-label": say("desk.reasons") },
    element(
      "ul",
      {},
      choice(filter, { reason: "" }, say("desk.every_reason"), " ", count(all)),
      ...names.map(([name, n]) => choice(filter, { reason: name }, codeText("reason", name), " ", count(n))),
    ),
  );
}

function resolutions(filter) {
  return element(
    "nav",
    { "aria-label": say("desk.resolutions") },
    element("ul", {}, ...STATES.map((state) => choice(filter, { resolution: state }, state === "all" ? say("desk.any_state") : codeText("resolution", state)))),
  );
}

function row(letter) {
  const at = new Date(letter.rejected_at);
  const link = viewLink({ dead_letter: letter.id }, `№ ${letter.id}`);
  link.dataset.letter = letter.id;
  const badge = (text) => element("span", { class: "badge" }, text);
  const state = letter.resolution === "open" ? [] : [badge(codeText("resolution", letter.resolution))];
  // What was typed there and not sent.
  if (typeof draft(editOf(letter.id)) === "string") state.push(badge(say("desk.edited")));
  return element(
    "li",
    {},
    element("p", { class: "lead" }, link, " ", element("strong", {}, codeText("reason", letter.reason)), " ", ...state),
    element(
      "div",
      {},
      element("p", {}, element("bdi", { class: "code" }, letter.order_uid ?? letter.message_id)),
      element("p", {}, ...firstError(letter)),
    ),
    element("time", { class: "quiet", datetime: letter.rejected_at }, moment(at)),
  );
}

function firstError({ errors, errors_total: total, reason }) {
  if (errors.length === 0) return [];
  const [{ pointer, code, message: why }] = errors;
  const place = pointer === "" ? codeText("reason", reason) : pointer;
  const more = total === 1 ? [] : [" ", element("span", { class: "quiet" }, say("desk.more_errors", { n: total - 1 }))];
  return [element("bdi", { class: "code" }, place), " ", element("span", { title: why }, codeText("code", code)), ...more];
}

function paging(page, filter) {
  const links = [];
  if (filter.before !== "") links.push(element("li", {}, listLink(filter, {}, say("desk.newest"))));
  if (page.next_before !== null) links.push(element("li", {}, listLink(filter, { before: String(page.next_before) }, say("desk.older"))));
  if (links.length === 0) return "";
  return element("nav", { class: "paging", "aria-label": say("desk.paging") }, element("ul", {}, ...links));
}
