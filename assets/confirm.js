// A dialog that asks before something is done for good.

import { button, element } from "./dom.js";
import { say } from "./language.js";

// As many characters as the service takes.
const MAX_NOTE = 2000;

/**
 * Opens a dialog in `place`: a title, lines, and with `note` (its text so far, and `keep` that is called with each change) a field for
 * one. `act(note)` does it and gives null, or what to say of why it was not done; the dialog stays open until then, and then.
 */
export function confirm(place, { title, lines, label, note = null }, act) {
  const why = element("p", { class: "wrong", role: "alert" });
  const field = note === null ? null : noteField(note);
  const cancel = button(say("confirm.cancel"), () => {
    note?.keep("");
    dialog.close();
  });
  // What is asked before a bulk must not be answered by a key that is still down.
  if (field === null) cancel.setAttribute("autofocus", "");
  const form = element(
    "form",
    {},
    element("h2", { id: "confirm" }, title),
    ...lines.map((line) => element("p", {}, line)),
    ...(field === null ? [] : [element("label", { for: "note" }, say("confirm.note")), field]),
    why,
    element("p", { class: "tools" }, element("button", { type: "submit" }, label), cancel),
  );
  const dialog = element("dialog", { "aria-labelledby": "confirm" }, form);
  let doing = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (doing) return;
    isDoing(true);
    why.replaceChildren();
    const said = await act(field?.value.trim() ?? "");
    isDoing(false);
    if (said === null) dialog.close();
    else why.append(...said);
  });
  // By the Escape key.
  dialog.addEventListener("cancel", (event) => {
    if (doing) event.preventDefault();
    else note?.keep("");
  });
  // A second Escape closes a dialog whatever is done about it; what comes of the act is said here all the same.
  dialog.addEventListener("close", () => {
    if (doing) dialog.showModal();
    else dialog.remove();
  });
  place.append(dialog);
  dialog.showModal();

  function isDoing(is) {
    doing = cancel.disabled = is;
    if (field !== null) field.readOnly = is;
  }
}

function noteField({ text, keep }) {
  const field = element("textarea", { id: "note", rows: "3", maxlength: MAX_NOTE });
  field.value = text;
  field.addEventListener("input", () => keep(field.value));
  return field;
}
