// Figures as people read them.

const whole = new Intl.NumberFormat("en");
const oneDigit = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const NARROW = "\u202f";

export const count = (value) => whole.format(value);
export const decimal = (value) => (value === null ? "–" : oneDigit.format(value));
export const significant = (value) => (value >= 100 ? count(Math.round(value)) : String(Number(value.toPrecision(3))));
export const amount = (value) => (value === null ? "-" : Math.abs(value) >= 100 ? count(Math.round(value)) : String(Number(value.toPrecision(4))))
  .replace(/^-/, "−");
export const plural = (number, one, many = `${one}s`) =>
  `${count(number)} ${number === 1 ? one : many}`;

export function percent(ratio, digits = 1) {
  return ratio === null ? "–" : `${(100 * ratio).toFixed(digits)}${NARROW}%`;
}

// Labels of an axis need as many digits as its step has.
const digitsOf = (step) => Math.max(0, Math.ceil(-Math.log10(step) - 1e-9));
export const axisNumber = (value, step) => value.toFixed(digitsOf(step));
export const axisPercent = (ratio, step) => percent(ratio, digitsOf(100 * step));

export function range(low, high, digits = 1) {
  if (low === null || high === null) return "";
  return `${(100 * low).toFixed(digits)}\u2060–\u2060${(100 * high).toFixed(digits)}${NARROW}%`;
}

// A probability never reads as certain where it is not.
export function chance(p) {
  if (p === null) return "–";
  if (p < 0.001) return `under 0.1${NARROW}%`;
  if (p > 0.999) return `over 99.9${NARROW}%`;
  return percent(p, p < 0.01 || p > 0.99 ? 1 : 0);
}

// What a figure lies between for all that unknown blocks leave open: one where both read the same.
export function between(least, most, show) {
  const [low, high] = [show(least), show(most)];
  return low === high ? low : `${low} to ${high}`;
}

export function hashrate(value) {
  if (value === null) return "–";
  if (value < 1) return `${value.toPrecision(2)}${NARROW}H/s`;
  const units = ["H/s", "kH/s", "MH/s", "GH/s", "TH/s", "PH/s", "EH/s", "ZH/s"];
  const step = Math.max(0, Math.min(units.length - 1, Math.floor(Math.log10(value || 1) / 3)));
  const scaled = value / 1000 ** step;
  return `${scaled.toFixed(scaled < 10 ? 2 : scaled < 100 ? 1 : 0)}${NARROW}${units[step]}`;
}

export function ago(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 48 * 3600) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min ago`;
  return `${count(Math.floor(s / 86400))} days ago`;
}

const dated = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeZone: "UTC" });
const timed = new Intl.DateTimeFormat("en-GB", {
  dateStyle: "medium", timeStyle: "short", timeZone: "UTC",
});
const clocked = new Intl.DateTimeFormat("en-GB", { timeStyle: "short", timeZone: "UTC" });

export const day = (unix) => dated.format(unix * 1000);
export const moment = (unix) => `${timed.format(unix * 1000)} UTC`;
export const clock = (unix) => clocked.format(unix * 1000);

export const windowName = (blocks) =>
  ({ 144: "144 · a day", 1008: "1,008 · a week", 2016: "2,016 · 2 weeks" })[blocks] ?? count(blocks);

export const windowSpan = (blocks) =>
  ({ 144: "about a day", 1008: "about a week", 2016: "about two weeks" })[blocks] ?? "";

export const bitcoin = (satoshi) => `${(satoshi / 1e8).toFixed(8)} BTC`;
