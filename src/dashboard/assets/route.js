// The URL's hash is the view, so that a reload or a shared link shows the same:
//   #/?sort=-rate&q=pay                   the list, sorted and filtered
//   #/service/RULE/SERVICE?range=1h       one service
//   #/series/ID?from=EPOCH&to=EPOCH       one other series, a fixed span
//   #/space/ID?range=1h                   a Space
//   #/pipeline                            the pipeline
// A service's view also keeps `at=EPOCH-EPOCH`, the part of the span that its tables are
// of, and how each table is sorted: `routes=-p95` is by p95, the greatest first.

/** Selectable ranges and their seconds. */
export const RANGES = { "5m": 300, "15m": 900, "1h": 3_600, "6h": 21_600, "24h": 86_400 };
const RANGE = "15m";

/** Tables that can be sorted. */
const TABLES = ["sort", "routes", "servers", "endings", "slowest", "failing"];

/** A link to a view; parts are escaped. */
export function href(...parts) {
  return `#/${parts.map(encodeURIComponent).join("/")}`;
}

/** The link to a route, with some of it changed: `{ span }`, `{ at }`, `{ sorts }`, `{ filter }`. */
export function linkTo(route, changes = {}) {
  const { view, rule, service, id, span, at, sorts, filter } = { ...route, ...changes };
  const query = [];
  if (view !== "list" && view !== "pipeline") query.push(span.range ? `range=${span.range}` : `from=${span.from}&to=${span.to}`);
  if (at) query.push(`at=${at.from}-${at.to}`);
  for (const [table, by] of Object.entries(sorts ?? {})) query.push(`${table}=${encodeURIComponent(by)}`);
  if (filter) query.push(`q=${encodeURIComponent(filter)}`);
  const path = { list: "#/", pipeline: href("pipeline"), service: href("service", rule ?? "", service ?? ""), series: href("series", id ?? ""), space: href("space", id ?? "") }[view];
  return query.length > 0 ? `${path}?${query.join("&")}` : path;
}

/** The same view over another span, `{ range }` or `{ from, to }`; a part of it is no longer chosen. */
export function withSpan(route, span) {
  const whole = span.range ? span : { from: Math.floor(span.from), to: Math.max(Math.ceil(span.to), Math.floor(span.from) + 1) };
  return linkTo(route, { span: whole, at: null });
}

/** What the hash asks for; the list where it makes no sense. */
export function parse(hash) {
  const [path, text = ""] = hash.replace(/^#\/?/, "").split("?");
  const query = new URLSearchParams(text);
  const list = { view: "list", filter: query.get("q") ?? "", sorts: sortsOf(query) };
  let parts;
  try {
    parts = path.split("/").map(decodeURIComponent);
  } catch {
    return list;
  }
  const span = spanOf(query);
  if (parts[0] === "service" && parts.length === 3 && parts[2] !== "") {
    return { view: "service", rule: parts[1], service: parts[2], span, at: partOf(query), sorts: sortsOf(query) };
  }
  if (parts[0] === "series" && /^\d+$/.test(parts[1] ?? "")) {
    return { view: "series", id: parts[1], span };
  }
  if (parts[0] === "space" && /^\d+$/.test(parts[1] ?? "")) {
    return { view: "space", id: parts[1], span };
  }
  if (parts[0] === "pipeline") return { view: "pipeline" };
  return list;
}

/** `-p95` as `{ key: "p95", ascending: false }`. */
export function sortOf(text) {
  return text ? { key: text.replace(/^-/, ""), ascending: !text.startsWith("-") } : null;
}

export function sortText({ key, ascending }) {
  return `${ascending ? "" : "-"}${key}`;
}

function sortsOf(query) {
  return Object.fromEntries(TABLES.flatMap((table) => (/^-?\w+$/.test(query.get(table) ?? "") ? [[table, query.get(table)]] : [])));
}

function spanOf(query) {
  const span = { from: Number(query.get("from")), to: Number(query.get("to")) };
  if (span.from > 0 && span.to > span.from) return span;
  const range = query.get("range");
  return { range: Object.hasOwn(RANGES, range ?? "") ? range : RANGE };
}

function partOf(query) {
  const [from, to] = (query.get("at") ?? "").split("-").map(Number);
  return from > 0 && to > from ? { from, to } : null;
}
