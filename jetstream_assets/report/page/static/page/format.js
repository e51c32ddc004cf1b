// Numbers as text, digit for digit as `report/readable.py` writes them.

const NOT_AVAILABLE = "n/a";
const MOST_DECIMALS = 6;
const LARGEST = 1e12;
const RELATIVE = "relative_uplift";

// A point and its interval with the same decimals; comparisons signed, relative uplift in percent.
function estimateText(row) {
  const isRelative = row.comparison === RELATIVE;
  const numbers = [row.point, row.lower, row.upper].map((value) => scaled(value, isRelative));
  const decimals = decimalsOf(numbers, isRelative ? 3 : 4);
  const isSigned = row.comparison !== undefined;
  const [point, lower, upper] = numbers.map((number) =>
    number === null ? NOT_AVAILABLE : fixed(number, decimals, isSigned) + (isRelative ? "%" : ""));
  const hasInterval = numbers[1] !== null || numbers[2] !== null;
  return { point, interval: hasInterval ? `[${lower}, ${upper}]` : "" };
}

function numberText(value) {
  const known = scaled(value, false);
  return known === null ? NOT_AVAILABLE : fixed(known, decimalsOf([known], 4), false);
}

// A relative margin or effect in percent.
function percentText(value) {
  return estimateText({ point: value, comparison: RELATIVE }).point;
}

// A share in whole percent: a decile, a power.
function shareText(share) {
  return `${Math.round(share * 100)}%`;
}

function probabilityText(value) {
  if (value === undefined || value === null) return NOT_AVAILABLE;
  return value < 0.0001 ? "< 0.0001" : halfEven(value, 4);
}

function scaled(value, isRelative) {
  if (value === undefined || value === null || !Number.isFinite(value)) return null;
  return isRelative ? value * 100 : value;
}

function decimalsOf(numbers, digits) {
  const known = numbers.filter((number) => number !== null);
  if (known.every(Number.isInteger)) return 0;
  const largest = Math.max(...known.map(Math.abs));
  const halfWidth = (Math.max(...known) - Math.min(...known)) / 2;
  return Math.max(places(largest, digits), places(halfWidth, 2));
}

function places(number, digits) {
  return number > 0 ? Math.max(0, digits - 1 - Math.floor(Math.log10(number))) : 0;
}

function fixed(number, decimals, isSigned) {
  if (decimals > MOST_DECIMALS || Math.abs(number) >= LARGEST) return general(number, isSigned);
  const text = halfEven(Math.abs(number), decimals);
  const isZero = /^[0.]+$/.test(text);
  const sign = number < 0 && !isZero ? "-" : isSigned ? "+" : "";
  const [whole, rest] = text.split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return sign + (rest === undefined ? grouped : `${grouped}.${rest}`);
}

// `toFixed` rounds the exact number, but halves away from zero; here they go to the even digit.
function halfEven(number, decimals) {
  const exact = number.toFixed(decimals + 40);
  const end = exact.length - 40;
  const isHalf = /^50*$/.test(exact.slice(end));
  const kept = exact.slice(0, end).replace(/\.$/, "");
  if (isHalf && Number(kept.at(-1)) % 2 === 0) return kept;
  return number.toFixed(decimals);
}

// Three significant digits without trailing zeros, with a power of ten where that is shorter.
function general(number, isSigned) {
  const sign = number < 0 ? "-" : isSigned ? "+" : "";
  const [digits, power] = Math.abs(number).toExponential(2).split("e");
  const exponent = Number(power);
  if (exponent >= -4 && exponent < 3) {
    const text = Number(`${digits}e${power}`).toFixed(2 - exponent);
    return sign + (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  }
  const mantissa = digits.replace(/\.?0+$/, "");
  const size = String(Math.abs(exponent)).padStart(2, "0");
  return `${sign}${mantissa}e${exponent < 0 ? "-" : "+"}${size}`;
}
