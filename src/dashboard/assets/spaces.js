// Spaces: what other programs, or `weir dashboards --librato`, want to see, drawn from
// the same store. Read through the API that they are written by.

import * as format from "./format.js";
import { el, setText, show } from "./dom.js";
import { RANGES, href, withSpan } from "./route.js";
import { spanBar } from "./spans.js";
import { color, family, onRepaint } from "./theme.js";

/** Lines of one chart; of more groups, those with the highest average. */
const LINES_MAX = 20;
/** Points of one line. */
const POINTS_MAX = 500;
/** Requests at a time: the server answers a few queries at once. */
const AT_ONCE = 4;
/** Seconds: of a metric that nobody says a period of. */
const PERIOD = 60;
/** Seconds that are shown at least, where there is less. */
const SHOWN_MIN = 120;
const REFRESH_MS = 10_000;
const LIST_MS = 30_000;

/** Okabe and Ito's, which the colour-blind tell apart; beyond them lines are dashed. */
const COLORS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c8c8c", "#b5a800"];

const FUNCTIONS = { average: "mean", mean: "mean", sum: "sum", min: "min", max: "max", count: "count", derivative: "derivative" };

/**
 * Links to all Spaces into `list`, one Space into `root`; nothing moves by itself while
 * `isPaused()`. Returns `follow(route)`, to be
 * called with each view that is wanted; true where it is one of ours.
 */
export function spacesView(list, root, isPaused) {
  let route = null;
  let drawn = null; // the id of the Space that is on screen, and its charts
  let loading = null;
  let busy = false; // a slow answer is waited for, not asked for again
  setInterval(() => route && !busy && !document.hidden && !isPaused() && load(), REFRESH_MS);
  setInterval(() => !route && !document.hidden && !isPaused() && links(), LIST_MS);

  async function links() {
    try {
      const { spaces } = await get("v1/spaces");
      show(list, spaces.length > 0);
      list.replaceChildren("Spaces: ", ...spaces.flatMap(({ id, name }, i) => [i > 0 ? " · " : "", el("a", { href: href("space", String(id)) }, name)]));
    } catch {
      // The list says already that there is no connection.
    }
  }

  function follow(next) {
    const mine = next.view === "space" ? next : null;
    if (route !== null && mine === null) {
      loading?.abort();
      clear();
    }
    route = mine;
    show(root, mine !== null);
    if (mine === null) links();
    else load();
    return mine !== null;
  }

  function clear() {
    drawn?.charts.forEach((chart) => chart.destroy());
    drawn = null;
    root.replaceChildren();
  }

  async function load() {
    loading?.abort();
    const mine = new AbortController();
    loading = mine;
    busy = true;
    const { id, span } = route;
    try {
      if (drawn?.id !== id) {
        clear();
        const [space, charts] = await Promise.all([get(`v1/spaces/${id}`, mine.signal), get(`v1/spaces/${id}/charts`, mine.signal)]);
        if (loading !== mine) return;
        drawn = draw(root, id, space.name, charts);
      }
      drawn.ranges(span);
      const to = span.range ? Math.floor(Date.now() / 1000) : span.to;
      const from = span.range ? to - RANGES[span.range] : span.from;
      const { charts } = drawn;
      const firsts = await inTurn(charts, (chart) => chart.load(from, to, mine.signal));
      // What is younger than the range fills the width all the same.
      const first = Math.min(...firsts.filter((time) => time !== null), to);
      const begin = span.range ? Math.max(from, Math.min(first, to - SHOWN_MIN)) : from;
      charts.forEach((chart) => chart.shows(begin, to));
    } catch (error) {
      if (error.name === "AbortError") return;
      const text = error.status === 404 ? `There is no Space ${id} here.` : `Could not load the Space: ${error.message}. Trying again.`;
      if (drawn) drawn.say(text);
      else root.replaceChildren(back(), el("p", { class: "message", role: "status" }, text));
    } finally {
      if (loading === mine) busy = false;
    }
  }

  return follow;
}

/** What comes of each, a few at a time. */
async function inTurn(items, work) {
  const results = [];
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const mine = next;
      next += 1;
      results[mine] = await work(items[mine]);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}

