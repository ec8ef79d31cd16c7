// The list of services: one row each, kept and updated in place. The server's
// order (worst first) is the default; a column's heading sorts by that column.

import * as format from "./format.js";
import { el, icon, setAttribute, setText, show, sparkline } from "./dom.js";
import { href, sortOf, sortText } from "./route.js";

const WORDS = { ok: "ok", warn: "warn", bad: "bad" };

/** While the pointer moves over the rows they keep their places: nobody wants to miss a click. */
const HOLD_MS = 1_500;

/** The least upper end of the errors' sparkline: 5 %, which is bad. */
const ERRORS_SCALE = 0.05;

const WORST_FIRST = { key: "severity", ascending: false };

const COLUMNS = [
  { key: "severity", title: "State", hint: "worst first" },
  { key: "service", title: "Service", ascending: true },
  { key: "why", title: "Why" },
  { key: "rate", title: "Rate", number: format.rate },
  { spark: "rate", title: (range) => range },
  { key: "p50", title: "p50", number: format.duration },
  { key: "p95", title: "p95", number: format.duration },
  { key: "p99", title: "p99", number: format.duration },
  { spark: "p95", title: (range) => `p95, ${range}` },
  { key: "errors", title: "Errors", number: format.ratio },
  { spark: "errors", title: (range) => range },
];

/**
 * Builds the table into `root`; `sorted(by)` is called when a heading is clicked, `by` being
 * null for the server's order. Returns `update(body, filter, due)`, `sortBy(text)` as the
 * address has it, `sorts()` for the address, `focus(route)` and `step(by, among)`.
 */
export function serviceTable(root, sorted) {
  const rows = new Map();
  let latest = { services: [], range: "", filter: "", due: 0 };
  let sort = WORST_FIRST;
  let pointerMoved = -Infinity;
  let held = null;

  const body = el("tbody", { role: "rowgroup" });
  const headings = COLUMNS.map((column) => heading(column, () => sortByColumn(column)));
  const table = el(
    "table",
    { class: "grid", role: "table", "aria-label": "Services" },
    el("colgroup", {}, ...COLUMNS.map((column) => el("col", { class: `col-${column.key ?? `spark-${column.spark}`}` }))),
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, ...headings.map(({ node }) => node))),
    body,
  );
  const nothing = el("p", { class: "nothing" });
  show(nothing, false);
  root.append(table, nothing);

  body.addEventListener("click", openRow);
  body.addEventListener("pointermove", () => (pointerMoved = performance.now()));

  function sortByColumn(column) {
    if (column.key === "severity") sort = WORST_FIRST;
    else if (sort.key !== column.key) sort = { key: column.key, ascending: column.ascending ?? false };
    else sort = { key: column.key, ascending: !sort.ascending };
    pointerMoved = -Infinity;
    sorted(sort === WORST_FIRST ? null : sortText(sort));
    render();
  }

  function render() {
    const { services, range, filter, due } = latest;
    const shown = ordered(services.filter((service) => matches(service, filter)), sort);
    headings.forEach(({ mark }) => mark(sort, range));
    setAttribute(table, "data-rules", new Set(services.map(({ rule }) => rule)).size > 1 ? "many" : "one");

    const kept = new Set();
    for (const service of shown) {
      const key = JSON.stringify([service.rule, service.service]);
      kept.add(key);
      if (!rows.has(key)) rows.set(key, createRow(service));
      rows.get(key).update(service, range, due);
    }
    for (const [key, row] of rows) {
      if (kept.has(key)) continue;
      row.node.remove();
      rows.delete(key);
    }
    place(shown.map((service) => rows.get(JSON.stringify([service.rule, service.service])).node));

    show(table, shown.length > 0);
    show(nothing, shown.length === 0 && services.length > 0);
    setText(nothing, `None of ${services.length} services matches “${filter}”.`);
  }

  function place(nodes) {
    clearTimeout(held);
    const wait = HOLD_MS - (performance.now() - pointerMoved);
    if (wait > 0) {
      for (const node of nodes) if (!node.isConnected) body.append(node);
      held = setTimeout(render, wait);
      return;
    }
    // Moving a node takes the focus from it, so hand it back.
    const focused = body.contains(document.activeElement) ? document.activeElement : null;
    nodes.forEach((node, i) => {
      if (body.children[i] !== node) body.insertBefore(node, body.children[i] ?? null);
    });
    if (focused && document.activeElement !== focused) focused.focus({ preventScroll: true });
  }

  return {
    update(body, filter, due) {
      latest = { services: body.services, range: format.age(body.spark_range), filter, due };
      render();
    },
    sortBy(text) {
      const wanted = sortOf(text);
      sort = COLUMNS.some(({ key }) => key && key === wanted?.key) ? wanted : WORST_FIRST;
    },
    sorts: () => (sort === WORST_FIRST ? {} : { sort: sortText(sort) }),
    /** Puts the focus on the row of a view; false where it is none of these rows. */
    focus({ view, rule, service }) {
      const link = view === "service" ? rows.get(JSON.stringify([rule, service]))?.node.querySelector(".row-link") : null;
      link?.focus();
      return Boolean(link);
    },
    /** Moves the focus among all rows of `among`; where none has it, to the first. */
    step(by, among) {
      const links = [...among.querySelectorAll(".row-link")].filter((link) => link.offsetParent !== null);
      if (links.length === 0) return false;
      const at = links.indexOf(document.activeElement);
      const next = at === -1 ? 0 : Math.min(links.length - 1, Math.max(0, at + by));
      links[next].focus();
      return true;
    },
  };
}

