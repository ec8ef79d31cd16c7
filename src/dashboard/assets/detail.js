// One service, or one other series, over time: its charts, the span they show, and what the
// requests of that span, or of a part of it, were made of.

import { createChart, createStack } from "./charts.js";
import * as format from "./format.js";
import { el, setAttribute, setText, show } from "./dom.js";
import { seriesHead, serviceHead } from "./head.js";
import { createHeatmap } from "./heatmap.js";
import { marksTable } from "./marks.js";
import { TIMERS, breakdownPanels, estimated } from "./panels.js";
import { RANGES, linkTo, withSpan } from "./route.js";
import { spanBar } from "./spans.js";

const SYNC = "detail";

/** A service's charts of its rule's measures, in order; each shows those that the rule has. */
const CHARTS = [
  { name: "rate", title: "Rate", measures: ["rate"], format: format.rate, least: 0.1 },
  { name: "errors", title: "Error ratio", hint: "the share of requests that failed, as the rule counts them", measures: ["errors"], format: format.ratio, least: 0.05 },
  { name: "latency", title: "Latency", hint: "percentiles, as the rule measures them", measures: ["p50", "p95", "p99"], format: format.duration, least: 1 },
];

/** Charts of what its requests were made of; what fails stands on the ground, where it can be read. */
const STATUS = { name: "status", title: "Rate", hint: "requests per second by class of their status; grey where weir was not running", measures: ["5xx", "none", "4xx", "3xx", "2xx", "1xx"], total: "all", format: format.rate, least: 0.1 };
const HEAT = { name: "heatmap", title: "Latency spread", hint: "how many requests took how long" };
const TIME = { name: "timers", title: "Where the time goes", hint: "mean time of a request, by HAProxy's timers", measures: TIMERS, total: "in all", format: format.duration, least: 1 };

/** Marks that an answer holds at most. */
const MARKS_MAX = 500;

/** Seconds that are shown at least, where there is less. */
const SHOWN_MIN = 120;

/** Tables are of whole minutes: weir keeps routes, servers and examples for each of them, or of ten. */
const MINUTE = 60;

/** Seconds between fetches: a wide span is much data and moves slowly on screen. */
const pause = (span, shown) => (span.range ? Math.max(1, Math.min(60, shown / 900)) : 60);
/** And of the breakdown, which is written every ten seconds. */
const BREAKDOWN_PAUSE = 5;

/**
 * Builds into `root`. Returns `open(route)`, `close()`, `tick(now)` to be called
 * as time passes, `services(list, now, due)` with each new list, `moveCursor(by)`,
 * `choose()` of the column at the crosshairs, `whole()`, which ends that (false where nothing is
 * chosen), `asTables()` and `editSpan()`.
 */
