// The frame that all charts over time share, drawn by uPlot (a global of
// vendor/uPlot.iife.min.js): a title line that tells the values pointed at, crosshairs that
// move together, marks, a drag that selects a span, a click that chooses a column, and the
// same values as a table. What is drawn in it is charts.js' and heatmap.js' business.

import * as format from "./format.js";
import { el, setAttribute, setText, show } from "./dom.js";
import { dataTable } from "./datatable.js";
import { marksLayer } from "./marks.js";
import { color, family, onRepaint } from "./theme.js";

const HOUR = 3_600;
const DAY = 86_400;
/** Pixels: less is a click, more is a drag. */
const DRAG = 5;

/**
 * Builds a frame into `root`. `spec`:
 * - `name` (the test hook), `title`, `hint` (what it is, in a sentence)
 * - `keys`: of the title line, each `{ measure, label, swatch() }`, `swatch` being a node
 * - `series()`: uPlot's series without the times', in the colours of the moment
 * - `scale` and `axis`: what differs of uPlot's y scale and y axis
 * - `texts(index)`: a text for each key, null where the key has nothing to say
 * - `has(index)`: whether there is a value
 * - `points`: false where no dot follows the crosshairs
 * - `wide`: true where a value fills its step, as a column does, and is pointed at all over it
 * - `paint(uplot)`, if it draws by itself; `tip(uplot)`: lines of text about the place
 *   pointed at, or null
 * - `columns`, `row(index)`: its table
 *
 * `sync` is common to charts over the same time, `first` is true of the first of them,
 * `onSpan(from, to)` is called when a span is dragged, `onColumn(time, step)` when a
 * column is clicked.
 *
 * Returns `update({ times, lists, step, marks, from, to, at })`, `moveCursor(by)`,
 * `chooseColumn()`, `asTable(open)`, `destroy()`.
 */
