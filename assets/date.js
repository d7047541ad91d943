// Dates as orders write them, shown in UTC so that everyone who opens a link reads the same.

import { day, moment } from "./language.js";

// RFC 3339 and its relatives, and Go's time.String(): a zone of digits counts, what follows it is a name.
const WRITTEN = new RegExp(
  "^([0-9]{4})-([0-9]{2})-([0-9]{2})" +
    "(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\\.[0-9]+)?)?)?" +
    "([Zz]| ?([+-])([0-9]{2}):?([0-9]{2})(?: .*)?)?$",
);

// The years 1 to 9999, in Unix seconds.
const FIRST_SECOND = -62_135_596_800n;
const LAST_SECOND = 253_402_300_799n;

/**
 * A date text as { machine, human } in UTC, or null when it is not of a form that an order may use. No zone means UTC. A date
 * without a time is midnight, and with a zone a moment that can lie on the day before or after in UTC.
 */
export function fromText(text) {
  const match = WRITTEN.exec(text);
  if (match === null) return null;
  const [, year, month, dayOfMonth, hour, minute = "0", second = "0", zone, sign = "+", hours = "0", minutes = "0"] = match;
  const date = new Date(0);
  // setUTCFullYear, since Date.UTC reads the years 0 to 99 as 1900 to 1999.
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(dayOfMonth));
  const offset = (Number(hours) * 60 + Number(minutes)) * (sign === "-" ? -1 : 1);
  date.setUTCHours(Number(hour ?? "0"), Number(minute) - offset, Number(second));
  const wholeDay = hour === undefined && zone === undefined;
  return wholeDay ? { machine: machine(date).slice(0, 10), human: day(date) } : exact(date);
}

/** Unix seconds (an integer literal) as { machine, human }, or null outside the years 1 to 9999. */
export function fromUnixSeconds(literal) {
  if (!/^-?[0-9]+$/.test(literal)) return null;
  const seconds = BigInt(literal);
  if (seconds < FIRST_SECOND || seconds > LAST_SECOND) return null;
  return exact(new Date(Number(seconds) * 1000));
}

function exact(date) {
  return { machine: machine(date), human: moment(date) };
}

function machine(date) {
  return `${date.toISOString().slice(0, 19)}Z`;
}
