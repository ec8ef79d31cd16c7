// Tables of one service: columns that sort by a click, bars in cells, rows that keep their
// place in the document, so that what is selected or focused stays so.

import * as format from "./format.js";
import { el, patchChildren, setAttribute, setText, show, svg } from "./dom.js";
import { sortOf, sortText } from "./route.js";

/** While the pointer moves over the rows they keep their places: nobody wants to copy another's id. */
const HOLD_MS = 1_500;

/**
 * A section with a table. `spec`: `name` (the test hook, and in the address), `title`, `class`,
 * `wide`, `none` (what is said where there is no row), `hooks(row)` (attributes) and `columns`, each
 * - `key`, `title`, `hint`
 * - `value(row)`: what sorts and what bars are made of; a column without one sorts not
 * - `cell(row)`: text or nodes; where missing, `print(value)`
 * - `number`, `bar` (a bar of the value's share of the greatest), `class`
 * - `ascending`: what a first click does
 * - `head`: true of the column that names the row
 *
 * Without a chosen sort the rows have their own order. `scales(row)` is false of rows that bars are
 * not measured by, unless there are no others. `severity(row)` and `dim(row)` mark
 * rows. `onSort(table, text)` is called with what the address should keep.
 * Returns `node`, `update(rows, sort, note)`.
 */
export function sortedTable(spec, onSort) {
  const title = el("h2", { id: `${spec.name}-title` }, spec.title);
  const note = el("span", { class: "note" });
  const head = el("tr");
  const body = el("tbody");
  const none = el("p", { class: "nothing" });
  const scroll = el("div", { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": title.id }, el("table", { "aria-labelledby": title.id }, el("thead", {}, head), body));
  const node = el("section", { class: ["panel", spec.wide ? "wide" : null, spec.class].filter(Boolean).join(" "), "data-table": spec.name }, el("div", { class: "panel-head" }, title, note), scroll, none);

  let sort = null;
  let latest = null;
  let pointerMoved = -Infinity;
  let held = null;
  body.addEventListener("pointermove", () => (pointerMoved = performance.now()));
  const headings = spec.columns.map(heading);
  head.append(...headings.map(({ node: cell }) => cell));

  function heading(column) {
    const classes = [column.number ? "number" : null, column.class].filter(Boolean).join(" ") || null;
    if (!column.value) return { node: el("th", { scope: "col", class: classes, title: column.hint, "data-field": column.key }, column.title), column };
    const button = el("button", { type: "button", title: column.hint ?? `Sort by ${column.title}` }, column.title);
    button.addEventListener("click", () => {
      const again = sort?.key === column.key;
      pointerMoved = -Infinity;
      onSort(spec.name, sortText({ key: column.key, ascending: again ? !sort.ascending : column.ascending ?? false }));
    });
    return { node: el("th", { scope: "col", class: classes, "data-field": column.key }, button), column };
  }

  function draw() {
    clearTimeout(held);
    const wait = HOLD_MS - (performance.now() - pointerMoved);
    if (wait > 0) {
      held = setTimeout(draw, wait);
      return;
    }
    const { rows, sortedBy, text } = latest;
    const wanted = sortOf(sortedBy);
    const by = spec.columns.find(({ key, value }) => value && key === wanted?.key);
    sort = by ? wanted : null;
    for (const { node: cell, column } of headings) {
      setAttribute(cell, "aria-sort", by === column ? (sort.ascending ? "ascending" : "descending") : null);
    }
    const scaling = rows.some(spec.scales ?? (() => true)) ? rows.filter(spec.scales ?? (() => true)) : rows;
    const most = new Map(spec.columns.filter(({ bar }) => bar).map((column) => [column, Math.max(...scaling.map((row) => column.value(row) ?? 0), 0)]));
    patchChildren(body, (by ? sorted(rows, by, sort.ascending) : rows).map((row) => rowOf(spec, row, most)));
    setText(note, text);
    show(scroll, rows.length > 0);
    show(none, rows.length === 0);
    setText(none, spec.none ?? "none in this span");
  }

  return {
    node,
    update(rows, sortedBy, text = "") {
      latest = { rows, sortedBy, text };
      draw();
    },
  };
}

function rowOf(spec, row, most) {
  const cells = spec.columns.map((column) => {
    const value = column.value?.(row);
    const content = column.cell ? column.cell(row) : (column.print ?? String)(value);
    const classes = [column.number ? "number" : null, column.bar ? "with-bar" : null, column.class].filter(Boolean).join(" ");
    const attributes = { class: classes || null, "data-field": column.key };
    const bar = column.bar && value > 0 ? [barOf(value / most.get(column))] : [];
    // A bar would be text to a reader; it says what the number beside it says.
    return el(column.head ? "th" : "td", column.head ? { ...attributes, scope: "row" } : attributes, ...bar, ...(Array.isArray(content) ? content : [column.bar ? el("span", {}, content) : content]));
  });
  return el("tr", { "data-severity": spec.severity?.(row) ?? null, "data-dim": spec.dim?.(row) ? "" : null, ...spec.hooks?.(row) }, ...cells);
}

/** Of attributes alone: the page's policy allows no styles in markup. */
function barOf(share) {
  return svg("svg", { class: "bar", viewBox: "0 0 100 1", preserveAspectRatio: "none", "aria-hidden": "true" }, svg("rect", { width: String(Math.max(1, Math.round(Math.min(share, 1) * 100))), height: "1" }));
}

function sorted(rows, { value }, ascending) {
  const direction = ascending ? 1 : -1;
  const missing = (each) => each === null || each === undefined;
  return [...rows].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (missing(x) || missing(y)) return missing(x) - missing(y);
    return direction * (typeof x === "string" ? x.localeCompare(y, "en", { numeric: true }) : x - y);
  });
}

/** Columns of what routes and servers share. */
export function numbers() {
  const share = (row) => (row.requests > 0 ? row.failed / row.requests : null);
  return [
    { key: "requests", title: "Requests", number: true, bar: true, value: (row) => row.requests, print: format.count },
    { key: "failed", title: "Failed", hint: "Answered with 500 or above, or without an answer. Sort by how many", number: true, value: (row) => row.failed, print: format.count },
    { key: "share", title: "Failed %", hint: "The share answered with 500 or above, or without an answer. Sort by it", number: true, bar: true, class: "errors", value: share, print: format.ratio },
    { key: "p50", title: "p50", number: true, value: (row) => row.p50, print: format.duration },
    { key: "p95", title: "p95", number: true, bar: true, class: "latency", value: (row) => row.p95, print: format.duration },
    { key: "max", title: "max", number: true, value: (row) => row.max, print: format.duration },
  ];
}
