// The pipeline's own health: a strip that is always in sight, and the details
// behind it.

import { alarmsOf, lost, nearlyFull, refusedBy, rejected, words } from "./alarms.js";
import * as format from "./format.js";
import { hostsOf } from "./hosts.js";
import { rejectedLines } from "./rejects.js";
import { el, icon, patchChildren, setAttribute, setText, show } from "./dom.js";

const queue = (p) => p.queued + p.sinks.reduce((sum, sink) => sum + sink.queued, 0);

/** The strip's numbers: field, title, value. */
const PROCESSING = [
  ["lines", "lines/s", (p) => (p.lines_per_second < 100 ? format.number(p.lines_per_second) : format.count(p.lines_per_second))],
  ["received", "received", (p) => format.count(p.received)],
  ["parsed", "parsed", (p) => format.count(p.parsed)],
  ["rejected", "rejected", (p) => format.count(rejected(p))],
  ["late", "late", (p) => format.count(p.late)],
  ["lost", "lost", (p) => format.count(lost(p))],
  ["queue", "queue", (p) => format.count(queue(p))],
];

/** Seconds without a line of a host. */
const HOST_SILENT = 30;

/** Characters of a table's cell: more of them, as errors have, are broken into lines. */
const LONG = 32;

/** `weir librato` has no lines, only a receiver and its store. */
const RECEIVING = [
  ["accepted", "accepted", (p) => format.count(p.store.accepted)],
  ["refused", "refused", (p) => format.count(p.store.refused)],
  ["series", "series", (p) => format.count(p.store.series)],
  ["points", "points", (p) => format.count(p.store.points)],
  ["bytes", "on disk", (p) => format.bytes(p.store.bytes)],
];

/**
 * Builds into the strip and the details; `onClick()` is called when the strip is clicked.
 * Returns `update(pipeline)`, `lost()` for when nothing is known any more, and `open(yes)`,
 * which shows or hides the details.
 */
export function pipelineStrip(strip, details, onClick) {
  const mark = icon("idle");
  const verdict = el("span", { class: "verdict" }, "waiting for the pipeline");
  const items = el("span", { class: "items" });
  const sinks = el("span", { class: "item sinks", "data-field": "sinks" });
  const more = el("span", { class: "more", "aria-hidden": "true" });
  const head = el("span", { class: "head" }, mark.node, verdict);
  strip.append(head, items, more);

  let fields = null;
  let mode = null;
  let latest = null;
  let alarms = [];
  const redraw = () => {
    if (!details.hidden && latest) renderDetails(details, latest, alarms, rejects, hosts.look());
  };
  const rejects = rejectedLines(redraw);
  const hosts = hostsOf(redraw);
  rejects.follow(details);

  strip.addEventListener("click", onClick);

  function build(next) {
    mode = next;
    fields = (mode === "librato" ? RECEIVING : PROCESSING).map(([field, title, read]) => {
      const value = el("span", { class: "value", "data-field": field });
      const node = el("span", { class: "item" }, value, " ", el("span", { class: "title" }, title));
      return { field, node, value, read };
    });
    items.replaceChildren(...fields.map(({ node }) => node), sinks);
  }

  return {
    open(yes) {
      show(details, yes);
      strip.setAttribute("aria-expanded", String(yes));
      redraw();
    },
    lost() {
      setAttribute(strip, "data-severity", "unknown");
      mark.set("idle");
      setText(verdict, "state not known");
    },
    update(pipeline) {
      latest = pipeline;
      alarms = alarmsOf(pipeline);
      if (mode !== pipeline.mode) build(pipeline.mode);

      const waiting = pipeline.mode !== "librato" && pipeline.received === 0;
      const worst = alarms[0]?.severity ?? (waiting ? "idle" : "ok");
      setAttribute(strip, "data-severity", worst);
      mark.set(worst);
      const text = alarms[0]?.short ?? (waiting ? "no line yet" : mode === "librato" ? "receiver ok" : "pipeline ok");
      setText(verdict, alarms.length > 1 ? `${text} +${alarms.length - 1}` : text);
      setAttribute(verdict, "title", alarms.map((alarm) => alarm.text).join("\n") || null);

      for (const { field, node, value, read } of fields) {
        setText(value, read(pipeline));
        setAttribute(node, "data-severity", alarms.find((alarm) => alarm.field === field)?.severity);
      }
      // Old losses stay visible: counted since the start, they never heal by themselves.
      const missing = fields.find(({ field }) => field === "lost");
      if (missing && lost(pipeline) > 0 && !missing.node.hasAttribute("data-severity")) setAttribute(missing.node, "data-severity", "warn");

      renderSinks(sinks, pipeline.sinks, alarms);
      redraw();
    },
  };
}

