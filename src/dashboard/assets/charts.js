// Charts over time, drawn by uPlot (a global of vendor/uPlot.iife.min.js). One
// look for all: legend in the title line, crosshairs that move together, a drag
// selects a span.

import * as format from "./format.js";
import { el, setAttribute, setText } from "./dom.js";
import { marksLayer } from "./marks.js";

/** What each known measure looks like; more than colour tells the lines apart. */
const LINES = {
  rate: { color: "--rate", fill: true, width: 1.5 },
  p50: { color: "--p50", width: 1.25 },
  p95: { color: "--p95", width: 2 },
  p99: { color: "--p99", width: 1.25, dash: [5, 3] },
  errors: { color: "--errors", fill: true, width: 1.5 },
};
const OTHER_LINE = { color: "--other", width: 1.5 };

const HOUR = 3_600;
const DAY = 86_400;

/**
 * Builds a chart into `root`.
 *
 * `chart`: `name` (the test hook), `title`, `measures` (names of its lines),
 * `format` (value to text), `least` (least upper end of the scale).
 * `onSpan(from, to)` is called when a span is dragged; `first` is true of the first of
 * several charts over the same time.
 * Returns `update(times, lists, marks, from, to)`, `moveCursor(by)`, `destroy()`.
 */
export function createChart(root, chart, { sync, first, onSpan }) {
  const time = el("span", { class: "time" });
  const legend = chart.measures.map((measure) => {
    const value = el("span", { class: "value" });
    const node = el("span", { class: "key", "data-measure": measure }, el("i", { class: "swatch" }), el("span", {}, measure), " ", value);
    return { node, value };
  });
  const single = chart.measures.length === 1;
  const plot = el("div", { class: "plot" });
  const empty = el("p", { class: "no-data" }, "no values in this span");
  const box = el(
    "figure",
    { class: "chart", "data-chart": chart.name },
    el("figcaption", {}, el("h2", {}, chart.title), el("span", { class: single ? "legend single" : "legend" }, ...legend.map(({ node }) => node)), time),
    plot,
    empty,
  );
  root.append(box);

  const marks = marksLayer(first);
  let data = [[], ...chart.measures.map(() => [])];
  let span = [0, 1];
  let uplot = build();

  function build() {
    const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
    const axis = {
      stroke: color("--dim"),
      grid: { stroke: color("--grid"), width: 1 },
      ticks: { stroke: color("--grid"), width: 1, size: 4 },
      font: `11px ${color("--sans")}`,
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
        points: { size: 6 },
      },
      scales: {
        x: { time: true, range: () => span },
        y: { range: (_, low, high) => [Math.min(0, low ?? 0), Math.max(high ?? 0, chart.least) * 1.08 || 1] },
      },
      axes: [
        { ...axis, space: 70, size: 26, values: (_, splits, index, space, step) => timeLabels(splits, step) },
        { ...axis, space: (u, index, low, high, height) => Math.max(28, height / 8), size: 64, values: (_, splits) => splits.map((value) => chart.format(value).replace(/\.0+(?!\d)/, "")) },
      ],
      series: [
        {},
        ...chart.measures.map((measure) => {
          const line = LINES[measure] ?? OTHER_LINE;
          const stroke = color(line.color);
          return {
            stroke,
            width: line.width,
            dash: line.dash,
            fill: line.fill ? `color-mix(in srgb, ${stroke} 16%, transparent)` : undefined,
            spanGaps: false,
            points: { show: false, filter: lonePoints, size: 4, fill: stroke },
          };
        }),
      ],
      hooks: {
        setCursor: [showLegend],
        draw: [marks.place],
        setSelect: [
          (u) => {
            if (u.select.width < 5) return;
            onSpan(u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x"));
            u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
          },
        ],
      },
    };
    return new uPlot(options, data, plot);
  }

  function showLegend(u) {
    const times = u.data[0];
    const pointed = u.cursor.idx;
    const index = pointed ?? lastWithValue(u.data);
    legend.forEach(({ value }, i) => setText(value, chart.format(index === null ? null : u.data[i + 1][index])));
    setText(time, index === null ? "" : format.clock(times[index]));
    setAttribute(time, "data-pointed", pointed === null || pointed === undefined ? null : "");
  }

  const resizer = new ResizeObserver(() => {
    if (plot.clientWidth > 0) uplot.setSize({ width: plot.clientWidth, height: plot.clientHeight });
  });
  resizer.observe(plot);

  // The canvas holds colours, not classes: a change of scheme means drawing anew.
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  const repaint = () => {
    uplot.destroy();
    uplot = build();
  };
  scheme.addEventListener("change", repaint);

  return {
    update(times, lists, happened, from, to) {
      span = [from, to];
      marks.set(happened);
      data = [times, ...lists];
      uplot.setData(data);
      showLegend(uplot);
      box.toggleAttribute("data-empty", lastWithValue(data) === null);
    },
    /** Moves the crosshairs by points; false where there is nothing to move over. */
    moveCursor(by) {
      const last = lastWithValue(data);
      if (last === null) return false;
      const index = Math.min(last, Math.max(0, (uplot.cursor.idx ?? last) + by));
      uplot.setCursor({ left: uplot.valToPos(data[0][index], "x"), top: 1 }, true, true);
      return true;
    },
    destroy() {
      resizer.disconnect();
      scheme.removeEventListener("change", repaint);
      uplot.destroy();
      box.remove();
    },
  };
}

/** Points with a gap on either side, which no line would show. */
function lonePoints(u, index) {
  const values = u.data[index];
  const lone = [];
  values.forEach((value, i) => {
    if (value !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null) lone.push(i);
  });
  return lone.length > 0 ? lone : null;
}

function lastWithValue([times, ...lists]) {
  for (let i = times.length - 1; i >= 0; i -= 1) {
    if (lists.some((list) => (list[i] ?? null) !== null)) return i;
  }
  return null;
}

function timeLabels(splits, step) {
  return splits.map((at) => {
    if (step >= DAY) return format.day(at);
    const text = step < 60 ? format.clock(at) : format.minute(at);
    return step >= HOUR / 4 && text === "00:00" ? format.day(at) : text;
  });
}