async function get(path, signal) {
  const response = await fetch(path, { signal, headers: { accept: "application/json" } });
  if (!response.ok) throw Object.assign(new Error(`the server answered ${response.status}`), { status: response.status });
  return response.json();
}

const back = () => el("a", { class: "back", href: "#/", "aria-keyshortcuts": "Escape" }, "← All services");

function draw(root, id, name, charts) {
  const message = el("p", { class: "message", role: "status", hidden: "" });
  const ranges = spanBar((span) => withSpan({ view: "space", id }, span), () => Math.floor(Date.now() / 1000));
  const numbers = el("div", { class: "space-numbers" });
  const area = el("div", { class: "charts space-charts" });
  const heading = el("h1", { tabindex: "-1" }, name);
  const head = el("div", { class: "detail-head" }, back(), el("div", { class: "heading" }, heading), ranges.node);
  const none = el("p", { class: "nothing" }, "This Space has no charts.");
  root.replaceChildren(head, message, ...(charts.length > 0 ? [numbers, area] : [none]));
  heading.focus({ preventScroll: true });
  scrollTo(0, 0);
  return {
    id,
    charts: charts.map((chart) => (chart.type === "bignumber" ? bigNumber(numbers, chart) : lineChart(area, chart))),
    ranges(span) {
      show(message, false);
      ranges.update(span);
    },
    say(text) {
      setText(message, text);
      show(message, true);
    },
  };
}

/** The newest value, or the average where the chart wants that. */
function bigNumber(root, chart) {
  const value = el("span", { class: "value" }, format.number(null));
  root.append(el("div", { class: "space-number", "data-chart": chart.name }, el("h2", {}, chart.name), value));
  return {
    async load(from, to, signal) {
      const { lines } = await linesOf(chart, from, to, signal);
      const values = (lines[0]?.values ?? []).filter((each) => each !== null);
      const mean = values.reduce((sum, each) => sum + each, 0) / values.length;
      setText(value, printer(chart.streams[0] ?? {})(values.length === 0 ? null : chart.use_last_value === false ? mean : values.at(-1)));
      return null;
    },
    shows() {},
    destroy() {},
  };
}

