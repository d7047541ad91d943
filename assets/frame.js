// The frame that every view is drawn into: the place of the result, the title, what is said to screen readers, and the
// addresses that views link to.

import { element } from "./dom.js";

const result = document.getElementById("result");
const announcement = document.getElementById("announce");

/**
 * Puts `content` in the place of the result; `said` goes to screen readers, null leaves what was said. When what had the focus is
 * gone by that, or nothing had it, `target` gets it, where there is one.
 */
export function draw(title, said, content, target = null) {
  const [free, focused] = [focusIsFree(), result.contains(document.activeElement)];
  document.title = title === "orderbox" ? title : `${title} · orderbox`;
  busy(false);
  result.replaceChildren(content);
  // Else the focus stays with the result, and is not thrown to the top, nor is the bar out of view.
  if (free && target !== null) target.focus();
  else if (focused) result.focus({ preventScroll: true });
  if (said !== null) announce(said);
}

/** Says a text to screen readers; the same text twice is said once. */
export function announce(said) {
  if (announcement.textContent !== said) announcement.textContent = said;
}

/** Shows whether an answer is awaited. */
export function busy(awaited) {
  result.setAttribute("aria-busy", String(awaited));
}

/** Whether the reader is in the result, or nowhere. */
export function focusIsFree() {
  return document.activeElement === document.body || result.contains(document.activeElement);
}

/** The address of a view of this page. */
export function address(parameters) {
  return `./?${new URLSearchParams(parameters)}`;
}

/** A link to a view of this page. */
export function viewLink(parameters, ...label) {
  return element("a", { href: address(parameters) }, ...label);
}

/** A title (a text or a node), lines (texts or paragraphs) and actions, for when there is nothing else to show. */
export function message(title, lines, ...actions) {
  const paragraphs = lines.map((line) => (line instanceof Element && line.tagName === "P" ? line : element("p", {}, line)));
  return element("section", { class: "message" }, element("h2", {}, title), ...paragraphs, element("p", { class: "tools" }, ...actions));
}
