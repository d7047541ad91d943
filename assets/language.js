// The language of the page: which it is, its texts, numbers and dates.

import { recall, remember } from "./memory.js";
import { TEXTS } from "./texts.js";

const LANGUAGES = ["en", "ru"];
// English with the day before the month, as dates of orders have always been shown here.
const LOCALES = ["en-GB", "ru"];
const KEPT = "orderbox.language";

let chosen = LANGUAGES.includes(recall("localStorage", KEPT)) ? recall("localStorage", KEPT) : preferred();
let formats = formatsOf(chosen);

/** The first language of the browser that the page speaks. */
function preferred() {
  const wanted = navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase());
  return wanted.find((tag) => LANGUAGES.includes(tag)) ?? LANGUAGES[0];
}

function formatsOf(language) {
  const locale = LOCALES[LANGUAGES.indexOf(language)];
  const day = { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" };
  const time = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZone: "UTC" };
  return {
    plural: new Intl.PluralRules(locale),
    whole: new Intl.NumberFormat(locale, { maximumFractionDigits: 0 }),
    short: new Intl.NumberFormat(locale, { maximumSignificantDigits: 2 }),
    day: new Intl.DateTimeFormat(locale, day),
    moment: new Intl.DateTimeFormat(locale, { ...day, ...time, timeZoneName: "short" }),
    time: new Intl.DateTimeFormat(locale, time),
  };
}

/** Speaks the other language from now on. */
export function switchLanguage() {
  chosen = LANGUAGES.find((language) => language !== chosen);
  formats = formatsOf(chosen);
  remember("localStorage", KEPT, chosen);
}

/** Puts the language and its texts on what index.html holds: `data-text` and `data-label` name them. */
export function translateDocument() {
  document.documentElement.lang = chosen;
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = say(node.dataset.text);
  for (const node of document.querySelectorAll("[data-label-text]")) node.setAttribute("aria-label", say(node.dataset.labelText));
  document.getElementById("language").lang = LANGUAGES.find((language) => language !== chosen);
}

/** The text of `key`; `values` fill its places, and `values.n`, a number, chooses the plural form. */
export function say(key, values = {}) {
  return sayParts(key, values).join("");
}

/** The same for elements as values: the nodes and texts, in order. */
export function sayParts(key, values = {}) {
  const row = TEXTS[key][LANGUAGES.indexOf(chosen)];
  const form = typeof row === "string" ? row : row[formats.plural.select(values.n)];
  return form.split(/\{(\w+)\}/).map((part, index) => (index % 2 === 0 ? part : written(values[part])));
}

function written(value) {
  return typeof value === "number" ? number(value) : value;
}

/** The text of a code of the service, such as `reason.not_json`; the bare code when the page does not know it yet. */
export function codeText(list, code, values = {}) {
  return Object.hasOwn(TEXTS, `${list}.${code}`) ? say(`${list}.${code}`, values) : code;
}

/** The codes of the service in a list of texts, such as `code`. */
export function codesOf(list) {
  return Object.keys(TEXTS).flatMap((key) => (key.startsWith(`${list}.`) ? [key.slice(list.length + 1)] : []));
}

/** A number for people: whole from 10 on, with two digits below. */
export function number(value) {
  return (Number.isInteger(value) || value >= 10 ? formats.whole : formats.short).format(value);
}

/** The same; a word where it is not known. */
export function known(value) {
  return value === null || value === undefined ? say("value.unknown") : number(value);
}

/** "26 Nov 2021, 06:22:19 UTC" */
export function moment(date) {
  return formats.moment.format(date);
}

/** "26 Nov 2021" */
export function day(date) {
  return formats.day.format(date);
}

/** "06:22:19", in UTC. */
export function clock(date) {
  return formats.time.format(date);
}
