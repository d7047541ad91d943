// What the page opens with: the live flow, the newest orders, and how to look one up.

import { element } from "./dom.js";
import { flowSection } from "./flow.js";
import { draw } from "./frame.js";
import { say } from "./language.js";
import { welcome } from "./lookup.js";
import { newestSection } from "./newest.js";
import { follow } from "./stream.js";
import { checkToken, forgetButton, token, tokenForm } from "./token.js";

/** Shows the flow until `signal` is aborted; `again` draws the view anew, for when there is another token. */
export function homeView(signal, again) {
  const flow = flowSection(signal);
  const newest = newestSection();
  const orders = element("section", { class: "newest", "aria-labelledby": "newest" });
  const title = element("h2", { id: "newest" }, say("newest.title"));
  const form = token() === null ? tokenForm(say("token.why_orders"), again) : null;
  if (form !== null) orders.append(title, form.node);
  else {
    const header = element("header", {}, title, element("span", { class: "quiet" }, say("newest.when")));
    orders.append(header, ...newest.nodes, element("p", { class: "tools" }, forgetButton(again)));
  }
  const wrong = form?.wrong ?? null;
  draw("orderbox", wrong ?? "", element("div", { class: "home" }, flow.node, orders, welcome()), wrong === null ? null : form.field);
  // Whether the token still counts after a new start of the service is asked for, since a stream tells its numbers to everyone.
  let checked = false;
  follow(signal, (event, data) => {
    if (event === "connecting") checked = false;
    if (event === "flow" && !checked) {
      checked = true;
      checkToken(signal, again);
    }
    if (event === "orders") newest.show(data.orders);
    else flow.show(event, data);
  });
}