/** True where the service's name, rule or trouble contains the text. */
export function matches(service, filter) {
  if (filter === "") return true;
  const text = `${service.service} ${service.rule} ${service.why} ${service.severity}`.toLowerCase();
  return filter.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

/** A click anywhere on a row follows the row's link, unless text is being selected. */
export function openRow(event) {
  const row = event.target.closest("tr");
  if (!row || event.target.closest("a") || String(getSelection())) return;
  location.hash = row.querySelector("a").getAttribute("href");
}

/**
 * The measure a service's `why` speaks of, so that its number can be marked.
 * Free text: where it names none, none is marked; nor a 0, when a service has just
 * recovered.
 */
export function culprit(service) {
  const measure = service.severity === "ok" ? undefined : /\b(errors|p50|p95|p99|rate)\b/.exec(service.why)?.[1];
  return service[measure] > 0 ? measure : null;
}

/**
 * How long a service has been without a new window, in seconds, once that is
 * longer than its windows explain; else null. Windows that ended before `due`
 * should be closed.
 */
export function silence(service, due) {
  const behind = due - (service.time + service.window);
  return behind > 2 * service.window + 30 ? behind : null;
}

function heading(column, onSort) {
  const sortable = column.key && column.key !== "why";
  const numeric = column.number ? " number" : "";
  if (!sortable) {
    const node = el("th", { role: "columnheader", scope: "col", class: `cell-${column.key ?? `spark spark-of-${column.spark}`}` }, column.spark ? "" : column.title);
    return { node, mark: (_, range) => column.spark && setText(node, column.title(range)) };
  }
  const button = el("button", { type: "button", title: column.hint ? `Sort: ${column.hint}` : `Sort by ${column.title}` }, column.title);
  const node = el("th", { role: "columnheader", scope: "col", class: `cell-${column.key}${numeric}` }, button);
  button.addEventListener("click", onSort);
  return {
    node,
    mark(sort) {
      setAttribute(node, "aria-sort", sort.key === column.key ? (sort.ascending ? "ascending" : "descending") : null);
    },
  };
}

function createRow(service) {
  const state = icon(service.severity);
  const word = el("span", { class: "word" });
  const link = el("a", { class: "row-link", href: href("service", service.rule, service.service), title: service.service }, service.service);
  const why = el("td", { role: "cell", class: "cell-why", "data-field": "why" });
  const cells = [];
  const sparks = [];

  const node = el(
    "tr",
    { role: "row", "data-service": service.service, "data-rule": service.rule },
    el("td", { role: "cell", class: "cell-severity", "data-field": "severity" }, state.node, word),
    el("th", { role: "rowheader", scope: "row", class: "cell-service", "data-field": "service" }, link, el("span", { class: "rule" }, service.rule)),
    why,
  );
  for (const column of COLUMNS) {
    if (column.number) {
      const cell = el("td", { role: "cell", class: `cell-${column.key} number`, "data-field": column.key, "data-title": column.title });
      cells.push({ cell, column });
      node.append(cell);
    } else if (column.spark) {
      const spark = sparkline(column.spark);
      sparks.push({ spark, measure: column.spark });
      node.append(el("td", { role: "cell", class: `cell-spark spark-of-${column.spark}` }, spark.node));
    }
  }

  let drawn = null;
  let drawnQuiet = null;
  return {
    node,
    update(next, range, due) {
      // Most calls bring the same service again, only later.
      const quiet = silence(next, due);
      if (next === drawn && quiet === drawnQuiet) return;
      const fresh = next !== drawn;
      drawn = next;
      drawnQuiet = quiet;
      const reason = quiet === null ? next.why : [next.why, `no data for ${format.age(quiet)}`].filter(Boolean).join("; ");
      setAttribute(node, "data-severity", next.severity);
      setAttribute(node, "data-quiet", quiet === null ? null : "");
      state.set(next.severity);
      setText(word, WORDS[next.severity]);
      setText(why, reason);
      setAttribute(why, "title", reason || null);
      if (!fresh) return;
      const marked = culprit(next);
      for (const { cell, column } of cells) {
        setText(cell, column.number(next[column.key]));
        setAttribute(cell, "data-culprit", marked === column.key ? "" : null);
      }
      for (const { spark, measure } of sparks) {
        spark.update(next.spark[measure], `${measure}, last ${range}`, measure === "errors" ? ERRORS_SCALE : 0);
      }
    },
  };
}

function ordered(services, sort) {
  if (sort.key === "severity") return services;
  const direction = sort.ascending ? 1 : -1;
  const missing = (value) => value === null || value === undefined;
  return [...services].sort((a, b) => {
    const [x, y] = [a[sort.key], b[sort.key]];
    if (missing(x) || missing(y)) return missing(x) - missing(y);
    return direction * (typeof x === "string" ? x.localeCompare(y, "en", { numeric: true }) : x - y);
  });
}
