// One service, or one other series, over time: its charts, the span they show,
// and the numbers of now.

import { createChart } from "./charts.js";
import * as format from "./format.js";
import { el, icon, setAttribute, setText, show } from "./dom.js";
import { marksTable } from "./marks.js";
import { RANGES, withSpan } from "./route.js";
import { culprit, silence } from "./services.js";

const SYNC = "detail";

/** A service's charts, in order; each shows those of its measures that the rule has. */
const CHARTS = [
  { name: "rate", title: "Rate", measures: ["rate"], format: format.rate, least: 0.1 },
  { name: "latency", title: "Latency", measures: ["p50", "p95", "p99"], format: format.duration, least: 1 },
  { name: "errors", title: "Error ratio", measures: ["errors"], format: format.ratio, least: 0.05 },
];

const TILES = [
  ["rate", "rate", format.rate],
  ["p50", "p50", format.duration],
  ["p95", "p95", format.duration],
  ["p99", "p99", format.duration],
  ["errors", "errors", format.ratio],
];

/** Marks that an answer holds at most. */
const MARKS_MAX = 500;

/** Seconds that are shown at least, where there is less. */
const SHOWN_MIN = 120;

/** Seconds between fetches: a wide span is much data and moves slowly on screen. */
const pause = (span, shown) => (span.range ? Math.max(1, Math.min(60, shown / 900)) : 60);

/**
 * Builds into `root`. Returns `open(route)`, `close()`, `tick(now)` to be called
 * as time passes, `services(list, now, due)` with each new list, `moveCursor(by)`.
 */
