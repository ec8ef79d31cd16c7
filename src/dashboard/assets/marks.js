// Marks: what happened (a server went down, someone deployed), drawn over the charts
// and listed under them. A glyph tells what colour tells.

import * as format from "./format.js";
import { el, patchChildren, setText, show } from "./dom.js";

const GLYPHS = { bad: "▼", ok: "▲", info: "◆" };
const WORST_FIRST = ["bad", "ok", "info"];

/** Glyphs closer than this, in pixels, are one that stands for all of them. */
const APART = 13;
/** Marks that a tip names; it says how many more there are. */
const NAMED = 6;

/**
 * The layer of marks of one chart. `reachable`: the Tab key stops at its glyphs, as it
 * should in one of several charts that show the same. `set(marks)`, newest first, then
 * `place(uplot)` whenever its scale or size may have changed.
 */
export function marksLayer(reachable) {
  const lines = el("div");
  const glyphs = el("div");
  const tip = el("div", { class: "tip", role: "tooltip", hidden: "" });
  const layer = el("div", { class: "marks" }, lines, glyphs, tip);
  const shown = new Map(); // glyphs by what they stand for: one that stays keeps focus and tip
  let marks = [];
  let opened = null; // the glyph whose tip is open
  let drawn = "";

  function place(u) {
    if (layer.parentNode !== u.over) u.over.append(layer);
    const { min, max } = u.scales.x;
    const at = (time) => Math.round(u.valToPos(time, "x"));
    const seen = [...marks]
      .reverse()
      .filter(({ time, end }) => time <= max && (end ?? time) >= min)
      .map((mark) => ({ mark, x: Math.max(0, at(mark.time)), end: mark.end === null ? null : at(Math.min(mark.end, max)) }))
      .sort((a, b) => a.x - b.x);
    const width = u.over.clientWidth;
    const next = JSON.stringify([width, seen.map(({ mark, x, end }) => [identity(mark), x, end])]);
    if (next === drawn) return;
    drawn = next;
    lines.replaceChildren(...seen.flatMap(line));
    placeGlyphs(clusters(seen), width);
  }

  function placeGlyphs(wanted, width) {
    const byKey = new Map(wanted.map((cluster) => [JSON.stringify(cluster.marks.map(identity)), cluster]));
    for (const [key, glyph] of shown) {
      if (byKey.has(key)) continue;
      if (opened === glyph) close();
      glyph.node.remove();
      shown.delete(key);
    }
    let before = null;
    for (const [key, { marks: all, x }] of byKey) {
      if (!shown.has(key)) shown.set(key, createGlyph(all));
      const glyph = shown.get(key);
      glyph.x = x;
      glyph.width = width;
      glyph.node.style.left = `${x}px`;
      const there = before === null ? glyphs.firstChild : before.nextSibling;
      if (there !== glyph.node) glyphs.insertBefore(glyph.node, there);
      before = glyph.node;
    }
    if (opened) placeTip();
  }

  function createGlyph(all) {
    const worst = WORST_FIRST.find((kind) => all.some((mark) => mark.kind === kind));
    const label = all.length === 1 ? words(all[0]) : `${all.length} marks, the last: ${words(all[all.length - 1])}`;
    const node = el(
      "button",
      { class: "mark", type: "button", "data-kind": worst, "aria-label": label, tabindex: reachable ? null : "-1" },
      GLYPHS[worst],
      ...(all.length > 1 ? [el("sup", {}, String(all.length))] : []),
    );
    const glyph = { node, x: 0, width: 0 };
    const open = () => {
      opened = glyph;
      tip.replaceChildren(...tipLines(all));
      show(tip, true);
      placeTip();
    };
    node.addEventListener("mouseenter", open);
    node.addEventListener("mouseleave", close);
    node.addEventListener("focus", open);
    node.addEventListener("blur", close);
    // A glyph is no place to begin dragging a span.
    node.addEventListener("mousedown", (event) => event.stopPropagation());
    return glyph;
  }

  /** Under its glyph, but within the chart. */
  function placeTip() {
    const { x, width } = opened;
    const half = tip.offsetWidth / 2;
    tip.style.left = `${Math.max(half, Math.min(x, width - half))}px`;
  }

  function close() {
    opened = null;
    show(tip, false);
  }

  return {
    set(next) {
      marks = next;
    },
    place,
  };
}

const identity = ({ time, end, title, source, kind }) => [time, end, title, source, kind];

function line({ mark, x, end }) {
  const begin = el("i", { class: "mark-line", "data-kind": mark.kind });
  begin.style.left = `${x}px`;
  if (end === null || end - x < 2) return [begin];
  const band = el("i", { class: "mark-band", "data-kind": mark.kind });
  band.style.left = `${x}px`;
  band.style.width = `${end - x}px`;
  return [band, begin];
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
  let drawn = "";
  return {
    node,
    /** Newest first. */
    update(marks, bound) {
      const next = JSON.stringify(marks);
      if (next === drawn) return;
      drawn = next;
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
    el("td", { class: mark.source === null ? "where none" : "where" }, mark.source ?? format.number(null)),
    el("td", { class: "particulars" }, particulars),
  );
}
