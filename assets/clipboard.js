import { element } from "./dom.js";

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
