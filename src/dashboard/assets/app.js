// The page: what the stream says goes to the views, what the hash says decides
// which view is seen, and keys reach everything.

import { detailView } from "./detail.js";
import { el, icon, setAttribute, setText, show } from "./dom.js";
import { emptyState } from "./empty.js";
import * as format from "./format.js";
import { connect } from "./live.js";
import { pipelineStrip } from "./pipeline.js";
import { parse } from "./route.js";
import { seriesTable } from "./series.js";
import { serviceTable } from "./services.js";
import { spacesView } from "./spaces.js";

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
let frame = null;

/** Windows that have ended by then should be closed: they wait for late lines. */
const due = (epoch) => epoch - (pipeline?.windows.grace ?? 0);
const now = () => Math.floor((Date.now() + skew) / 1000);
const strip = pipelineStrip(byId("pipeline"), byId("pipeline-details"));
const table = serviceTable(byId("services"));
const others = seriesTable(byId("others"), () => draw());
const view = detailView(detail);
const inSpace = spacesView(byId("spaces"), byId("space"));
const summary = summaryOf(byId("summary"));

connect({
  services(body) {
    services = body;
    heard(body.now);
    summary(body.services);
    view.services(body.services, body.now, due(body.now));
    draw();
  },
  pipeline(body) {
    pipeline = body;
    heard(body.now);
    strip.update(body);
    setText(byId("mode"), body.mode);
    show(byId("mode"), body.mode !== "serve");
    view.tick(body.now);
    others.name(body.mode === "librato" ? "Series" : "Other series");
    if (route.view === "list") others.tick(body.now);
    draw();
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
filterBox.addEventListener("input", () => {
  others.filter(filterBox.value.trim(), now());
  draw();
});
document.addEventListener("keydown", keys);
follow();

function heard(epoch) {
  skew = epoch * 1000 - Date.now();
  heardAt = epoch;
  said();
}

function said() {
  const state = connection.dataset.state;
  setText(connection.querySelector(".label"), { live: "live", lost: "connection lost, retrying" }[state] ?? "connecting");
  setText(connection.querySelector(".clock"), heardAt === null ? "" : format.clock(state === "live" ? now() : heardAt));
  if (state !== "lost") return;
  const text = heardAt === null
    ? "weir does not answer. Trying again."
    : `Connection lost ${format.age(now() - heardAt)} ago, retrying. What you see is from ${format.clock(heardAt)}.`;
  setText(byId("notice"), text);
  show(byId("notice"), true);
}

/** Shows the view that the hash names. */
function follow() {
  const before = route;
  route = parse(location.hash);
  const onList = route.view === "list";
  const onSpace = inSpace(route);
  show(list, onList);
  show(detail, !onList && !onSpace);
  show(filterBox, onList);
  if (onList) {
    if (before.view !== "list") left = before;
    view.close();
    draw();
  } else if (onSpace) {
    view.close();
  } else {
    view.open(route);
    if (services) view.services(services.services, services.now, due(services.now));
  }
  title();
}

/** Drawing waits for the next frame: events that come together cost one drawing. */
function draw() {
  title();
  frame ??= requestAnimationFrame(() => {
    frame = null;
    if (route.view !== "list") return;
    const all = services?.services ?? [];
    if (services) table.update(services, filterBox.value.trim(), due(now()));
    const empty = all.length === 0 && !others.any();
    show(byId("services"), all.length > 0);
    show(byId("keys"), !empty && services !== null);
    emptyState(byId("empty"), empty, pipeline);
    if (left) rowOf(left)?.focus();
    left = null;
  });
}

function title() {
  const bad = services?.services.filter(({ severity }) => severity === "bad").length ?? 0;
  const place = { list: "", service: `${route.service} · `, series: "series · ", space: "Space · " }[route.view];
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

function rowOf(target) {
  const rows = [...list.querySelectorAll("tr[data-service], tr[data-series]")];
  const row = rows.find(({ dataset }) => (target.view === "service" ? dataset.service === target.service && dataset.rule === target.rule : dataset.series === target.id));
  return row?.querySelector(".row-link") ?? null;
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target === filterBox;
  const handled = event.key === "Escape" ? escape(typing) : typing ? filterKey(event.key) : key(event.key);
  if (handled) event.preventDefault();
}

function escape(typing) {
  if (typing) {
    filterBox.value = "";
    filterBox.dispatchEvent(new Event("input"));
    filterBox.blur();
  } else if (strip.isOpen()) strip.toggle(false);
  else if (route.view !== "list") location.hash = "#/";
  else return false;
  return true;
}

/** From the filter box straight into the rows. */
function filterKey(name) {
  return (name === "ArrowDown" || name === "Enter") && step(1);
}

function key(name) {
  if (name === "p") strip.toggle();
  else if (name === "/" && route.view === "list") filterBox.focus();
  else if (route.view === "list" && (name === "j" || name === "ArrowDown")) return step(1);
  else if (route.view === "list" && (name === "k" || name === "ArrowUp")) return step(-1);
  else if (route.view !== "list" && name === "ArrowLeft") return view.moveCursor(-1);
  else if (route.view !== "list" && name === "ArrowRight") return view.moveCursor(1);
  else return false;
  return true;
}

/** Moves the focus among the rows; where none has it, to the first. */
function step(by) {
  const links = [...list.querySelectorAll(".row-link")].filter((link) => link.offsetParent !== null);
  if (links.length === 0) return false;
  const at = links.indexOf(document.activeElement);
  const next = at === -1 ? 0 : Math.min(links.length - 1, Math.max(0, at + by));
  links[next].focus();
  return true;
}
