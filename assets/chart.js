// A chart of the last minutes: what was applied and, on top of it, rejected as areas; what was received as a line.

import { drawing, element } from "./dom.js";
import { clock, known, number, say } from "./language.js";
import { SPAN_MS } from "./rates.js";

const [WIDTH, HEIGHT] = [600, 150];
const MINUTE_MS = 60_000;

/** The chart, and `show(rates, end, current)` that draws it anew up to the date `end`, which is now or, unless `current`, was. */
export function chart() {
  const [applied, rejected, received] = ["applied", "rejected", "received"].map((name) => drawing("path", { class: name }));
  const grid = drawing("path", { class: "grid", d: `M0 0H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}M0 ${HEIGHT}H${WIDTH}` });
  const picture = drawing(
    "svg",
    // Drawn to the width of its place; lines keep their width by vector-effect, and text stands outside.
    { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" },
    grid,
    applied,
    rejected,
    received,
  );
  const [highest, half] = ["highest", "half"].map((name) => element("span", { class: name, "aria-hidden": "true" }));
  const zero = element("span", { class: "lowest", "aria-hidden": "true" }, number(0));
  const [start, stop] = [element("span"), element("span")];
  const node = element(
    "figure",
    { class: "chart" },
    element("figcaption", {}, element("span", {}, say("chart.title")), legend()),
    element("div", { class: "plot" }, picture, highest, half, zero, element("div", { class: "times quiet", "aria-hidden": "true" }, start, stop)),
  );
  show([], new Date(), true);

  function show(rates, end, current) {
    const now = end.getTime();
    const most = Math.max(0, ...rates.map((rate) => Math.max(rate.received ?? 0, (rate.applied ?? 0) + (rate.rejected ?? 0))));
    const scale = ceiling(most);
    // As far back as something is known, in whole minutes.
    const minutes = Math.ceil(Math.min(Math.max(now - (rates[0]?.at ?? now), 1), SPAN_MS) / MINUTE_MS);
    const x = (rate) => WIDTH - ((now - rate.at) / (minutes * MINUTE_MS)) * WIDTH;
    const y = (value) => HEIGHT - (value / scale) * HEIGHT;
    const runs = unbroken(rates).map((run) => run.map((rate) => ({ x: x(rate), ...rate })));
    const line = (run, value) => `M${run.map((rate) => `${fixed(rate.x)} ${fixed(y(value(rate)))}`).join("L")}`;
    const area = (run, upper, lower) => `${line(run, upper)}L${line([...run].reverse(), lower).slice(1)}Z`;
    const sum = (rate) => rate.applied + rate.rejected;
    applied.setAttribute("d", runs.map((run) => area(run, (rate) => rate.applied, () => 0)).join(""));
    rejected.setAttribute("d", runs.map((run) => area(run, sum, (rate) => rate.applied)).join(""));
    received.setAttribute("d", runs.map((run) => line(run, (rate) => rate.received)).join(""));
    highest.textContent = number(scale);
    half.textContent = number(scale / 2);
    start.textContent = current ? say("chart.start", { minutes }) : say("chart.earlier", { minutes });
    const when = current ? say("chart.now") : say("chart.then", { time: clock(end) });
    stop.textContent = when;
    picture.setAttribute("aria-label", summary(rates, minutes, when));
  }

  return { node, show };
}

/** The same in words. */
function summary(rates, minutes, when) {
  const last = rates.at(-1) ?? {};
  const received = rates.map((rate) => rate.received).filter((value) => value !== null);
  return say("chart.summary", {
    minutes,
    when,
    received: known(last.received),
    peak: known(received.length === 0 ? null : Math.max(...received)),
    applied: known(last.applied),
    rejected: known(last.rejected),
  });
}

function legend() {
  const names = ["received", "applied", "rejected"];
  return element("ul", { class: "legend" }, ...names.map((name) => element("li", { class: name }, say(`flow.${name}`))));
}

/** The rates cut where one is unknown or nothing is known of what was before it. */
function unbroken(rates) {
  const runs = [[]];
  for (const rate of rates) {
    if (!rate.joined) runs.push([]);
    if ([rate.received, rate.applied, rate.rejected].includes(null)) runs.push([]);
    else runs.at(-1).push(rate);
  }
  return runs.filter((run) => run.length > 1);
}

/** The least of 2, 4, 6, 10, 20, 40, … that the value does not exceed: halves of them are as easy to read. */
function ceiling(value) {
  let power = 1;
  for (;;) {
    const step = [2, 4, 6, 10].map((digit) => digit * power).find((candidate) => candidate >= value);
    if (step !== undefined) return step;
    power *= 10;
  }
}

function fixed(value) {
  return value.toFixed(1);
}
