// How latencies spread over time: a column for each moment, a cell for each range of
// milliseconds, the darker (on dark, the brighter) the more requests. Percentiles hide that
// there are two kinds of requests; here they are two bands.

import * as format from "./format.js";
import { el } from "./dom.js";
import { createPlot } from "./plot.js";
import { color, isDark } from "./theme.js";

/** From few to many. Lightness alone tells them apart, so that the colour-blind, and printers, can too. */
const LIGHT = ["#dbe7f5", "#a5c8e8", "#63a0d4", "#3a6fb7", "#3b3f93", "#331a5e"];
const DARK = ["#1d2f52", "#27508a", "#2c7f9e", "#4fb08f", "#a9d66b", "#fbf3a1"];

/** Shades that are told apart. */
const SHADES = 24;

/** Where the scale is labelled, in ms: those that have room. */
const LABELS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 60_000, 120_000, 300_000, 600_000, 1_800_000];

/** The scale is logarithmic; what took no millisecond has half an octave below 1 ms. */
const height = (ms) => Math.log2(Math.max(ms, 0.7));
const ms = (at) => 2 ** at;

/**
 * Returns what a plot does; `update` takes, beside what a plot's does, `edges` and `counts` as the
 * server's answer has them.
 */
export function createHeatmap(root, chart, shared) {
  let times = [];
  let counts = [];
  let ranges = []; // of each row: { from, to } in ms, `to` null where it is open
  let most = 1;
  let step = 1;
  let low = 0;
  let high = 1;
  let shades = null; // of the theme that it was drawn in

  const total = (index) => (counts[index] ?? []).reduce((sum, count) => sum + count, 0);
  const has = (index) => counts[index] !== null && counts[index] !== undefined;
  const shade = (count) => shades[Math.min(SHADES - 1, Math.floor((Math.log1p(count) / Math.log1p(most)) * SHADES))];

  const plot = createPlot(
    root,
    {
      ...chart,
      keys: [
        { measure: "shades", label: "", swatch: scaleSwatch },
        { measure: "requests", swatch: () => el("i", {}) },
      ],
      // Only for the crosshairs to find a time.
      series: () => [{ stroke: color("--dim"), width: 0, points: { show: false }, paths: () => null }],
      points: false,
      wide: true,
      scale: { range: () => [low, high] },
      axis: {
        splits: (u) => labelled(u),
        values: (_, splits) => splits.map((at) => format.duration(Math.round(ms(at)))),
      },
      has,
      texts: (index) => [`few to ${format.count(most)}`, format.count(has(index) ? total(index) : null)],
      paint,
      tip,
      columns: ["requests", "half within", "most in"],
      row: (index) => [format.count(total(index)), middle(counts[index]), words(ranges[commonest(counts[index])])],
    },
    shared,
  );

  function paint(u) {
    shades = ramp(isDark() ? DARK : LIGHT);
    const { ctx } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
    ctx.clip();
    const x = (time) => Math.round(u.valToPos(time, "x", true));
    const y = ranges.map(({ from, to }) => [u.valToPos(height(from), "y", true), u.valToPos(to === null ? high : height(to), "y", true)].map(Math.round));
    times.forEach((time, column) => {
      if (!has(column)) return;
      const left = x(time);
      const width = Math.max(1, x(time + step) - left);
      counts[column].forEach((count, row) => {
        if (count === 0) return;
        ctx.fillStyle = shade(count);
        ctx.fillRect(left, y[row][1], width, Math.max(1, y[row][0] - y[row][1]));
      });
    });
    ctx.restore();
  }

  /** The cell that the pointer is in. */
  function tip(u) {
    const time = u.posToVal(u.cursor.left, "x");
    const column = times.findLastIndex((begin) => begin <= time && time < begin + step);
    if (column === -1 || !has(column)) return null;
    const at = u.posToVal(u.cursor.top, "y");
    const row = ranges.findIndex(({ from, to }) => height(from) <= at && (to === null || at < height(to)));
    if (row === -1) return null;
    const count = counts[column][row] ?? 0;
    const share = total(column) > 0 ? ` (${format.ratio(count / total(column))})` : "";
    return [`${words(ranges[row])}: ${format.some(count, "request")}${share}`, `${format.clock(times[column])} – ${format.clock(times[column] + step)}`];
  }

  /** The range that holds the middle one of a column's requests. */
  function middle(column) {
    const half = column.reduce((sum, count) => sum + count, 0) / 2;
    let sum = 0;
    const row = column.findIndex((count) => (sum += count) >= half && sum > 0);
    return row === -1 || ranges[row].to === null ? format.number(null) : format.duration(ranges[row].to);
  }

  function scaleSwatch() {
    const colors = ramp(isDark() ? DARK : LIGHT);
    const canvas = el("canvas", { class: "swatch-scale", width: SHADES * 3, height: 10, "aria-hidden": "true" });
    const area = canvas.getContext("2d");
    colors.forEach((each, i) => {
      area.fillStyle = each;
      area.fillRect(i * 3, 0, 3, 10);
    });
    return canvas;
  }

  function labelled(u) {
    const room = 22 / Math.max(u.bbox.height / devicePixelRatio, 1);
    const splits = [];
    for (const at of LABELS.map(height)) {
      const last = splits.at(-1) ?? -Infinity;
      if (at >= low && at <= high && at - last >= room * (high - low)) splits.push(at);
    }
    return splits;
  }

  return {
    ...plot,
    update(next) {
      ({ times, step, counts } = next);
      ranges = next.edges.map((from, i) => ({ from, to: next.edges[i + 1] ?? null }));
      most = counts.reduce((greatest, column) => Math.max(greatest, ...(column ?? [])), 1);
      // Only the rows that hold something, and one beside them.
      const used = ranges.flatMap((_, row) => (counts.some((column) => column?.[row] > 0) ? [row] : []));
      const bottom = ranges[Math.max(0, (used[0] ?? 0) - 1)];
      const top = ranges[Math.min(ranges.length - 1, (used.at(-1) ?? 0) + 1)];
      low = bottom ? height(bottom.from) : 0;
      high = top ? Math.max(height(top.from) + 0.5, low + 3) : low + 3;
      plot.update({ ...next, lists: [times.map(() => null)] });
    },
  };
}

const commonest = (column) => column.indexOf(Math.max(...column));

function words(range) {
  if (!range) return format.number(null);
  if (range.to === null) return `${format.duration(range.from)} and more`;
  return range.to - range.from === 1 ? format.duration(range.from) : `${format.duration(range.from)} – ${format.duration(range.to)}`;
}

/** The shades between these colours. */
function ramp(stops) {
  const parts = stops.map((text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16)));
  return Array.from({ length: SHADES }, (_, i) => {
    const at = (i / (SHADES - 1)) * (stops.length - 1);
    const from = Math.min(Math.floor(at), stops.length - 2);
    return `rgb(${parts[from].map((value, part) => Math.round(value + (parts[from + 1][part] - value) * (at - from))).join(",")})`;
  });
}