function lineChart(root, chart) {
  const legend = el("ul", { class: "space-legend" });
  const plot = el("div", { class: "plot" });
  const empty = el("p", { class: "no-data" }, "no values in this span");
  const time = el("span", { class: "time" });
  const box = el("figure", { class: "chart", "data-chart": chart.name }, el("figcaption", {}, el("h2", {}, chart.name), time), plot, legend, empty);
  root.append(box);
  const stacked = chart.type === "stacked";
  const print = printer(chart.streams[0] ?? {});
  let uplot = null;
  let shown = ""; // the names of the lines that the plot was built for
  let lines = [];
  let span = [0, 1];

  function build() {
    uplot?.destroy();
    const axis = { stroke: color("--dim"), grid: { stroke: color("--grid"), width: 1 }, ticks: { stroke: color("--grid"), width: 1, size: 4 }, font: `11px ${family("--sans")}` };
    const low = chart.min ?? null;
    const options = {
      width: Math.max(plot.clientWidth, 50),
      height: Math.max(plot.clientHeight, 50),
      padding: [8, 26, 0, 0],
      legend: { show: false },
      cursor: { y: false, sync: { key: "space" }, drag: { x: false, y: false, setScale: false }, points: { size: 5 } },
      scales: {
        x: { time: true, range: () => span },
        y: { distr: chart.use_log_yaxis ? 3 : 1, range: (_, least, most) => [low ?? Math.min(0, least ?? 0), chart.max ?? ((most ?? 0) * 1.08 || 1)] },
      },
      axes: [
        { ...axis, space: 70, size: 26, values: (_, splits, i, room, step) => splits.map((at) => (step < 60 ? format.clock(at) : format.minute(at))) },
        { ...axis, size: 64, values: (_, splits) => splits.map((value) => (value === null ? "" : print(value).replace(/\.0+(?!\d)/, ""))) },
      ],
      series: [
        {},
        ...lines.map((line, i) => ({
          stroke: colorOf(line, i),
          width: stacked ? 1 : 1.5,
          dash: i < COLORS.length ? undefined : [4, 3],
          fill: stacked ? colorOf(line, i) : undefined,
          spanGaps: false,
          points: { show: false, filter: lone, size: 4, fill: colorOf(line, i) },
        })),
      ],
      hooks: { setCursor: [(u) => say(u.cursor.idx)] },
    };
    uplot = new uPlot(options, [[], ...lines.map(() => [])], plot);
    legend.replaceChildren(...lines.map((line, i) => el("li", {}, swatch(line, i), el("span", { class: "name" }, line.name), " ", el("span", { class: "value" }))));
  }

  function swatch(line, i) {
    const node = el("i", { class: "swatch" });
    // The policy of the page refuses styles in attributes.
    node.style.borderTop = `3px ${i < COLORS.length ? "solid" : "dashed"} ${colorOf(line, i)}`;
    return node;
  }

  /** The values at a place in the legend; of the newest where nothing is pointed at. */
  function say(pointed) {
    const at = pointed ?? null;
    lines.forEach(({ values }, i) => {
      const value = at === null ? (values.findLast((each) => each !== null) ?? null) : values[at];
      setText(legend.children[i].querySelector(".value"), print(value));
    });
    setText(time, at === null ? "" : format.clock(uplot.data[0][at]));
  }

  const resizer = new ResizeObserver(() => {
    if (uplot && plot.clientWidth > 0) uplot.setSize({ width: plot.clientWidth, height: plot.clientHeight });
  });
  resizer.observe(plot);
  // The canvas holds colours, not classes: a change of theme means drawing anew.
  let newest = null;
  const forget = onRepaint(() => newest && update(newest, true));

  function update({ times, lines: next, more, why }, anew) {
    lines = next;
    const names = JSON.stringify(lines.map(({ name, color }) => [name, color]));
    if (anew || names !== shown) build();
    shown = names;
    uplot.setData([times, ...(stacked ? sums(lines) : lines.map(({ values }) => values))]);
    say(uplot.cursor.idx);
    box.toggleAttribute("data-empty", lines.length === 0);
    setText(empty, why ?? "no values in this span");
    setText(time, more > 0 ? `the first ${lines.length} of ${lines.length + more}` : "");
  }

  return {
    async load(from, to, signal) {
      newest = await linesOf(chart, from, to, signal);
      const { times } = newest;
      const first = times.findIndex((_, i) => newest.lines.some(({ values }) => values[i] !== null));
      return times[first] ?? null;
    },
    shows(from, to) {
      span = [from, to];
      update(newest, false);
    },
    destroy() {
      resizer.disconnect();
      forget();
      uplot?.destroy();
      box.remove();
    },
  };
}

const colorOf = (line, i) => line.color ?? COLORS[i % COLORS.length];

/** Each line on top of those after it: the first is the whole, and drawn first. */
function sums(lines) {
  let below = null;
  const stack = lines.toReversed().map(({ values }) => {
    const on = below;
    below = values.map((value, i) => (value === null && (on?.[i] ?? null) === null ? null : (value ?? 0) + (on?.[i] ?? 0)));
    return below;
  });
  return stack.toReversed();
}

/** Points with a gap on either side, which no line would show. */
function lone(u, index) {
  const values = u.data[index];
  const found = values.flatMap((value, i) => (value !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null ? [i] : []));
  return found.length > 0 ? found : null;
}