export function createPlot(root, spec, { sync, first, onSpan, onColumn }) {
  const time = el("span", { class: "time" });
  const legend = spec.keys.map(({ measure, label, swatch }) => {
    const value = el("span", { class: "value" });
    const node = el("span", { class: "key", "data-measure": measure }, swatch(), el("span", {}, label ?? measure), " ", value);
    return { node, value, swatch };
  });
  const plot = el("div", { class: "plot" });
  const empty = el("p", { class: "no-data" }, "no values in this span");
  const values = dataTable(spec.title);
  const toTable = el("button", { type: "button", class: "to-table", "aria-expanded": "false", "aria-label": `${spec.title} as a table` }, "table");
  const box = el(
    "figure",
    { class: "chart", "data-chart": spec.name },
    el(
      "figcaption",
      {},
      el("h2", { title: spec.hint }, spec.title),
      el("span", { class: spec.keys.length === 1 ? "legend single" : "legend" }, ...legend.map(({ node }) => node)),
      time,
      toTable,
    ),
    plot,
    values.node,
    empty,
  );
  root.append(box);
  toTable.addEventListener("click", () => asTable(values.node.hidden));

  const marks = marksLayer(first);
  const band = el("i", { class: "chosen", hidden: "" });
  const tip = el("div", { class: "tip", hidden: "" });
  let data = [[], ...spec.series().map(() => [])];
  let span = [0, 1];
  let step = 1;
  let at = null;
  let pressed = null; // where the button went down
  let uplot = build();
  const forget = onRepaint(repaint);

  function build() {
    const axis = {
      stroke: color("--dim"),
      grid: { stroke: color("--grid"), width: 1 },
      ticks: { stroke: color("--grid"), width: 1, size: 4 },
      font: `11px ${family("--sans")}`,
    };
    const options = {
      width: Math.max(plot.clientWidth, 50),
      height: Math.max(plot.clientHeight, 50),
      // Above, room for the marks' glyphs. Right, half of a time's width: the last label
      // would be cut off.
      padding: [16, 26, 0, 0],
      legend: { show: false },
      cursor: {
        // Heights mean another thing in each chart: only the time is shared.
        y: false,
        sync: { key: sync },
        drag: { x: true, y: false, setScale: false },
        points: spec.points === false ? { show: false } : { size: 6 },
      },
      scales: { x: { time: true, range: () => span }, y: spec.scale },
      axes: [
        { ...axis, space: 70, size: 26, values: (_, splits, index, space, gap) => timeLabels(splits, gap) },
        { ...axis, space: (u, index, low, high, height) => Math.max(28, height / 8), size: 64, ...spec.axis },
      ],
      series: [{}, ...spec.series()],
      hooks: {
        ready: [listen],
        drawAxes: spec.paint ? [spec.paint] : [],
        draw: [placeAll],
        setCursor: [pointed],
        setSelect: [selected],
      },
    };
    const built = new uPlot(options, data, plot);
    setAttribute(built.ctx.canvas, "role", "img");
    setAttribute(built.ctx.canvas, "aria-label", `${spec.title}, as a chart: the button behind its title shows the values`);
    return built;
  }

  function listen(u) {
    u.over.append(band, tip);
    u.over.addEventListener("mousedown", (event) => (pressed = event.clientX));
    u.over.addEventListener("mouseleave", () => show(tip, false));
    u.over.addEventListener("click", (event) => {
      if (pressed !== null && Math.abs(event.clientX - pressed) < DRAG) choose();
      pressed = null;
    });
  }

  function selected(u) {
    if (u.select.width < DRAG) return;
    onSpan(u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x"));
    u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
  }

  /** The value pointed at: uPlot tells that whose time is nearest. */
  function indexAt(u) {
    const index = u.cursor.idx ?? null;
    if (index === null || !spec.wide) return index;
    return data[0][index] > u.posToVal(u.cursor.left, "x") ? Math.max(0, index - 1) : index;
  }

  function choose() {
    const index = indexAt(uplot);
    if (index === null || !onColumn || !spec.has(index)) return false;
    onColumn(data[0][index], step);
    return true;
  }

  function placeAll(u) {
    marks.place(u);
    const isShown = at !== null && at.to > span[0] && at.from < span[1];
    show(band, isShown);
    if (!isShown) return;
    const edge = (value) => Math.min(Math.max(u.valToPos(value, "x"), 0), u.over.clientWidth);
    band.style.left = `${edge(at.from)}px`;
    band.style.width = `${Math.max(edge(at.to) - edge(at.from), 2)}px`;
  }

  function pointed(u) {
    const place = indexAt(u);
    const index = place ?? lastWithValue();
    const texts = index === null ? spec.keys.map(() => format.number(null)) : spec.texts(index);
    legend.forEach(({ node, value }, i) => {
      show(node, texts[i] !== null);
      setText(value, texts[i] ?? "");
    });
    // The day where it is another than that of the chart's end.
    const told = (epoch) => (format.day(epoch) === format.day(span[1]) ? format.clock(epoch) : format.dayAndClock(epoch));
    setText(time, index === null ? "" : told(data[0][index]));
    setAttribute(time, "data-pointed", place === null ? null : "");
    tell(u);
  }

  /** The tip beside the pointer, on the side where there is room. */
  function tell(u) {
    const lines = spec.tip && hovered(u) ? spec.tip(u) : null;
    show(tip, lines !== null);
    if (lines === null) return;
    tip.replaceChildren(...lines.map((line) => el("p", {}, line)));
    const half = tip.offsetWidth / 2;
    tip.style.left = `${Math.min(Math.max(u.cursor.left, half), u.over.clientWidth - half)}px`;
    tip.style.top = `${u.cursor.top > u.over.clientHeight / 2 ? u.cursor.top - tip.offsetHeight - 10 : u.cursor.top + 14}px`;
  }

  function lastWithValue() {
    for (let i = data[0].length - 1; i >= 0; i -= 1) if (spec.has(i)) return i;
    return null;
  }

  const resizer = new ResizeObserver(() => {
    if (plot.clientWidth > 0) uplot.setSize({ width: plot.clientWidth, height: plot.clientHeight });
  });
  resizer.observe(plot);

  // The canvas holds colours, not classes: a change of theme means drawing anew.
  function repaint() {
    uplot.destroy();
    uplot = build();
    legend.forEach(({ node, swatch }) => node.firstChild.replaceWith(swatch()));
  }

  function asTable(open) {
    show(values.node, open);
    show(plot, !open);
    setText(toTable, open ? "chart" : "table");
    setAttribute(toTable, "aria-label", `${spec.title} as a ${open ? "chart" : "table"}`);
    toTable.setAttribute("aria-expanded", String(open));
    fillTable();
  }

  function fillTable() {
    if (!values.node.hidden) values.update(spec.columns, data[0], spec.has, spec.row, span[1]);
  }

  return {
    update(next) {
      span = [next.from, next.to];
      step = next.step;
      at = next.at;
      marks.set(next.marks);
      data = [next.times, ...next.lists];
      uplot.setData(data);
      pointed(uplot);
      fillTable();
      box.toggleAttribute("data-empty", lastWithValue() === null);
    },
    /** Moves the crosshairs by points; false where there is nothing to move over. */
    moveCursor(by) {
      const last = lastWithValue();
      if (last === null) return false;
      const index = Math.min(last, Math.max(0, (indexAt(uplot) ?? last) + by));
      const time = data[0][index] + (spec.wide ? step / 2 : 0);
      uplot.setCursor({ left: uplot.valToPos(time, "x"), top: 1 }, true, true);
      return true;
    },
    /** As a click at the crosshairs; false where there are none. */
    chooseColumn: choose,
    asTable,
    destroy() {
      resizer.disconnect();
      forget();
      uplot.destroy();
      box.remove();
    },
  };
}

/** A tip is told at the pointer itself, not at crosshairs that follow another chart's. */
const hovered = (u) => u.cursor.left >= 0 && u.over.matches(":hover");

function timeLabels(splits, step) {
  return splits.map((at) => {
    if (step >= DAY) return format.day(at);
    const text = step < 60 ? format.clock(at) : format.minute(at);
    return step >= HOUR / 4 && text === "00:00" ? format.day(at) : text;
  });
}
