// One dead letter: what is wrong with it and where, its bytes, what happened to it.

import { ask } from "./answer.js";
import { textView } from "./bytes.js";
import { backToDesk, noteOpened, showLocked, showUnread } from "./desk.js";
import { button, element } from "./dom.js";
import { draft, editOf } from "./drafts.js";
import { draw, message, viewLink } from "./frame.js";
import { bytesOf, firstBroken, hexView, offsetOf } from "./hex.js";
import { codeText, say } from "./language.js";
import { historySection, letterPath } from "./lineage.js";
import { faultOf, placesOf, positionsOf, rootOf } from "./locate.js";
import { shareTools } from "./lookup.js";
import { mendSection } from "./mend.js";
import { token } from "./token.js";
import { facts } from "./value.js";

// Rows of 16 bytes need so much room; narrower ones have 8.
const WIDE = "(min-width: 62rem)";

/** Shows the dead letter of this id. */
export function letterView(id, signal, again) {
  noteOpened(id);
  const kept = typeof draft(editOf(id)) === "string" ? [say("mend.kept")] : [];
  if (token() === null) return showLocked(say("letter.name", { id }), again, ...kept);
  const show = (answer) => {
    if (answer.status === 200) showLetter(JSON.parse(answer.text), signal, again);
    else if (answer.status === 404) showMissing(id);
    else showUnread(answer, again);
  };
  ask(letterPath(id), say("answer.desk_unread"), signal, show, true);
}

function showMissing(id) {
  const title = say("letter.missing", { id });
  draw(title, title, message(title, [], backToDesk()));
}

function showLetter(letter, signal, again) {
  const name = say("letter.name", { id: String(letter.id) });
  const view = bodyOf(letter);
  const isShown = () => new URLSearchParams(location.search).get("dead_letter") === String(letter.id);
  const mend = mendSection(letter, isShown, again);
  const content = element(
    "article",
    { class: "order letter" },
    element(
      "header",
      {},
      element("p", { class: "kind" }, backToDesk()),
      element("h2", {}, name, " ", element("span", { class: "badge" }, codeText("resolution", letter.resolution))),
      element("div", { class: "tools" }, ...shareTools(), saveLink(letter, signal)),
      facts(about(letter)),
      mend.node,
    ),
    element(
      "section",
      { class: "errors" },
      element("h3", {}, say("letter.errors", { n: view.errors.length })),
      element("ol", {}, ...view.errors.map(errorRow)),
    ),
    element(
      "section",
      { class: "bytes" },
      element("h3", {}, say("letter.bytes", { size: say("letter.size_bytes", { n: letter.bytes }) })),
      ...cutOff(letter),
      ...view.nodes,
    ),
    historySection(letter, signal, again),
  );
  draw(name, mend.told?.textContent ?? `${name}: ${codeText("reason", letter.reason)}`, content, mend.told);
}

function about(letter) {
  const code = (value) => element("bdi", { class: "code" }, value);
  const uid =
    letter.order_uid === null
      ? element("span", { class: "quiet" }, say("letter.no_uid"))
      : viewLink({ order_uid: letter.order_uid }, code(letter.order_uid));
  return [
    [say("letter.uid"), uid],
    [say("letter.source"), element("bdi", {}, letter.source)],
    [say("letter.channel"), element("bdi", {}, letter.channel)],
    [say("letter.sequence"), String(letter.sequence)],
    [say("letter.message_id"), code(letter.message_id)],
  ];
}

/** Says it when only the beginning of the bytes is kept. */
function cutOff(letter) {
  if (letter.truncated !== true) return [];
  const shown = say("letter.size_bytes", { n: bytesOf(letter.payload_base64).length });
  return [element("p", { class: "note" }, say("letter.truncated", { shown }))];
}

/** What is shown of the bytes, and the errors as { pointer, code, label, about, said, where, mark }. */
function bodyOf(letter) {
  const bytes = bytesOf(letter.payload_base64);
  if (letter.bytes === 0) return { errors: [whole(letter, null, "")], nodes: [element("p", { class: "note" }, say("letter.no_bytes"))] };
  if (letter.payload_text === null) {
    // What was cut off may end in half a character, which is no fault of the message.
    const broken = letter.reason === "not_utf8" ? firstBroken(bytes) : -1;
    const { nodes, mark } = hexView(bytes, broken, matchMedia(WIDE).matches ? 16 : 8);
    const where = broken === -1 ? "" : say("letter.offset", { at: offsetOf(broken) });
    return { errors: listed(letter, [mark], [where]), nodes };
  }
  const text = letter.payload_text;
  const [places, what] = placed(letter, text);
  const { node, marks } = textView(text, places);
  const order = places.map((_, index) => index).filter((index) => places[index] !== null);
  order.sort((a, b) => places[a].start - places[b].start);
  const positions = positionsOf(text, order.map((index) => places[index].start));
  const where = places.map(() => "");
  for (const [nth, index] of order.entries()) where[index] = say("letter.place", positions[nth]);
  return { errors: listed(letter, marks, where, what), nodes: [node] };
}

/** The place of each error and, for what is not JSON, what is wrong there. */
function placed(letter, text) {
  if (letter.reason === "not_json") {
    const fault = faultOf(text);
    return [[fault], fault === null ? "" : say(`syntax.${fault.what}`)];
  }
  if (letter.reason === "not_object") return [[rootOf(text)], ""];
  if (letter.errors.length === 0) return [[null], ""];
  return [placesOf(letter.errors, text), ""];
}

function listed(letter, marks, where, what = "") {
  if (letter.errors.length === 0) return [whole(letter, marks[0], where[0], what)];
  return letter.errors.map(({ pointer, code, message: said }, index) => ({
    pointer,
    code,
    label: codeText(pointer === "" ? "reason" : "code", code),
    said,
    where: marks[index] === null && pointer !== "" ? say("letter.no_place") : where[index],
    mark: marks[index],
  }));
}

/** The reason as the one error of a message that names no field. */
function whole({ reason, detail }, mark, where, what) {
  const about = codeText("about", reason, { what });
  // A place of our own is to the point; the two would count differently.
  const said = where === "" ? detail : detail?.replace(/ at line [0-9]+ column [0-9]+/, "");
  return { pointer: "", code: reason, label: codeText("reason", reason), about, said: said ?? "", where, mark };
}

function errorRow({ pointer, code, label, about = "", said, where, mark }) {
  // What names no field is called by its place.
  const [place, line] = pointer === "" ? [where || say("letter.whole"), ""] : [element("bdi", { class: "code" }, pointer), where];
  const go = () => {
    mark.scrollIntoView({ block: "center" });
    mark.focus({ preventScroll: true });
  };
  const lines = [
    element("p", {}, element("strong", {}, label), " ", element("span", { class: "code quiet" }, code)),
    element("p", {}, about),
    // In the words of the service, which speaks English.
    element("p", { lang: "en" }, said),
    element("p", { class: "quiet" }, line),
  ];
  return element("li", {}, mark === null ? place : button(place, go), ...lines.filter((node) => node.textContent !== ""));
}

/** The payload as a file, to be mended and published again. */
function saveLink(letter, signal) {
  const url = URL.createObjectURL(new Blob([bytesOf(letter.payload_base64)], { type: "application/octet-stream" }));
  signal.addEventListener("abort", () => URL.revokeObjectURL(url));
  return element("a", { href: url, download: `dead-letter-${letter.id}.${letter.payload_text === null ? "bin" : "json"}` }, say("letter.save"));
}