/** What a chart draws in a span: the times, and a line for each group of each stream. */
async function linesOf(chart, from, to, signal) {
  const metrics = chart.streams.filter(({ metric }) => metric);
  const periods = await Promise.all(metrics.map((stream) => periodOf(stream, signal)));
  const known = metrics.flatMap((stream, i) => (periods[i] === null ? [] : [[stream, periods[i]]]));
  if (known.length === 0) {
    const composite = chart.streams.some((stream) => stream.composite);
    return { times: [], lines: [], more: 0, why: composite ? "composite metrics are not computed here" : "none of its metrics is here" };
  }
  const period = Math.max(...known.map(([, each]) => each));
  const step = Math.ceil(Math.max((to - from) / POINTS_MAX, period) / period) * period;
  const begin = Math.floor(from / step) * step;
  const times = Array.from({ length: Math.floor((to - begin) / step) + 1 }, (_, i) => begin + i * step);
  const answers = await Promise.all(known.map(([stream]) => get(query(stream, chart, begin, to, step), signal)));
  const all = answers.flatMap(({ series }, i) => {
    const [stream] = known[i];
    const transform = formula(stream.transform_function);
    return series.map(({ tags, measurements }) => {
      const values = Array.from({ length: times.length }, () => null);
      let sum = 0;
      for (const { time, value } of measurements) {
        const at = (time - begin) / step;
        if (Number.isInteger(at) && at >= 0 && at < values.length) values[at] = transform(value, step);
        sum += value ?? 0;
      }
      return { name: nameOf(stream, tags, known.length), color: stream.color, values, average: sum / Math.max(1, measurements.length) };
    });
  });
  const lines = all.filter(({ values }) => values.some((value) => value !== null));
  if (lines.length > LINES_MAX) lines.sort((a, b) => b.average - a.average);
  return { times, lines: lines.slice(0, LINES_MAX), more: Math.max(0, lines.length - LINES_MAX) };
}

/** Seconds between its points; null where there is no such metric. */
async function periodOf({ metric, period }, signal) {
  // Asking for it by its name would be an error where there is none yet.
  const { metrics } = await get(`v1/metrics?name=${encodeURIComponent(metric)}`, signal);
  const known = metrics.find(({ name }) => name.toLowerCase() === metric.toLowerCase());
  return known ? (known.period ?? period ?? PERIOD) : null;
}

function query(stream, chart, from, to, step) {
  const asked = new URLSearchParams({ resolution: step, start_time: from, end_time: to });
  const tags = stream.tags ?? [];
  for (const { name, values } of tags) for (const value of values ?? []) if (value !== "*" && value !== "%") asked.append(`tags[${name}]`, value);
  const source = stream.source ?? "*";
  if (source !== "*" && source !== "%") asked.append("tags[source]", source);
  if (stream.summary_function) asked.set("summary_function", FUNCTIONS[stream.summary_function]);
  const grouped = tags.filter((tag) => tag.grouped).map(({ name }) => name);
  const apart = stream.group_function === "breakout" && chart.type !== "bignumber";
  if (grouped.length > 0 || !apart) {
    asked.set("group_by", grouped.length > 0 ? grouped.join(",") : "*");
    asked.set("group_by_function", FUNCTIONS[stream.group_function] ?? "mean");
  }
  return `v1/measurements/${encodeURIComponent(stream.metric)}?${asked}`;
}

/** What tells a line from the others: its tags, and where there are several streams its name. */
function nameOf(stream, tags, streams) {
  const values = Object.values(tags).join(" ");
  const name = stream.name ?? stream.metric;
  if (values === "") return name;
  return streams > 1 ? `${name} ${values}` : values;
}

/** Prints values of a stream in its unit. */
function printer({ units_short: unit }) {
  if (unit === "ms") return format.duration;
  if (unit === "/s") return format.rate;
  return (value) => (unit && value !== null && value !== undefined ? `${format.number(value)}\u00a0${unit}` : format.number(value));
}

/** A linear formula of x, the value, and p, the period; what cannot be read changes nothing. */
function formula(text) {
  if (!text) return (x) => x;
  return (x, p) => {
    if (x === null) return null;
    const value = evaluate(text, x, p);
    return Number.isFinite(value) ? value : x;
  };
}

function evaluate(text, x, p) {
  const words = text.match(/\d+(?:\.\d*)?|\.\d+|[-xp()+*/]/g) ?? [];
  const take = (...wanted) => (wanted.includes(words[0]) ? words.shift() : null);
  const sum = () => {
    let value = product();
    for (let sign = take("+", "-"); sign; sign = take("+", "-")) value = sign === "+" ? value + product() : value - product();
    return value;
  };
  const product = () => {
    let value = factor();
    for (let sign = take("*", "/"); sign; sign = take("*", "/")) value = sign === "*" ? value * factor() : value / factor();
    return value;
  };
  const factor = () => {
    if (take("-")) return -factor();
    if (take("(")) {
      const value = sum();
      return take(")") ? value : NaN;
    }
    const word = words.shift();
    return word === "x" ? x : word === "p" ? p : Number(word);
  };
  const value = sum();
  return words.length === 0 ? value : NaN;
}
