// The fields that narrow the list of dead letters.

import { element } from "./dom.js";
import { parametersOf, withoutFields } from "./filter.js";
import { address, viewLink } from "./frame.js";
import { codeText, codesOf, say } from "./language.js";

/** The form; `go` opens the address of what was filled in. */
export function filterForm(filter, go) {
  const fields = {
    code: codeField(filter.code),
    uid: element("input", { autocomplete: "off", autocapitalize: "none", spellcheck: "false", value: filter.uid }),
    since: element("input", { type: "datetime-local", step: "1", value: localOf(filter.since) }),
    until: element("input", { type: "datetime-local", step: "1", value: localOf(filter.until) }),
  };
  const labelled = Object.entries(fields).map(([name, field]) => {
    field.id = `filter_${name}`;
    return element("div", {}, element("label", { for: field.id }, say(`filter.${name}`)), field);
  });
  const filled = ["code", "uid", "since", "until"].some((name) => filter[name] !== "");
  const clear = filled ? [viewLink(parametersOf(withoutFields(filter)), say("filter.clear"))] : [];
  const form = element(
    "form",
    {},
    ...labelled,
    element("p", { class: "tools" }, element("button", { type: "submit" }, say("filter.apply")), ...clear),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const said = { code: fields.code.value, uid: fields.uid.value, since: momentOf(fields.since.value), until: momentOf(fields.until.value) };
    go(new URL(address(parametersOf({ ...withoutFields(filter), ...said })), document.baseURI).href);
  });
  return element("details", filled ? { class: "narrow", open: "" } : { class: "narrow" }, element("summary", {}, say("filter.title")), form);
}

function codeField(chosen) {
  // One that the page does not know yet stays chosen.
  const codes = new Set([...codesOf("code"), ...(chosen === "" ? [] : [chosen])]);
  const options = [...codes].map((code) => element("option", { value: code }, codeText("code", code)));
  const field = element("select", {}, element("option", { value: "" }, say("filter.any_code")), ...options);
  field.value = chosen;
  return field;
}

/** What a field for date and time holds, in UTC as all times here; empty for what is no time. */
function localOf(moment) {
  const date = new Date(moment);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString().slice(0, 19);
}

/** The moment in RFC 3339; such a field leaves seconds out when they are 0. */
function momentOf(local) {
  if (local === "") return "";
  return `${local.length === "2026-01-01T00:00".length ? `${local}:00` : local}Z`;
}
