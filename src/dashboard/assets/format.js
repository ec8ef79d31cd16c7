// Values to the words people read. A missing value is a gap, shown as a dash,
// never as 0. Digits are kept to what a glance can use: about three.

const GAP = "–";
const SPACE = "\u00a0";
const GROUP = "\u202f";

const absent = (value) => value === null || value === undefined || !Number.isFinite(value);

/** Plain number with about three digits: 0.25, 45.2, 812, 1.2 k, 3.4 M. */
export function number(value) {
  if (absent(value)) return GAP;
  const size = Math.abs(value);
  if (size >= 999_500_000) return `${short(value / 1e9)}${SPACE}G`;
  if (size >= 999_500) return `${short(value / 1e6)}${SPACE}M`;
  if (size >= 999.5) return `${short(value / 1e3)}${SPACE}k`;
  if (size >= 99.95) return value.toFixed(0);
  if (Number.isInteger(value)) return String(value);
  if (size >= 9.995) return value.toFixed(1);
  if (size >= 0.995) return trim(value.toFixed(2));
  return size < 0.005 ? trim(value.toPrecision(1)) : trim(value.toFixed(2));
}

/** Events per second: 45.2/s, 1.2 k/s. */
export function rate(value) {
  if (absent(value)) return GAP;
  if (value > 0 && value < 0.005) return "<0.01/s";
  if (value >= 0.995 && value < 99.95) return `${value.toFixed(1)}/s`;
  return `${number(value)}/s`;
}

/** Milliseconds: 18 ms, 1.24 s, 12.4 s. */
export function duration(ms) {
  if (absent(ms)) return GAP;
  if (ms >= 99_950) return `${(ms / 1000).toFixed(0)}${SPACE}s`;
  if (ms >= 9_995) return `${(ms / 1000).toFixed(1)}${SPACE}s`;
  if (ms >= 999.5) return `${(ms / 1000).toFixed(2)}${SPACE}s`;
  if (ms >= 9.95 || Number.isInteger(ms)) return `${ms.toFixed(0)}${SPACE}ms`;
  return `${trim(ms.toFixed(1))}${SPACE}ms`;
}

/** A share of 0 to 1: 0.0 %, 1.2 %, 12 %. */
export function ratio(share) {
  if (absent(share)) return GAP;
  const percent = share * 100;
  if (percent > 0 && percent < 0.05) return `<0.1${SPACE}%`;
  return `${percent.toFixed(percent < 9.95 ? 1 : 0)}${SPACE}%`;
}

/** A count in full up to a million, so that one can see it move: 123 456, 1.23 M. */
export function count(value) {
  if (absent(value)) return GAP;
  if (Math.abs(value) >= 1e9) return `${(value / 1e9).toFixed(2)}${SPACE}G`;
  if (Math.abs(value) >= 1e6) return `${(value / 1e6).toFixed(2)}${SPACE}M`;
  return whole(value);
}

/** A count with all its digits: 1 234 567. */
export function whole(value) {
  return absent(value) ? GAP : String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, GROUP);
}

export function bytes(value) {
  if (absent(value)) return GAP;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(value < 10 ? 1 : 0)}${SPACE}${units[unit]}`;
}

/** A span of seconds in its largest whole unit: 12 s, 3 min, 5 h, 2 d. */
export function age(seconds) {
  if (absent(seconds)) return GAP;
  if (seconds < 100) return `${Math.max(0, Math.round(seconds))}${SPACE}s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)}${SPACE}min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)}${SPACE}h`;
  return `${Math.round(seconds / 86_400)}${SPACE}d`;
}

/** A span of seconds in hours and minutes: 45 min, 1 h, 5 h 30 min. */
export function hours(seconds) {
  const minutes = Math.round(seconds / 60);
  const parts = [[Math.floor(minutes / 60), "h"], [minutes % 60, "min"]];
  return parts.filter(([value]) => value > 0).map(([value, unit]) => `${value}${SPACE}${unit}`).join(" ");
}

const two = (value) => String(value).padStart(2, "0");
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Epoch seconds as local 05:06:10. */
export function clock(epoch) {
  const date = new Date(epoch * 1000);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** Epoch seconds as local 05:06. */
export function minute(epoch) {
  return clock(epoch).slice(0, 5);
}

/** Epoch seconds as local 21 Nov. */
export function day(epoch) {
  const date = new Date(epoch * 1000);
  return `${date.getDate()}${SPACE}${MONTHS[date.getMonth()]}`;
}

export function dayAndClock(epoch) {
  return `${day(epoch)} ${clock(epoch)}`;
}

/** From one to another, as local 05:06:10 – 05:16:10; the day where it is another than today's. */
export function span(from, to, now) {
  const begin = day(from) === day(now) ? clock(from) : dayAndClock(from);
  return `${begin} – ${day(from) === day(to) ? clock(to) : dayAndClock(to)}`;
}

/** Epoch milliseconds as local 05:06:10.123. */
export function exactClock(millis) {
  return `${clock(Math.floor(millis / 1000))}.${String(Math.floor(millis) % 1000).padStart(3, "0")}`;
}

/** Epoch seconds as a field for local date and time has them: 2026-11-21T05:06:10. */
export function field(epoch) {
  const date = new Date(epoch * 1000);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${clock(epoch)}`;
}

/** What such a field says, as epoch seconds; null where it says nothing. */
export function fromField(text) {
  const millis = new Date(text).getTime();
  return Number.isFinite(millis) ? Math.floor(millis / 1000) : null;
}

/** How many of what: 1 line, 2 lines. */
export function some(value, word) {
  return `${count(value)} ${word}${value === 1 ? "" : "s"}`;
}

/** The offset in which the times above are shown at that time, or now: UTC, UTC+1, UTC+5:30. */
export function zone(epoch = Date.now() / 1000) {
  const minutes = -new Date(epoch * 1000).getTimezoneOffset();
  if (minutes === 0) return "UTC";
  const size = Math.abs(minutes);
  const rest = size % 60 ? `:${two(size % 60)}` : "";
  return `UTC${minutes < 0 ? "−" : "+"}${Math.floor(size / 60)}${rest}`;
}

function short(value) {
  return value.toFixed(Math.abs(value) < 99.95 ? 1 : 0);
}

function trim(text) {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}
