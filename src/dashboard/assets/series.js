// Series outside the services' rows: other Librato clients' metrics, other rules.

import * as format from "./format.js";
import { tagText } from "./head.js";
import { el, setText, show, sparkline } from "./dom.js";
import { href } from "./route.js";
import { openRow } from "./services.js";

/** Seconds between fetches: many series are much data. */
const pause = (rows) => (rows <= 50 ? 2 : 10);
const TYPING_MS = 250;

/** Title and classes; the sparkline's title is its range. */
const COLUMNS = [["Name", "name"], ["Tags", "tags"], ["Value", "value number"], ["", "spark"], ["Age", "age number"]];
const SPARK = 3;

/** Builds into `root`; `changed` is called when there are some, or none any more. */
export function seriesTable(root, changed) {
  const rows = new Map();
  const title = el("h2", { id: "others-title" });
  const note = el("p", { class: "nothing", hidden: "" });
  const body = el("tbody", { role: "rowgroup" });
  const headings = COLUMNS.map(([text, name]) => el("th", { role: "columnheader", scope: "col", class: `cell-${name}` }, text));
  const table = el(
    "table",
    { class: "grid series", role: "table", "aria-labelledby": "others-title" },
    el("colgroup", {}, ...COLUMNS.map(([, name]) => el("col", { class: `col-${name.split(" ")[0]}` }))),
    el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, ...headings)),
    body,
  );
  root.append(title, table, note);
  body.addEventListener("click", openRow);

  let name = "Other series";
  let filter = "";
  let wanted = true; // there may be series we have not fetched
  let fetchedAt = -Infinity;
  let loading = null;
  let busy = false;
  let typing = null;
  let any = false;

  async function load(now) {
    wanted = false;
    busy = true;
    fetchedAt = now;
    loading?.abort();
    const mine = new AbortController();
    loading = mine;
    try {
      const response = await fetch(`api/v1/series?search=${encodeURIComponent(filter)}`, { signal: mine.signal, headers: { accept: "application/json" } });
      if (!response.ok) throw new Error(`the server answered ${response.status}`);
      const answer = await response.json();
      if (loading === mine) render(answer, now);
    } catch (error) {
      if (error.name !== "AbortError") wanted = true; // the next tick tries again
    } finally {
      if (loading === mine) busy = false;
    }
  }

  function render({ total, series, spark_range }, now) {
    const had = any;
    const range = format.age(spark_range);
    setText(headings[SPARK], range);
    any = filter === "" ? series.length > 0 : any || series.length > 0;
    const kept = new Set();
    series.forEach((each, i) => {
      kept.add(each.id);
      if (!rows.has(each.id)) rows.set(each.id, createRow(each));
      const row = rows.get(each.id);
      row.update(each, range, now);
      if (body.children[i] !== row.node) body.insertBefore(row.node, body.children[i] ?? null);
    });
    for (const [id, row] of rows) {
      if (kept.has(id)) continue;
      row.node.remove();
      rows.delete(id);
    }
    setText(title, `${name} (${format.count(total)})`);
    show(root, any);
    show(table, series.length > 0);
    show(note, any && (series.length === 0 || total > series.length));
    setText(note, series.length === 0 ? `None matches “${filter}”.` : `The first ${series.length} of ${format.count(total)}: filter to see others.`);
    if (any !== had) changed();
  }

  return {
    any: () => any,
    /** What the section is called: the only one, or the rest beside services. */
    name(text) {
      name = text;
    },
    changed() {
      wanted = true;
    },
    /** Puts the focus on the row of a view, if it is one of these. */
    focus({ view, id }) {
      if (view === "series") rows.get(Number(id))?.node.querySelector(".row-link").focus();
    },
    /** Fetches when there is something new and the last fetch is long enough ago. */
    tick(now) {
      if (wanted && !busy && now - fetchedAt >= pause(rows.size)) load(now);
    },
    filter(text, now) {
      filter = text;
      clearTimeout(typing);
      typing = setTimeout(() => load(now), TYPING_MS);
    },
  };
}

function createRow(series) {
  const tags = tagText(series.tags);
  const value = el("td", { role: "cell", class: "cell-value number", "data-field": "value" });
  const age = el("td", { role: "cell", class: "cell-age number", "data-field": "age" });
  const spark = sparkline("other");
  const node = el(
    "tr",
    { role: "row", "data-series": String(series.id) },
    el("th", { role: "rowheader", scope: "row", class: "cell-name" }, el("a", { class: "row-link", href: href("series", String(series.id)) }, series.name)),
    el("td", { role: "cell", class: "cell-tags", title: tags }, tags),
    value,
    el("td", { role: "cell", class: "cell-spark" }, spark.node),
    age,
  );
  return {
    node,
    update(next, range, now) {
      setText(value, format.number(next.value));
      setText(age, format.age(now - next.time));
      spark.update(next.spark.values, `last ${range}`);
    },
  };
}
