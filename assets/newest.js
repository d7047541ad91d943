// The newest orders, as they arrive.

import { element } from "./dom.js";
import { viewLink } from "./frame.js";
import { clock, day, moment, say } from "./language.js";

/** A list that `show` fills; `nodes` are what to put into the section. */
export function newestSection() {
  const list = element("ol", { class: "rows" });
  const remark = element("p", { class: "quiet" }, say("newest.waiting"));
  // The orders of the last list, to tell which of the next one are new.
  let drawn = null;
  // What came while the reader was in the list: a link must not move away from under the pointer or the focus.
  let held = null;
  // A finger leaves no pointer behind, though the browser goes on to say that it hovers.
  let pointed = false;

  function show(orders) {
    if ((pointed || list.matches(":focus-within")) && drawn !== null) {
      held = orders;
      remark.textContent = say("newest.held");
      return;
    }
    held = null;
    remark.textContent = orders.length === 0 ? say("newest.none") : "";
    const fresh = drawn === null ? [] : orders.filter((order) => !drawn.has(versionOf(order)));
    // Where most of the list is new each second, colour would only flicker.
    const marked = fresh.length <= orders.length / 2 ? fresh : [];
    drawn = new Set(orders.map(versionOf));
    list.replaceChildren(...orders.map((order) => row(order, marked.includes(order))));
  }

  function release() {
    // After the event, when the pointer and the focus have really left.
    requestAnimationFrame(() => held !== null && show(held));
  }

  list.addEventListener("pointerenter", (event) => {
    pointed = event.pointerType === "mouse";
  });
  list.addEventListener("pointerleave", () => {
    pointed = false;
    release();
  });
  list.addEventListener("focusout", release);
  return { nodes: [list, remark], show };
}

function versionOf(order) {
  return `${order.updated_at} ${order.order_uid}`;
}

/** The time, and the day before it unless that is today, all in UTC. */
function timeOf(at) {
  return day(at) === day(new Date()) ? clock(at) : `${day(at)}, ${clock(at)}`;
}

function row(order, fresh) {
  const at = new Date(order.updated_at);
  return element(
    "li",
    fresh ? { class: "fresh" } : {},
    viewLink({ order_uid: order.order_uid }, element("bdi", { class: "code" }, order.order_uid)),
    element("time", { class: "quiet", datetime: order.updated_at, title: moment(at) }, timeOf(at)),
  );
}