function renderSinks(node, list, alarms) {
  show(node, list.length > 0);
  const severity = alarms.find((alarm) => alarm.field === "sinks")?.severity;
  setAttribute(node, "data-severity", severity);
  const worst = list.find(({ state }) => state === "retrying") ?? list.find(({ state }) => state === "waiting") ?? list[0];
  if (!worst) return;
  const all = list.length > 1 && !severity && list.every(({ state }) => state === worst.state);
  const key = JSON.stringify([all ? list.length : worst.name, worst.state]);
  if (node.dataset.shown === key) return;
  node.dataset.shown = key;
  node.replaceChildren(
    el("span", { class: "value", "data-field": "sink-state" }, worst.state),
    " ",
    el("span", { class: "title" }, all ? `${list.length} sinks` : `sink ${worst.name}`),
  );
}

function renderDetails(root, p, alarms, rejects, hosts) {
  const processing = p.mode !== "librato";
  const parts = [
    el("a", { class: "back wide", href: "#/" }, processing ? "← All services" : "← All series"),
    el("h1", { class: "wide" }, processing ? "Pipeline" : "Receiver"),
    // Always there: what comes and goes before the others would take the focus from them.
    el("ul", { class: "alarms", hidden: alarms.length > 0 ? null : "" }, ...alarms.map((alarm) => el("li", { "data-severity": alarm.severity }, icon(alarm.severity).node, el("span", {}, alarm.text)))),
    ...(processing ? counters(p) : []),
    ...about(p, processing),
    ...(processing ? arrivals(p, hosts) : []),
    ...(processing ? [rejects.render(p)].filter(Boolean) : []),
    ...deliveries(p),
    ...(processing ? rules(p.rules) : []),
  ];
  patchChildren(root, parts);
}

/** What became of all lines, and of the events that they were. */
function counters(p) {
  return [
    counts("Lines",
      ["received", format.whole(p.received), "of which"],
      ["– parsed", format.whole(p.parsed)],
      ...Object.entries(p.rejected).map(([reason, value]) => [`– ${words(reason)}`, format.whole(value), "rejected"]),
      ["– queued", format.whole(p.queued), "not parsed yet"],
      ["cut off", format.whole(p.cut), "over limits.line_bytes, or connection ended"],
      ["lost", format.whole(lost(p)), "dropped by the kernel or by sinks"]),
    counts("Events",
      ["late", format.whole(p.late), "counted afterwards"],
      ["too late", format.whole(p.too_late), "not counted"],
      ["in the future", format.whole(p.future), "not counted: see clocks"],
      ["over the limit", format.whole(p.over_limit), "limits.series reached"],
      ["skipped", format.whole(p.skipped), "wanted by no rule"],
      ["notices", format.whole(p.notices), "HAProxy's own messages, no requests"],
      ["open windows", format.whole(p.windows.open)],
      ["closed", format.whole(p.windows.closed)],
      ["amended", format.whole(p.windows.amended)],
      ["series", format.whole(p.series)]),
  ];
}

/** Its store, and weir itself. */
function about(p, processing) {
  const store = p.store
    ? [facts("Store",
        ["file", p.store.path],
        ["series", format.whole(p.store.series)],
        ["points", format.whole(p.store.points)],
        ["size", format.bytes(p.store.bytes)],
        ["accepted", format.whole(p.store.accepted)],
        ["refused", format.whole(p.store.refused)],
        ["kept for", format.age(p.store.retention)])]
    : [];
  return [
    ...store,
    facts("weir",
      ["version", p.version],
      ["mode", p.mode],
      ["running for", format.age(p.now - p.started)],
      ["since", format.dayAndClock(p.started)],
      ...(processing ? [["checkpoint", p.checkpoint === null ? "none yet" : `${format.age(Math.round(p.now - p.checkpoint))} ago`]] : []),
      ["times in", format.zone()]),
  ];
}

/** By which listeners lines came, and from which hosts. */
function arrivals(p, hosts) {
  const parts = [];
  if (p.listeners.length > 0) {
    parts.push(
      table("Listeners", ["protocol", "address", "received", "sent again", "connections", "lost", "refused", "why"],
        p.listeners.map((l) => [l.protocol, l.address, format.whole(l.received), format.whole(l.resent), format.whole(l.connections), format.whole(l.lost), format.whole(refusedBy(l)), refusedWhy(l)]),
        p.listeners.map((l) => (l.lost > 0 ? "warn" : null))),
    );
  }
  if (hosts && hosts.hosts.length === 0 && p.received > 0) {
    parts.push(el("section", { class: "wide" }, el("h2", {}, "Hosts"), el("p", { class: "note" }, "no line from any host in the last minute")));
  }
  if (hosts && hosts.hosts.length > 0) {
    const all = hosts.hosts.reduce((sum, { lines }) => sum + lines, hosts.others);
    const rows = hosts.hosts.map(({ host, lines, last }) => [host || "without a name", format.whole(lines), format.ratio(lines / all), `${format.age(p.now - last)} ago`]);
    if (hosts.others > 0) rows.push(["all others", format.whole(hosts.others), format.ratio(hosts.others / all), format.number(null)]);
    const since = hosts.since === null ? "" : `, since ${format.clock(hosts.since)}`;
    parts.push(
      table(`Hosts${since}`, ["host", "lines", "share", "last line"], rows,
        // One that has fallen silent while others write.
        hosts.hosts.map(({ last }) => (p.now - last > HOST_SILENT ? "warn" : null))),
    );
  }
  return parts;
}

