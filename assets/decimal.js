// Exact decimals: { units: BigInt, scale } stands for units / 10^scale. 0.10 + 0.20 is 0.30.

const LITERAL = /^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/;

// An accepted price has at most 19 digits before the point and 20 after; what would be longer is not written out.
const MAX_DIGITS = 100;

/** The decimal that a JSON number literal stands for, or null when it is no number or too long to write out. */
export function decimal(literal) {
  const match = LITERAL.exec(literal);
  if (match === null) return null;
  const [, sign, whole, fraction = "", exponent = "0"] = match;
  let digits = (whole + fraction).replace(/^0+(?=.)/, "");
  let scale = fraction.length - Number(exponent);
  if (digits === "0") return { units: 0n, scale: Math.min(Math.max(scale, 0), 20) };
  // A last zero says how precise a price is meant (0.10), but not past 20 digits or where an exponent put it (10e-2).
  while ((exponent !== "0" || scale > 20) && scale > 0 && digits.endsWith("0")) {
    digits = digits.slice(0, -1);
    scale -= 1;
  }
  if (digits.length + Math.abs(scale) > MAX_DIGITS) return null;
  if (scale < 0) {
    digits += "0".repeat(-scale);
    scale = 0;
  }
  return { units: BigInt(sign + digits), scale };
}

/** The sum, as precise as the more precise of both. */
export function add(a, b) {
  const scale = Math.max(a.scale, b.scale);
  return { units: at(a, scale) + at(b, scale), scale };
}

/** Whether both are the same amount: 1.5 and 1.50 are. */
export function equal(a, b) {
  const scale = Math.max(a.scale, b.scale);
  return at(a, scale) === at(b, scale);
}

function at(value, scale) {
  return value.units * 10n ** BigInt(scale - value.scale);
}

/** Written out, without an exponent. */
export function plain({ units, scale }) {
  const sign = units < 0n ? "-" : "";
  const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, "0");
  if (scale === 0) return sign + digits;
  return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}
