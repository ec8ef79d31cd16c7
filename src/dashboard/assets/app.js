// The page: what the stream says goes to the views, what the hash says decides
// which view is seen, and keys reach everything.

import { detailView } from "./detail.js";
import { el, icon, setAttribute, setText, show } from "./dom.js";
import { emptyState } from "./empty.js";
import * as format from "./format.js";
import { help } from "./help.js";
import { connect } from "./live.js";
import { pauseSwitch } from "./pause.js";
import { pipelineStrip } from "./pipeline.js";
import { RANGES, linkTo, parse, withSpan } from "./route.js";
import { seriesTable } from "./series.js";
import { serviceTable } from "./services.js";
import { spacesView } from "./spaces.js";
import { themeSwitch } from "./theme.js";

const byId = (id) => document.getElementById(id);
const connection = byId("connection");
const filterBox = byId("filter");
const list = byId("list");
const detail = byId("detail");

let services = null; // the newest body of each, null before the first
let pipeline = null;
let skew = 0; // the server's clock minus ours, ms
let heardAt = null; // by the server's clock
let route = parse(location.hash);
let left = null; // the view just closed: its row gets the focus once it is drawn
let came = "#/"; // where the pipeline's view leads back to
let frame = null;

/** Windows that have ended by then should be closed: they wait for late lines. */
const due = (epoch) => epoch - (pipeline?.windows.grace ?? 0);
const now = () => Math.floor((Date.now() + skew) / 1000);
const paused = pauseSwitch(byId("pause"), byId("paused"), now, draw);
const nextTheme = themeSwitch(byId("theme"));
const keysHelp = help(byId("help"));
const strip = pipelineStrip(byId("pipeline"), byId("pipeline-details"), togglePipeline);
const table = serviceTable(byId("services"), (by) => remember({ sorts: by ? { sort: by } : {} }));
const others = seriesTable(byId("others"), () => draw());
const view = detailView(detail);
const inSpace = spacesView(byId("spaces"), byId("space"), paused.isOn);
const summary = summaryOf(byId("summary"));

connect({
  services(body) {
    heard(body.now);
    paused.hold("services", () => {
      services = body;
      summary(body.services);
      view.services(body.services, body.now, due(body.now));
      draw();
    });
  },
  pipeline(body) {
    heard(body.now);
    paused.hold("pipeline", () => {
      pipeline = body;
      strip.update(body);
      setText(byId("mode"), body.mode);
      show(byId("mode"), body.mode !== "serve");
      view.tick(body.now);
      others.name(body.mode === "librato" ? "Series" : "Other series");
      if (route.view === "list") others.tick(body.now);
      draw();
    });
  },
  series: () => others.changed(),
  state(state) {
    setAttribute(connection, "data-state", state);
    setAttribute(document.body, "data-connection", state);
    if (state === "live") show(byId("notice"), false);
    else strip.lost();
    said();
  },
});

// While the connection is lost, its age must go on counting.
setInterval(said, 1_000);

addEventListener("hashchange", follow);
byId("help-open").addEventListener("click", keysHelp.toggle);
filterBox.addEventListener("input", () => {
  others.filter(filterBox.value.trim(), now());
  remember({ filter: filterBox.value.trim() });
  draw();
});
document.addEventListener("keydown", keys);
filterBox.value = route.filter ?? "";
if (filterBox.value) others.filter(filterBox.value, now());
follow();

function heard(epoch) {
  skew = epoch * 1000 - Date.now();
  heardAt = epoch;
  said();
}

function said() {
  const state = connection.dataset.state;
  setText(connection.querySelector(".label"), { live: "live", lost: "connection lost, retrying" }[state] ?? "connecting");
  const clock = connection.querySelector(".clock");
  setText(clock, heardAt === null ? "" : `${format.clock(state === "live" ? now() : heardAt)} ${format.zone()}`);
  if (state !== "lost") return;
  const text = heardAt === null
    ? "weir does not answer. Trying again."
    : `Connection lost ${format.age(now() - heardAt)} ago, retrying. What you see is from ${format.clock(heardAt)}.`;
  setText(byId("notice"), text);
  show(byId("notice"), true);
}

/** Keeps in the address how the list is sorted and filtered, without a new entry in the history. */
function remember(changes) {
  if (route.view !== "list") return;
  route = { ...route, ...changes };
  history.replaceState(null, "", linkTo(route));
}