export function detailView(root) {
  let route = null;
  let charts = new Map();
  let loading = null;
  let busy = false; // a slow answer is waited for, not asked for again
  let loadedAt = -Infinity;
  let brokenDownAt = -Infinity;
  let breakdown = null; // the newest of the span
  let part = null; // the newest of the part that is chosen
  let shown = 0; // seconds on screen
  let drawn = null; // from when to when the charts are
  let serverNow = null;
  let head = null;
  let tables = false;
  const message = el("p", { class: "message", role: "status" });
  const area = el("div", { class: "charts" });
  const happened = marksTable();
  const panels = breakdownPanels((table, by) => location.replace(linkTo(route, { sorts: { ...route.sorts, [table]: by } })));
  const now = () => serverNow ?? Math.floor(Date.now() / 1000);
  const ranges = spanBar((span) => withSpan(route, span), now);
  const chosen = chosenPart(() => goTo({ at: null }), () => panels.slowest.scrollIntoView());

  function goTo(changes) {
    location.replace(linkTo(route, changes));
  }

  function open(next) {
    const before = route;
    const same = before !== null && identity(before) === identity(next);
    route = next;
    if (!same) {
      destroyCharts();
      breakdown = null;
      drawn = null;
      head = next.view === "service" ? serviceHead(next, ranges) : seriesHead(ranges);
      setText(message, "loading…");
      show(message, true);
      root.replaceChildren(head.node, chosen.node, message, area, happened.node);
      head.title.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
    ranges.update(route.span);
    const moved = !same || JSON.stringify([before.span, before.at]) !== JSON.stringify([next.span, next.at]);
    if (moved) {
      part = null;
      load(true);
    }
    drawPanels();
  }

  function close() {
    if (route === null) return;
    loading?.abort();
    destroyCharts();
    route = null;
    breakdown = null;
    root.replaceChildren();
  }

  async function load(anew) {
    loading?.abort();
    const mine = new AbortController();
    loading = mine;
    busy = true;
    const asked = route;
    loadedAt = serverNow ?? 0;
    const again = anew || breakdown === null || loadedAt - brokenDownAt >= BREAKDOWN_PAUSE;
    if (again) brokenDownAt = loadedAt;
    const to = asked.span.range ? Math.ceil(now()) : asked.span.to;
    const from = asked.span.range ? to - RANGES[asked.span.range] : asked.span.from;
    try {
      const wanted = [ask(address(asked, from, to), mine)];
      if (asked.view === "service" && again) {
        wanted.push(ask(partAddress(asked, from, to), mine));
        // The server takes both ends in: not the minute that begins where this part ends.
        if (asked.at) wanted.push(ask(partAddress(asked, asked.at.from, asked.at.to - 1), mine));
      }
      const [body, whole, chosenPart] = await Promise.all(wanted);
      if (loading !== mine) return;
      if (body === null) {
        const what = asked.view === "service" ? `service “${asked.service}” of rule “${asked.rule}”` : `series ${asked.id}`;
        fail(`There is no ${what} here: it may not have reported within the store's retention.`);
        return;
      }
      if (whole !== undefined) {
        breakdown = whole;
        part = chosenPart ?? null;
      }
      show(message, false);
      draw(asked, body, from, to);
    } catch (error) {
      if (error.name !== "AbortError") fail(`Could not load the charts: ${error.message}. Trying again.`);
    } finally {
      if (loading === mine) busy = false;
    }
  }

  function fail(text) {
    setText(message, text);
    show(message, true);
  }

  function draw(asked, body, from, to) {
    const series = asked.view === "service" ? body.series : { value: body.values };
    if (asked.view === "series") head.describe(body);
    const detailed = asked.view === "service" && breakdown !== null && breakdown.lines > 0;
    layOut(asked, Object.keys(series), detailed);

    // What is younger than the range fills the width all the same.
    const first = firstTime(body.times, Object.values(series));
    const begin = asked.span.range && first !== null ? Math.max(from, Math.min(first, to - SHOWN_MIN)) : from;
    shown = to - begin;
    drawn = { from: begin, to };
    ranges.since(begin > from ? first : null);
    ranges.note(detailed && estimated(breakdown) ? `breakdown ${estimated(breakdown)}` : "");
    const marks = body.marks ?? [];
    happened.update(marks, MARKS_MAX);
    const common = { marks, from: begin, to, at: asked.at ?? null };
    for (const [chart, plot] of charts) {
      plot.update({ ...common, ...dataOf(chart, body, series) });
    }
    if (detailed) drawPanels();
  }

  function dataOf(chart, body, series) {
    if (chart === HEAT) return { times: breakdown.times, step: breakdown.step, ...breakdown.latency };
    const parts = chart === STATUS ? breakdown.status : chart === TIME ? breakdown.timers : null;
    if (parts) return { times: breakdown.times, step: breakdown.step, lists: chart.measures.map((name) => parts[name] ?? null) };
    return { times: body.times, step: body.step, lists: chart.measures.map((measure) => series[measure]) };
  }

  /** Builds the charts and tables that there is something for, unless they are there. */
  function layOut(asked, measures, detailed) {
    const wanted = asked.view === "service" ? chartsOf(asked.rule, measures, detailed) : [{ name: "value", title: "Value", measures: ["value"], format: format.number, least: 0 }];
    const layout = JSON.stringify(wanted.map(({ name, measures: lines }) => [name, lines]));
    if (area.dataset.layout === layout) return;
    destroyCharts();
    area.dataset.layout = layout;
    setAttribute(area, "data-count", String(wanted.length));
    setAttribute(area, "data-detailed", detailed ? "" : null);
    for (const chart of wanted) {
      const build = chart === HEAT ? createHeatmap : chart === STATUS || chart === TIME ? createStack : createChart;
      const plot = build(area, chart, { sync: SYNC, first: charts.size === 0, onSpan: select, onColumn: detailed ? choose : null });
      if (tables) plot.asTable(true);
      charts.set(chart, plot);
    }
    if (detailed) area.append(panels.endings, panels.servers, panels.routes, panels.slowest, panels.failing);
  }

  function drawPanels() {
    const body = route.at ? part : breakdown;
    if (body && breakdown?.lines > 0) panels.update(body, route.sorts);
    // What is of another part must not be read as if it were of this one.
    area.toggleAttribute("data-waiting", body === null);
    // Of a day, weir keeps routes, servers and examples for each ten minutes only.
    chosen.update(route.at ? (part?.listed ?? route.at) : null, now(), part === null, route.at && isOutside(route.at));
  }

  /** Whether the charts do not reach so far. */
  const isOutside = ({ from, to }) => drawn !== null && (to <= drawn.from || from >= drawn.to);

  function select(from, to) {
    location.hash = withSpan(route, { from, to });
  }

  function choose(time, step) {
    const at = { from: Math.floor(time / MINUTE) * MINUTE, to: Math.ceil((time + step) / MINUTE) * MINUTE };
    goTo({ at: route.at?.from === at.from && route.at?.to === at.to ? null : at });
  }

  function destroyCharts() {
    for (const chart of charts.values()) chart.destroy();
    charts = new Map();
    happened.update([], MARKS_MAX);
    area.replaceChildren();
    delete area.dataset.layout;
  }

  function loadAfter(seconds) {
    if (!busy && serverNow - loadedAt >= seconds) load(false);
  }

  const first = () => charts.values().next().value;

  return {
    open,
    close,
    tick(time) {
      serverNow = time;
      if (route) loadAfter(Math.max(10, pause(route.span, shown)));
    },
    services(list, time, due) {
      serverNow = time;
      if (!route) return;
      head.services?.(list, due);
      loadAfter(pause(route.span, shown));
    },
    moveCursor: (by) => first()?.moveCursor(by) ?? false,
    choose: () => first()?.chooseColumn() ?? false,
    whole() {
      if (!route?.at) return false;
      goTo({ at: null });
      return true;
    },
    asTables() {
      tables = !tables;
      for (const chart of charts.values()) chart.asTable(tables);
    },
    editSpan: ranges.edit,
  };
}

/** Says which part of the span the tables are of, where it is not all of it. */
function chosenPart(onWhole, onSee) {
  const text = el("span", {});
  const see = el("button", { type: "button" }, "see the requests");
  const whole = el("button", { type: "button", "aria-keyshortcuts": "Escape" }, "whole span");
  see.addEventListener("click", onSee);
  whole.addEventListener("click", onWhole);
  const node = el("p", { class: "chosen-part", role: "status", hidden: "" }, text, see, whole);
  return {
    node,
    update(at, now, isComing, isOutside) {
      show(node, at !== null);
      if (!at) return;
      const part = format.span(at.from, at.to, now);
      const where = isOutside ? ", which the charts do not show" : "";
      setText(text, isComing ? `Waiting for the tables and requests of ${part}` : `Tables and requests are of ${part}${where}`);
    },
  };
}

/** The answer, or null where there is no such thing. */
async function ask(path, { signal }) {
  const response = await fetch(path, { signal, headers: { accept: "application/json" } });
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  return response.json();
}

function firstTime(times, lists) {
  const index = times.findIndex((_, i) => lists.some((list) => (list[i] ?? null) !== null));
  return index === -1 ? null : times[index];
}

function identity(route) {
  return JSON.stringify([route.view, route.rule, route.service, route.id]);
}

function address(route, from, to) {
  if (route.view === "series") return `api/v1/points?id=${route.id}&from=${from}&to=${to}`;
  return `api/v1/services/${encodeURIComponent(route.service)}?rule=${encodeURIComponent(route.rule)}&from=${from}&to=${to}`;
}

function partAddress(route, from, to) {
  return `api/v1/breakdown?service=${encodeURIComponent(route.service)}&from=${from}&to=${to}`;
}

function chartsOf(rule, measures, detailed) {
  const known = CHARTS.map((chart) => ({ ...chart, measures: chart.measures.filter((measure) => measures.includes(measure)) })).filter((chart) => chart.measures.length > 0);
  const named = new Set(CHARTS.flatMap((chart) => chart.measures));
  const others = measures.filter((measure) => !named.has(measure)).map((measure) => ({ name: measure, title: measure, measures: [measure], format: format.number, least: 0 }));
  if (!detailed) return [...known, ...others];
  // The bundled rule's rate is that of all requests, which the stack tells too; another's may be of some.
  const isRate = ({ name }) => name === "rate";
  const beside = known.filter((chart) => !isRate(chart) || rule !== "http").map((chart) => (isRate(chart) ? { ...chart, title: "Rate by the rule", hint: `what rule ${rule} counts a second` } : chart));
  return [STATUS, ...beside, HEAT, TIME, ...others];
}