export function detailView(root) {
  let route = null;
  let charts = new Map();
  let loading = null;
  let busy = false; // a slow answer is waited for, not asked for again
  let loadedAt = -Infinity;
  let shown = 0; // seconds on screen
  let serverNow = null;
  let head = null;
  const message = el("p", { class: "message", role: "status" });
  const area = el("div", { class: "charts" });
  const happened = marksTable();

  function open(next) {
    const same = route !== null && identity(route) === identity(next);
    route = next;
    if (!same) {
      destroyCharts();
      head = next.view === "service" ? serviceHead(next) : seriesHead(next);
      setText(message, "loading…");
      show(message, true);
      root.replaceChildren(head.node, message, area, happened.node);
      head.title.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
    head.ranges.update(route);
    load();
  }

  function close() {
    if (route === null) return;
    loading?.abort();
    destroyCharts();
    route = null;
    root.replaceChildren();
  }

  async function load() {
    loading?.abort();
    const mine = new AbortController();
    loading = mine;
    busy = true;
    const asked = route;
    loadedAt = serverNow ?? 0;
    const to = route.span.range ? Math.ceil(serverNow ?? Date.now() / 1000) : route.span.to;
    const from = route.span.range ? to - RANGES[route.span.range] : route.span.from;
    try {
      const response = await fetch(address(asked, from, to), { signal: mine.signal, headers: { accept: "application/json" } });
      if (response.status === 404) {
        const what = asked.view === "service" ? `service “${asked.service}” of rule “${asked.rule}”` : `series ${asked.id}`;
        fail(`There is no ${what} here: it may not have reported within the store's retention.`);
        return;
      }
      if (!response.ok) throw new Error(`the server answered ${response.status}`);
      const body = await response.json();
      if (loading !== mine) return;
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
    const wanted = asked.view === "service" ? chartsOf(Object.keys(series)) : [{ name: "value", title: "Value", measures: ["value"], format: format.number, least: 0 }];
    const layout = JSON.stringify(wanted.map(({ name, measures }) => [name, measures]));
    if (area.dataset.layout !== layout) {
      destroyCharts();
      area.dataset.layout = layout;
      setAttribute(area, "data-count", String(wanted.length));
      for (const chart of wanted) {
        charts.set(chart, createChart(area, chart, { sync: SYNC, first: charts.size === 0, onSpan: (a, b) => (location.hash = withSpan(route, { from: a, to: b })) }));
      }
    }
    // What is younger than the range fills the width all the same.
    const first = firstTime(body.times, Object.values(series));
    const begin = asked.span.range && first !== null ? Math.max(from, Math.min(first, to - SHOWN_MIN)) : from;
    shown = to - begin;
    head.ranges.since(begin > from ? first : null);
    const marks = body.marks ?? [];
    happened.update(marks, MARKS_MAX);
    for (const [chart, drawn] of charts) {
      drawn.update(body.times, chart.measures.map((measure) => series[measure]), marks, begin, to);
    }
  }

  function destroyCharts() {
    for (const chart of charts.values()) chart.destroy();
    charts = new Map();
    happened.update([], MARKS_MAX);
    delete area.dataset.layout;
  }

  function loadAfter(seconds) {
    if (!busy && serverNow - loadedAt >= seconds) load();
  }

  return {
    open,
    close,
    tick(now) {
      serverNow = now;
      if (route) loadAfter(Math.max(10, pause(route.span, shown)));
    },
    services(list, now, due) {
      serverNow = now;
      if (!route) return;
      head.services?.(list, due);
      loadAfter(pause(route.span, shown));
    },
    moveCursor(by) {
      const [first] = charts.values();
      return first ? first.moveCursor(by) : false;
    },
  };
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

function chartsOf(measures) {
  const known = CHARTS.map((chart) => ({ ...chart, measures: chart.measures.filter((measure) => measures.includes(measure)) })).filter((chart) => chart.measures.length > 0);
  const named = new Set(CHARTS.flatMap((chart) => chart.measures));
  const others = measures.filter((measure) => !named.has(measure)).map((measure) => ({ name: measure, title: measure, measures: [measure], format: format.number, least: 0 }));
  return [...known, ...others];
}

function headNode(back, title, subtitle, ...rest) {
  const ranges = rangeBar();
  const heading = el("h1", { tabindex: "-1" }, title);
  const node = el(
    "div",
    { class: "detail-head" },
    el("a", { class: "back", href: "#/", "aria-keyshortcuts": "Escape" }, `← ${back}`),
    el("div", { class: "heading" }, heading, subtitle, ...rest),
    ranges.node,
  );
  return { node, title: heading, ranges };
}

function serviceHead(route) {
  const state = icon("idle");
  const word = el("span", { class: "word" });
  const badge = el("span", { class: "badge", hidden: "" }, state.node, word);
  const tiles = TILES.map(([field, title, print]) => {
    const value = el("span", { class: "value", "data-field": field }, format.number(null));
    return { field, print, value, node: el("span", { class: "tile" }, el("span", { class: "name" }, title), value) };
  });
  const now = el("div", { class: "tiles", "aria-label": "Newest window" }, ...tiles.map(({ node }) => node));
  const head = headNode("All services", route.service, el("span", { class: "subtitle" }, `rule ${route.rule}`), badge);
  head.node.insertBefore(now, head.ranges.node);
  return {
    ...head,
    services(list, due) {
      const service = list.find((each) => each.service === route.service && each.rule === route.rule);
      show(badge, service !== undefined);
      if (!service) return;
      const quiet = silence(service, due);
      const reason = [service.why, quiet === null ? "" : `no data for ${format.age(quiet)}`].filter(Boolean).join("; ");
      setAttribute(badge, "data-severity", service.severity);
      state.set(service.severity);
      setText(word, reason ? `${service.severity}: ${reason}` : service.severity);
      const marked = culprit(service);
      for (const { field, print, value } of tiles) {
        setText(value, print(service[field]));
        setAttribute(value, "data-culprit", marked === field ? "" : null);
        setAttribute(value, "data-severity", service.severity);
      }
    },
  };
}

function seriesHead() {
  const tags = el("span", { class: "subtitle" });
  const head = headNode("All series", "Series", tags);
  return {
    ...head,
    describe(body) {
      setText(head.title, body.name);
      setText(tags, tagText(body.tags));
    },
  };
}

/** Tags as `name=value`, in the order given. */
export function tagText(tags) {
  return Object.entries(tags).map(([name, value]) => `${name}=${value}`).join("  ");
}

function rangeBar() {
  const links = Object.keys(RANGES).map((range) => {
    const node = el("a", { class: "range", "data-range": range }, range.replace(/(\d+)/, "$1\u00a0"));
    return { range, node };
  });
  const fixed = el("span", { class: "fixed", hidden: "" });
  const zone = el("span", { class: "zone" });
  const node = el("nav", { class: "ranges", "aria-label": "Time range" }, ...links.map((link) => link.node), fixed, zone);
  // Choosing a range replaces the view, so that Back leads to the list.
  node.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    location.replace(link.getAttribute("href"));
  });
  return {
    node,
    /** Says from when on there is data, where that is later than the range's start. */
    since(epoch) {
      setText(zone, `${epoch === null ? "" : `data since ${format.dayAndClock(epoch)}, `}times in ${format.zone()}`);
    },
    update(route) {
      for (const { range, node: link } of links) {
        setAttribute(link, "href", withSpan(route, { range }));
        setAttribute(link, "aria-current", route.span.range === range ? "true" : null);
      }
      show(fixed, route.span.range === undefined);
      if (!route.span.range) setText(fixed, `${format.dayAndClock(route.span.from)} – ${format.clock(route.span.to)}`);
    },
  };
}
