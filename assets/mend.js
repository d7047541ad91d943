// What can be done about one dead letter: replay it, edit and replay it, discard it.

import { act, whyNot } from "./act.js";
import { copyText } from "./clipboard.js";
import { confirm } from "./confirm.js";
import { button, element } from "./dom.js";
import { draft, dropDraft, editOf, keepDraft, noteOf } from "./drafts.js";
import { exchange } from "./exchange.js";
import { say } from "./language.js";
import { letterPath } from "./lineage.js";

// What became of the last change, as { id, key }: said once the letter is drawn anew.
let outcome = null;

/**
 * The section as { node, told }; `told` is the element that says what became of the change before, or null. `isShown()` tells whether the
 * letter is still what the reader looks at, `again` draws it anew.
 */
export function mendSection(letter, isShown, again) {
  const told = outcome?.id === letter.id ? element("p", { class: "told", tabindex: "-1" }, say(outcome.key)) : null;
  outcome = null;
  const place = element("div");
  const why = element("p", { class: "wrong", role: "alert" });
  const node = element("section", { class: "mend", "aria-label": say("mend.title") }, ...(told === null ? [] : [told]), place, why);
  const edit = draft(editOf(letter.id));
  if (letter.resolution !== "open") {
    // Opened and not changed is nothing to keep.
    if (edit === null) dropDraft(editOf(letter.id));
    else if (edit !== undefined) place.append(leftover());
  } else if (edit === undefined) offer();
  else startEdit();
  return { node, told };

  function offer(focus = false) {
    const edits = tool("mend.edit", () => startEdit(true));
    place.replaceChildren(element("p", { class: "tools" }, tool("mend.replay", () => replay(undefined)), edits, tool("mend.discard", discard)));
    if (focus) edits.focus();
  }

  /** A button that does nothing while a change is under way: what it began would end with that. */
  function tool(key, action) {
    return button(say(key), () => isBusy() || action());
  }

  function isBusy() {
    return node.getAttribute("aria-busy") === "true";
  }

  function startEdit(focus = false) {
    why.replaceChildren();
    if (letter.payload_text === null || letter.truncated) return place.replaceChildren(...elsewhere(letter), closeButton("mend.close"));
    const { form, field } = editor(letter, replay, closeButton("mend.drop"), (said) => why.replaceChildren(...said));
    place.replaceChildren(form);
    // At its beginning, and not where the text ends.
    field.setSelectionRange(0, 0);
    if (focus) field.focus();
  }

  function closeButton(key) {
    return tool(key, () => {
      dropDraft(editOf(letter.id));
      why.replaceChildren();
      offer(true);
    });
  }

  async function replay(text) {
    if (isBusy()) return;
    const field = place.querySelector("textarea");
    // What would be typed from here on is not in what is sent.
    if (field !== null) field.readOnly = true;
    const done = text === undefined ? "mend.replayed" : "mend.replayed_edited";
    const said = await change(() => act("POST", `${letterPath(letter.id)}/replay`, text), done, () => dropDraft(editOf(letter.id)));
    if (field !== null) field.readOnly = false;
    why.replaceChildren(...(said ?? []));
  }

  function discard() {
    const key = noteOf(letter.id);
    const note = { text: draft(key) ?? "", keep: (text) => (text === "" ? dropDraft(key) : keepDraft(key, text)) };
    const title = say("mend.discard_title", { id: String(letter.id) });
    confirm(node, { title, lines: [say("mend.discard_why")], label: say("mend.discard_do"), note }, (text) =>
      change(() => act("DELETE", letterPath(letter.id), text === "" ? undefined : { note: text }), "mend.discarded", () => dropDraft(key)),
    );
  }

  /** Makes a change. Gives null when the letter is drawn anew by that, else what to say of why it was not made. */
  async function change(send, done, forget) {
    node.setAttribute("aria-busy", "true");
    why.replaceChildren();
    const answer = await send();
    node.removeAttribute("aria-busy");
    if (answer.status === 200) {
      forget();
      return redraw(done);
    }
    // The token form comes in place of the letter; what was typed comes back with it.
    if (answer.status === 401) return redraw(null);
    if (answer.status === 404 || answer.status === 409) return redraw("mend.late");
    // An answer that was lost may be that of a change that was made.
    if (answer.status === 0 && (await isResolved(letter.id))) return redraw("mend.lost");
    return whyNot(answer);
  }

  function redraw(key) {
    outcome = key === null ? null : { id: letter.id, key };
    if (isShown()) again();
    return null;
  }

  /** A text that was not sent before someone else dealt with the letter. */
  function leftover() {
    const field = element("textarea", { class: "code", readonly: "", rows: "8", "aria-label": say("mend.left_label") });
    field.value = edit;
    const said = element("span", { class: "quiet", role: "status" });
    const copy = button(say("mend.copy"), async () => {
      said.textContent = say((await copyText(edit)) ? "copy.done" : "copy.refused");
    });
    const drop = button(say("mend.drop"), () => {
      dropDraft(editOf(letter.id));
      place.replaceChildren();
    });
    return element("div", {}, element("p", {}, say("mend.left")), field, element("p", { class: "tools" }, said, copy, drop));
  }
}

/** Whether the letter is no longer open, as far as can be told. */
async function isResolved(id) {
  const answer = await exchange(letterPath(id), { admin: true });
  try {
    return answer.status === 200 && JSON.parse(answer.text).resolution !== "open";
  } catch {
    return false;
  }
}

/** The form that edits the text; `send(text)` replays it, undefined for as it is, and `refuse(said)` says why it was not sent. */
function editor(letter, send, close, refuse) {
  const key = editOf(letter.id);
  const field = element("textarea", { id: "edit", class: "code", spellcheck: "false", autocapitalize: "none", autocomplete: "off", "aria-describedby": "edit_about" });
  field.value = letter.payload_text;
  // A field has line ends of its own (CR LF becomes LF): what it gives back is compared, never the message.
  const untouched = field.value;
  field.value = draft(key) ?? untouched;
  field.rows = Math.min(Math.max(field.value.split("\n").length + 1, 8), 30);
  const keep = () => keepDraft(key, field.value === untouched ? null : field.value);
  field.addEventListener("input", keep);
  keep();
  const about = say(letter.payload_text.includes("\r") ? "mend.about_lines" : "mend.about");
  const form = element(
    "form",
    {},
    element("label", { for: "edit" }, say("mend.label")),
    field,
    element("p", { class: "quiet", id: "edit_about" }, about),
    element("p", { class: "tools" }, element("button", { type: "submit" }, say("mend.send")), close),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    // An empty body would replay the letter as it is.
    if (field.value === "") refuse([say("mend.empty")]);
    else send(field.value === untouched ? undefined : field.value);
  });
  return { form, field };
}

/** How to edit what can't be edited in a field of text. */
function elsewhere(letter) {
  const why = say(letter.truncated ? "mend.truncated" : "mend.not_text");
  const writes = letter.truncated ? [`orderbox dead-letters show --raw ${letter.id} > FILE`] : [];
  const commands = [...writes, `orderbox dead-letters replay --edit FILE ${letter.id}`];
  return [element("p", {}, why), element("pre", { class: "command" }, commands.join("\n"))];
}
