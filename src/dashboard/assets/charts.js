// What is drawn over time: lines, one for each measure, and stacks, one area on the other.

import * as format from "./format.js";
import { el } from "./dom.js";
import { createPlot } from "./plot.js";
import { pattern, patternSwatch } from "./patterns.js";
import { color } from "./theme.js";

/** What each known measure looks like; more than colour tells the lines apart. */
const LINES = {
  rate: { color: "--rate", fill: true, width: 1.5 },
  p50: { color: "--p50", width: 1.25, dash: [2, 3] },
  p95: { color: "--p95", width: 2 },
  p99: { color: "--p99", width: 1.25, dash: [6, 3] },
  errors: { color: "--errors", fill: true, width: 1.5 },
};
const OTHER_LINE = { color: "--other", width: 1.5 };

/** What each known part of a stack looks like. */
const AREAS = {
  "1xx": { color: "--status-1xx", pattern: "upright" },
  "2xx": { color: "--status-2xx", pattern: "plain" },
  "3xx": { color: "--status-3xx", pattern: "dotted" },
  "4xx": { color: "--status-4xx", pattern: "rising" },
  "5xx": { color: "--status-5xx", pattern: "crossed" },
  none: { color: "--status-none", pattern: "level", label: "no status" },
  request: { color: "--timer-request", pattern: "dotted" },
  queue: { color: "--timer-queue", pattern: "crossed" },
  connect: { color: "--timer-connect", pattern: "level" },
  response: { color: "--timer-response", pattern: "plain" },
  transfer: { color: "--timer-transfer", pattern: "rising" },
  session: { color: "--timer-transfer", pattern: "plain" },
};

/**
 * A chart of lines. `chart`: `name`, `title`, `hint`, `measures` (names of its lines), `format`
 * (value to text), `least` (least upper end of the scale). Returns what a plot does;
 * `update` takes `lists`, one for each measure.
 */
export function createChart(root, chart, shared) {
  let lists = [];
  const plot = createPlot(
    root,
    {
      ...chart,
      keys: chart.measures.map((measure) => ({ measure, swatch: () => el("i", { class: "swatch" }) })),
      series: () => chart.measures.map(line),
      scale: { range: (_, low, high) => [Math.min(0, low ?? 0), Math.max(high ?? 0, chart.least) * 1.08 || 1] },
      axis: { values: (_, splits) => splits.map((value) => label(chart, value)) },
      has: (index) => lists.some((list) => known(list[index])),
      texts: (index) => lists.map((list) => chart.format(list[index])),
      columns: chart.measures,
      row: (index) => lists.map((list) => chart.format(list[index])),
    },
    shared,
  );
  return {
    ...plot,
    update(next) {
      lists = next.lists;
      plot.update(next);
    },
  };
}

function line(measure) {
  const look = LINES[measure] ?? OTHER_LINE;
  const stroke = color(look.color);
  return {
    stroke,
    width: look.width,
    dash: look.dash,
    fill: look.fill ? `color-mix(in srgb, ${stroke} 16%, transparent)` : undefined,
    spanGaps: false,
    points: { show: false, filter: lonePoints, size: 4, fill: stroke },
  };
}

/**
 * A chart of columns, parts of which stand on each other. `chart`: as above, `measures` being
 * the parts from the ground up. `update` takes `lists`, one for each part, null for one that
 * never occurs.
 */
export function createStack(root, chart, shared) {
  let lists = [];
  let sums = [];
  // The whole is drawn first, and what is below it over it.
  const parts = chart.measures.toReversed();
  const fill = (measure) => pattern(AREAS[measure].pattern, color(AREAS[measure].color), color("--hatch"));
  const total = (index) => (known(sums[0]?.[index]) ? sums[0][index] : null);
  const plot = createPlot(
    root,
    {
      ...chart,
      keys: [
        { measure: "total", label: chart.total, swatch: () => el("i", {}) },
        ...chart.measures.map((measure) => ({ measure, label: AREAS[measure].label ?? measure, swatch: () => patternSwatch(fill(measure)) })),
      ],
      series: () =>
        parts.map((measure) => ({
          fill: fill(measure),
          width: 0,
          paths: uPlot.paths.bars({ size: [1, Infinity], align: 1, gap: 0 }),
          points: { show: false },
        })),
      points: false,
      wide: true,
      paint: paintUnknown,
      scale: { range: (_, low, high) => [0, Math.max(high ?? 0, chart.least) * 1.08 || 1] },
      axis: { values: (_, splits) => splits.map((value) => label(chart, value)) },
      has: (index) => total(index) !== null,
      texts: (index) => [chart.format(total(index)), ...lists.map((list) => (list ? chart.format(list[index]) : null))],
      columns: [chart.total, ...chart.measures.map((measure) => AREAS[measure].label ?? measure)],
      row: (index) => [chart.format(total(index)), ...lists.map((list) => chart.format(list ? list[index] : 0))],
    },
    shared,
  );
  /** Between columns of which something is known, those of which nothing is: they are not 0. */
  function paintUnknown(u) {
    const times = u.data[0];
    const isKnown = (index) => total(index) !== null;
    const first = times.findIndex((_, index) => isKnown(index));
    const last = times.findLastIndex((_, index) => isKnown(index));
    u.ctx.fillStyle = color("--unknown");
    for (let index = first + 1; index < last; index += 1) {
      if (isKnown(index)) continue;
      const [left, right] = [times[index], times[index + 1]].map((time) => Math.min(Math.max(u.valToPos(time, "x", true), u.bbox.left), u.bbox.left + u.bbox.width));
      u.ctx.fillRect(left, u.bbox.top, right - left, u.bbox.height);
    }
  }

  return {
    ...plot,
    update(next) {
      lists = next.lists;
      sums = stacked(next.times, lists);
      plot.update({ ...next, lists: sums });
    },
  };
}

/** Each part on top of those below it; the whole comes first. */
function stacked(times, lists) {
  let below = times.map(() => null);
  const sums = lists.map((list) => {
    below = below.map((under, i) => (known(list?.[i]) ? list[i] + (under ?? 0) : under));
    return below;
  });
  return sums.toReversed();
}

const known = (value) => value !== null && value !== undefined;

const label = (chart, value) => chart.format(value).replace(/\.0+(?!\d)/, "");

/** Points with a gap on either side, which no line would show. */
function lonePoints(u, index) {
  const values = u.data[index];
  const lone = [];
  values.forEach((value, i) => {
    if (value !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null) lone.push(i);
  });
  return lone.length > 0 ? lone : null;
}
