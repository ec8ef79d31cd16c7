// Marks: what happened (a server went down, someone deployed), drawn over the charts
// and listed under them. A glyph tells what colour tells.

import * as format from "./format.js";
import { el, patchChildren, setAttribute, setText, show } from "./dom.js";

const GLYPHS = { bad: "▼", ok: "▲", info: "◆" };
const WORST_FIRST = ["bad", "ok", "info"];

/** Glyphs closer than this, in pixels, are one that stands for all of them. */
const APART = 13;
/** Marks that a tip names; it says how many more there are. */
const NAMED = 6;
/** Half of a tip's width, in pixels: nearer to an edge it hangs from that side. */
const TIP_HALF = 150;

/**
 * The layer of marks of one chart. `reachable`: the Tab key stops at its glyphs, as it
 * should in one of several charts that show the same. `set(marks)`, newest first, then
 * `place(uplot)` whenever its scale or size may have changed.
 */
export function marksLayer(reachable) {
  const tip = el("div", { class: "tip", role: "tooltip", hidden: "" });
  const layer = el("div", { class: "marks" });
  let marks = [];
  let drawn = "";

  function place(u) {
    if (layer.parentNode !== u.over) u.over.append(layer);
    const { min, max } = u.scales.x;
    const at = (time) => Math.round(u.valToPos(time, "x"));
    const seen = marks
      .filter(({ time, end }) => time <= max && (end ?? time) >= min)
      .map((mark) => ({ mark, x: Math.max(0, at(mark.time)), end: mark.end === null ? null : at(Math.min(mark.end, max)) }))
      .sort((a, b) => a.x - b.x);
    const width = u.over.clientWidth;
    const next = JSON.stringify([width, seen]);
    if (next === drawn) return;
    drawn = next;
    const focused = [...layer.querySelectorAll(".mark")].indexOf(document.activeElement);
    show(tip, false);
    layer.replaceChildren(...seen.flatMap(lines), ...clusters(seen).map((cluster) => glyph(cluster, width)), tip);
    layer.querySelectorAll(".mark")[focused]?.focus();
  }

  function glyph({ x, marks: all }, width) {
    const worst = WORST_FIRST.find((kind) => all.some((mark) => mark.kind === kind));
    const label = all.length === 1 ? words(all[0]) : `${all.length} marks, the last: ${words(all[all.length - 1])}`;
    const node = el(
      "button",
      { class: "mark", type: "button", "data-kind": worst, "aria-label": label, tabindex: reachable ? null : "-1" },
      GLYPHS[worst],
      ...(all.length > 1 ? [el("sup", {}, String(all.length))] : []),
    );
    node.style.left = `${x}px`;
    const open = () => {
      tip.replaceChildren(...tipLines(all));
      tip.style.left = `${x}px`;
      setAttribute(tip, "data-side", x < TIP_HALF ? "left" : x > width - TIP_HALF ? "right" : null);
      show(tip, true);
    };
    const close = () => show(tip, false);
    node.addEventListener("mouseenter", open);
    node.addEventListener("mouseleave", close);
    node.addEventListener("focus", open);
    node.addEventListener("blur", close);
    // A glyph is no place to begin dragging a span.
    node.addEventListener("mousedown", (event) => event.stopPropagation());
    return node;
  }

  return {
    set(next) {
      marks = next;
    },
    place,
  };
}

function lines({ mark, x, end }) {
  const line = el("i", { class: "mark-line", "data-kind": mark.kind });
  line.style.left = `${x}px`;
  if (end === null || end - x < 2) return [line];
  const band = el("i", { class: "mark-band", "data-kind": mark.kind });
  band.style.left = `${x}px`;
  band.style.width = `${end - x}px`;
  return [band, line];
}

/** Neighbours that would cover each other, as one; oldest first, and so within each. */
function clusters(seen) {
  const all = [];
  for (const { mark, x } of seen) {
    const last = all[all.length - 1];
    if (last && x - last.x < APART) last.marks.push(mark);
    else all.push({ x, marks: [mark] });
  }
  return all;
}

function tipLines(all) {
  const shown = all.slice(-NAMED).reverse();
  const nodes = shown.map((mark) =>
    el("p", { "data-kind": mark.kind }, el("span", { class: "glyph" }, GLYPHS[mark.kind]), el("b", {}, mark.title), el("span", { class: "where" }, whenAndWhere(mark))));
  if (all.length > shown.length) nodes.push(el("p", { class: "where" }, `and ${all.length - shown.length} more before`));
  return nodes;
}

function whenAndWhere({ time, end, source }) {
  const span = end === null ? format.clock(time) : `${format.clock(time)} – ${format.clock(end)}`;
  return source === null ? span : `${span} · ${source}`;
}

const words = (mark) => `${mark.title}, ${whenAndWhere(mark)}`;

/** The same marks as a table, for those who read rather than point. */
export function marksTable() {
  const title = el("h2", { id: "marks-title" });
  const body = el("tbody");
  const headings = ["Time", "What", "Where", "Particulars"].map((text) => el("th", { scope: "col" }, text));
  const scroll = el("div", { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": "marks-title" },
    el("table", { "aria-labelledby": "marks-title" }, el("thead", {}, el("tr", {}, ...headings)), body));
  const node = el("section", { class: "marks-list", hidden: "" }, title, scroll);
  return {
    node,
    /** Newest first. */
    update(marks, bound) {
      show(node, marks.length > 0);
      setText(title, marks.length < bound ? `Marks (${marks.length})` : `Marks (the newest ${marks.length})`);
      patchChildren(body, marks.map(row));
    },
  };
}

function row(mark) {
  const glyph = el("span", { class: "glyph", "data-kind": mark.kind, "aria-hidden": "true" }, GLYPHS[mark.kind]);
  const end = mark.end === null ? "" : ` – ${format.clock(mark.end)}`;
  // A message repeats itself as its title where that holds all of it.
  const particulars = mark.description === mark.title ? "" : mark.description ?? "";
  return el(
    "tr",
    { "data-mark": mark.kind },
    el("td", { class: "when" }, `${format.dayAndClock(mark.time)}${end}`),
    el("th", { scope: "row" }, glyph, mark.title),
    el("td", {}, mark.source ?? format.number(null)),
    el("td", { class: "particulars" }, particulars),
  );
}