/** Whether what weir computes gets where it should. */
function deliveries(p) {
  const parts = [];
  if (p.sinks.length > 0) {
    parts.push(
      table("Sinks", ["sink", "state", "target", "delivered", "rejected", "dropped", "queued", "last error"],
        p.sinks.map((s) => [s.name, s.state, s.target, format.whole(s.delivered), format.whole(s.rejected), format.whole(s.dropped), format.whole(s.queued), s.last_error || format.number(null)]),
        p.sinks.map((s) => (s.state === "retrying" ? "bad" : s.state === "waiting" || s.dropped > 0 ? "warn" : null))),
    );
  }
  const pushed = p.sinks.filter((s) => s.breaker);
  if (pushed.length > 0) {
    parts.push(
      table("Far sides", ["sink", "circuit breaker", "asks to wait until", "spool used", "of", "oldest waits for"],
        pushed.map((s) => [s.name, s.breaker, s.held_until === null ? format.number(null) : format.clock(s.held_until), format.bytes(s.spool.bytes_used), format.bytes(s.spool.bytes_max), s.spool.oldest === null ? format.number(null) : format.age(p.now - s.spool.oldest)]),
        pushed.map((s) => (s.breaker !== "closed" ? "bad" : nearlyFull(s.spool) ? "warn" : null))),
    );
  }
  const refusals = pushed.flatMap((s) => s.refused.map((refused) => ({ sink: s.name, ...refused }))).reverse();
  if (refusals.length > 0) {
    parts.push(
      table("Refused last", ["at", "sink", "what", "of", "left out since", "the far side's words"],
        refusals.map((r) => [format.dayAndClock(r.at), r.sink, r.what, format.dayAndClock(r.time), format.whole(r.left_out), r.why]),
        refusals.map(() => null)),
    );
  }
  return parts;
}

/** The rules in force, since when, and the last set that was refused, with what is wrong in it. */
function rules({ files, rules: amount, loaded, accepted, refusals, refused, last_refused: last }) {
  const inForce = table("Rule files", ["file", "in force since"], files.map((file) => [file, format.dayAndClock(loaded)]), files.map(() => null),
    `${format.some(amount, "rule")}; since the start ${format.some(accepted, "reload")} put in force, ${format.count(refusals)} refused`);
  if (!last) return [inForce];
  const left = last.count - last.problems.length;
  const rest = left > 0 ? [el("li", { class: "note" }, `and ${format.whole(left)} more`)] : [];
  const state = refused ? "the rules before are in force" : "since then the files are right again";
  return [
    inForce,
    el("section", { class: "wide refused", "data-severity": refused ? "warn" : null },
      el("h2", {}, `Reload refused, ${format.dayAndClock(last.at)}`),
      el("p", { class: "note" }, state),
      el("ul", {}, ...last.problems.map((problem) => el("li", {}, problem)), ...rest)),
  ];
}

/** Why a listener has refused connections or datagrams, the most frequent reason first. */
function refusedWhy(listener) {
  const reasons = Object.entries(listener.refused).filter(([, value]) => value > 0).sort(([, a], [, b]) => b - a);
  return reasons.map(([reason, value]) => `${words(reason)} (${format.whole(value)})`).join(", ") || format.number(null);
}

function facts(title, ...entries) {
  const lines = entries.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]);
  return el("section", {}, el("h2", {}, title), el("dl", {}, ...lines));
}

function counts(title, ...entries) {
  const lines = entries.flatMap(([name, value, note = ""]) => [el("dt", {}, name), el("dd", {}, value), el("dd", { class: "note" }, note)]);
  return el("section", {}, el("h2", {}, title), el("dl", { class: "counts" }, ...lines));
}

/** Whether there are numbers in all of a column, which stand below one another then. */
function isNumeric(rows, column) {
  return rows.every((cells) => /^[\d\s.,%–]+$/.test(cells[column]));
}

function table(title, headings, rows, severities, note) {
  return el(
    "section",
    { class: "wide" },
    el("h2", {}, title),
    ...(note ? [el("p", { class: "note" }, note)] : []),
    el("div", { class: "scroll" },
      el("table", {},
        el("thead", {}, el("tr", {}, ...headings.map((text, column) => el("th", { scope: "col", class: isNumeric(rows, column) ? "number" : null }, text)))),
        el("tbody", {}, ...rows.map((cells, i) => el("tr", { "data-severity": severities[i] }, ...cells.map((text, column) => el("td", { class: text.length > LONG ? "long" : isNumeric(rows, column) ? "number" : null }, text))))))),
  );
}