/** Shows the view that the hash names. */
function follow() {
  const before = route;
  route = parse(location.hash);
  const onList = route.view === "list";
  const onPipeline = route.view === "pipeline";
  const onSpace = inSpace(route);
  show(list, onList);
  show(detail, !onList && !onSpace && !onPipeline);
  show(filterBox, onList);
  strip.open(onPipeline);
  if (onList) {
    if (before.view !== "list") {
      left = before;
      // Whoever comes back finds the list as it was left.
      if (!route.filter && filterBox.value) remember({ filter: filterBox.value.trim() });
      if (!route.sorts.sort) remember({ sorts: table.sorts() });
    }
    if (route.filter !== filterBox.value.trim()) {
      filterBox.value = route.filter;
      others.filter(route.filter, now());
    }
    table.sortBy(route.sorts.sort);
  }
  if (onPipeline && before.view !== "pipeline") {
    came = before.view === "list" && !before.sorts ? "#/" : linkTo(before);
    scrollTo(0, 0);
  }
  if (onList || onSpace || onPipeline) {
    view.close();
    draw();
  } else {
    view.open(route);
    if (services) view.services(services.services, services.now, due(services.now));
  }
  title();
}

function togglePipeline() {
  location.hash = route.view === "pipeline" ? came : "#/pipeline";
}

/** Drawing waits for the next frame: events that come together cost one drawing. */
function draw() {
  title();
  frame ??= requestAnimationFrame(() => {
    frame = null;
    if (route.view !== "list") return;
    const all = services?.services ?? [];
    if (services) table.update(services, filterBox.value.trim(), due(paused.isOn() ? services.now : now()));
    const empty = all.length === 0 && !others.any();
    show(byId("services"), all.length > 0);
    show(byId("keys"), !empty && services !== null);
    emptyState(byId("empty"), empty, pipeline);
    if (left) table.focus(left) || others.focus(left);
    left = null;
  });
}

function title() {
  const bad = services?.services.filter(({ severity }) => severity === "bad").length ?? 0;
  const place = { list: "", service: `${route.service} · `, series: "series · ", space: "Space · ", pipeline: "pipeline · " }[route.view];
  document.title = `${bad > 0 ? `(${bad} bad) ` : ""}${place}weir`;
}

function summaryOf(root) {
  const parts = ["bad", "warn", "ok"].map((severity) => {
    const value = el("span", { class: "value" });
    const node = el("li", { "data-severity": severity, hidden: "" }, icon(severity).node, value, ` ${severity}`);
    root.append(node);
    return { severity, node, value };
  });
  return (all) => {
    for (const { severity, node, value } of parts) {
      const amount = all.filter((service) => service.severity === severity).length;
      setText(value, String(amount));
      show(node, amount > 0);
    }
  };
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (keysHelp.isOpen()) {
    // Esc is the dialog's own.
    if (event.key === "?") keysHelp.toggle();
    return;
  }
  const inFilter = event.target === filterBox;
  const typing = event.target.matches("input, textarea, select");
  const handled = event.key === "Escape" ? escape(inFilter) : inFilter ? filterKey(event.key) : !typing && key(event);
  if (handled) event.preventDefault();
}

function escape(inFilter) {
  if (inFilter) {
    filterBox.value = "";
    filterBox.dispatchEvent(new Event("input"));
    filterBox.blur();
  } else if (route.view === "pipeline") togglePipeline();
  else if (view.whole()) return true;
  else if (route.view !== "list") location.hash = linkTo({ view: "list", filter: filterBox.value.trim(), sorts: table.sorts() });
  else return false;
  return true;
}

/** From the filter box straight into the rows. */
function filterKey(name) {
  return (name === "ArrowDown" || name === "Enter") && table.step(1, list);
}

function key({ key: name, target }) {
  const control = target.closest("a, button, summary, [tabindex='0']") !== null;
  if (name === "?") keysHelp.toggle();
  else if (name === "p") togglePipeline();
  else if (name === "d") nextTheme();
  else if (name === " " && !control) paused.toggle();
  else if (route.view === "list") return listKey(name);
  else return (route.view === "service" || route.view === "series") && detailKey(name, control);
  return true;
}

function listKey(name) {
  if (name === "/") filterBox.focus();
  else if (name === "j" || name === "ArrowDown") return table.step(1, list);
  else if (name === "k" || name === "ArrowUp") return table.step(-1, list);
  else return false;
  return true;
}

function detailKey(name, control) {
  const range = Object.keys(RANGES)[Number(name) - 1];
  if (range) location.replace(withSpan(route, { range }));
  else if (name === "ArrowLeft") return view.moveCursor(-1);
  else if (name === "ArrowRight") return view.moveCursor(1);
  else if (name === "Enter" && !control) return view.choose();
  else if (name === "t") view.asTables();
  else if (name === "f") view.editSpan();
  else return false;
  return true;
}
