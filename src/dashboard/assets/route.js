// The URL's hash is the view, so that a reload or a shared link shows the same:
//   #/                                    the list
//   #/service/RULE/SERVICE?range=1h       one service
//   #/series/ID?from=EPOCH&to=EPOCH       one other series, a fixed span
//   #/space/ID?range=1h                   a Space

/** Selectable ranges and their seconds. */
export const RANGES = { "15m": 900, "1h": 3_600, "6h": 21_600, "24h": 86_400 };
const RANGE = "15m";

/** A link to a view; parts are escaped. */
export function href(...parts) {
  return `#/${parts.map(encodeURIComponent).join("/")}`;
}

/** The same view over another span: `{ range }` or `{ from, to }`. */
export function withSpan(route, span) {
  const path = route.view === "service" ? href("service", route.rule, route.service) : href("series", route.id);
  const query = span.range ? `range=${span.range}` : `from=${Math.floor(span.from)}&to=${Math.ceil(span.to)}`;
  return `${path}?${query}`;
}

/** What the hash asks for; the list where it makes no sense. */
export function parse(hash) {
  const list = { view: "list" };
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?");
  let parts;
  try {
    parts = path.split("/").map(decodeURIComponent);
  } catch {
    return list;
  }
  const span = spanOf(new URLSearchParams(query));
  if (parts[0] === "service" && parts.length === 3 && parts[2] !== "") {
    return { view: "service", rule: parts[1], service: parts[2], span };
  }
  if (parts[0] === "series" && /^\d+$/.test(parts[1] ?? "")) {
    return { view: "series", id: parts[1], span };
  }
  if (parts[0] === "space" && /^\d+$/.test(parts[1] ?? "")) {
    return { view: "space", id: parts[1], span };
  }
  return list;
}

function spanOf(query) {
  const from = Number(query.get("from"));
  const to = Number(query.get("to"));
  if (from > 0 && to > from) return { from, to };
  const range = query.get("range");
  return { range: Object.hasOwn(RANGES, range ?? "") ? range : RANGE };
}
