// The page: which view the address asks for, and how the reader moves between views.

import { deskView } from "./desk.js";
import { draw, focusIsFree, message, viewLink } from "./frame.js";
import { homeView } from "./home.js";
import { say, switchLanguage, translateDocument } from "./language.js";
import { letterView } from "./letter.js";
import { showOrder } from "./lookup.js";
import { takeFromAddress } from "./token.js";

const form = document.getElementById("lookup");
const input = document.getElementById("order_uid");

// Ends the view before the current one, so that only the last one asked for is ever drawn.
let view = new AbortController();
// The address that the field was filled from: what is half typed there stays until another one is opened.
let filled = null;

/** Draws what the address says. */
function open() {
  view.abort();
  view = new AbortController();
  takeFromAddress();
  const asked = new URLSearchParams(location.search);
  const uid = asked.get("order_uid") ?? "";
  if (location.search !== filled) input.value = uid;
  filled = location.search;
  if (asked.has("dead_letter")) letterView(asked.get("dead_letter"), view.signal, open);
  else if (asked.has("dead_letters")) deskView(asked, view.signal, open, go);
  else if (uid !== "") showOrder(uid, view.signal, open);
  else homeView(view.signal, open);
  markCurrent(asked);
}

/** Says which of the links at the top leads to what is open. */
function markCurrent(asked) {
  const desk = asked.has("dead_letters") || asked.has("dead_letter");
  const home = !desk && !asked.has("order_uid");
  for (const [id, current] of [["to_home", home], ["to_desk", desk]]) {
    const link = document.getElementById(id);
    if (current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

/** What the page can't do without and this browser does not have. */
function lacking() {
  const needed = { "AbortSignal.any": AbortSignal.any, "Map.groupBy": Map.groupBy, TextDecoderStream: globalThis.TextDecoderStream };
  return Object.keys(needed).filter((name) => needed[name] === undefined);
}

/** Goes to a view: a new entry in the history, unless it is the one that is open. */
function go(address) {
  if (address === location.href) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  scrollTo(0, 0);
  open();
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  go(viewLink({ order_uid: input.value }).href);
});

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  const plainClick = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
  const here = link?.origin === location.origin && link.pathname === location.pathname && !link.hasAttribute("download");
  if (!here || !plainClick) return;
  event.preventDefault();
  go(link.href);
});

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  input.focus();
  input.select();
});

document.getElementById("language").addEventListener("click", () => {
  switchLanguage();
  translateDocument();
  open();
});

// Fired by back and forward, and when a link with a token is pasted into the address of an open page.
addEventListener("popstate", open);

translateDocument();
if (lacking().length > 0) {
  const title = say("browser.old");
  draw(title, title, message(title, [say("browser.old_why", { names: lacking().join(", ") })]));
} else {
  open();
  if (document.querySelector(".home") !== null && focusIsFree()) input.focus({ preventScroll: true });
}
