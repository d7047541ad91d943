// The admin token: it comes in the fragment of a link or is pasted, and stays in this tab.

import { button, element } from "./dom.js";
import { say, sayParts } from "./language.js";
import { recall, remember } from "./memory.js";

const KEPT = "orderbox.token";
const FRAGMENT = "#token=";

let known = recall("sessionStorage", KEPT);
// Whether the last token was refused, so that the next form says it.
let refused = false;

/** The token, or null. */
export function token() {
  return known;
}

/** The header that carries the token; empty without one. */
export function authorization() {
  return known === null ? {} : { Authorization: `Bearer ${known}` };
}

/** Takes a token out of the address, where a look over the shoulder or a copied link would give it away. */
export function takeFromAddress() {
  if (!location.hash.startsWith(FRAGMENT)) return;
  const given = location.hash.slice(FRAGMENT.length);
  history.replaceState(null, "", location.pathname + location.search);
  keep(decoded(given));
}

function decoded(given) {
  try {
    return decodeURIComponent(given);
  } catch {
    return given;
  }
}

function keep(given) {
  // What no header can carry is no token.
  if (!/^[\x21-\x7e]+$/.test(given)) return refuse();
  known = given;
  refused = false;
  remember("sessionStorage", KEPT, given);
}

/** Forgets the token. */
function forget() {
  known = null;
  refused = false;
  remember("sessionStorage", KEPT, null);
}

/** Forgets a token that the service did not take. */
export function refuse() {
  forget();
  refused = true;
}

/** Asks whether the service takes the token; forgets it and calls `then` when it does not. */
export async function checkToken(signal, then) {
  if (known === null) return;
  const sent = known;
  try {
    const { status } = await fetch("api/orders/recent?limit=1", { headers: authorization(), signal, cache: "no-store" });
    if (status !== 401 || sent !== known) return;
  } catch {
    // No answer says nothing about the token.
    return;
  }
  refuse();
  then();
}

/**
 * What stands where the token is needed: why (a text), how to get one, and a field to paste it; `then` runs when it was given. Gives
 * { node, field, wrong }: `wrong` is what to say of a token that was refused, or null.
 */
export function tokenForm(why, then) {
  const field = element("input", {
    id: "token",
    type: "password",
    required: "",
    autocomplete: "off",
    autocapitalize: "none",
    spellcheck: "false",
  });
  const form = element(
    "form",
    { class: "token" },
    element("label", { for: "token" }, say("token.label")),
    field,
    element("button", { type: "submit" }, say("token.submit")),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    keep(field.value.trim());
    then();
  });
  const wrong = refused ? say("token.wrong") : null;
  const remark = refused ? [element("p", { class: "wrong", id: "wrong" }, wrong)] : [];
  if (refused) {
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", "wrong");
  }
  const how = sayParts("token.how", { variable: element("span", { class: "code" }, "ADMIN_TOKEN") });
  const node = element("div", { class: "locked" }, ...remark, element("p", {}, why), element("p", {}, ...how), form);
  return { node, field, wrong };
}

/** The button that takes the token away from this tab. */
export function forgetButton(again) {
  return button(say("token.forget"), () => {
    forget();
    again();
  });
}
