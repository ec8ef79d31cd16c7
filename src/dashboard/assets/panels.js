// The tables of one service: servers, routes, how requests ended, and single requests, the
// slowest and the failing. The server's breakdown of a span in, sections out.

import * as format from "./format.js";
import { el, icon, svg } from "./dom.js";
import { differences } from "./differs.js";
import { numbers, sortedTable } from "./tables.js";

/** The timers of a request in the order in which they pass. */
export const TIMERS = ["request", "queue", "connect", "response", "transfer", "session"];

/** How long the button says that it has copied. */
const COPIED_MS = 1_500;

/**
 * `onSort(table, text)` is called when a heading is clicked. Returns the sections as
 * `servers`, `routes`, `endings`, `slowest`, `failing`, and `update(body, sorts)`.
 */
export function breakdownPanels(onSort) {
  const servers = sortedTable(SERVERS, onSort);
  const routes = sortedTable(ROUTES, onSort);
  const endings = sortedTable(ENDINGS, onSort);
  const slowest = sortedTable(examples("slowest", "Slowest requests"), onSort);
  const failing = sortedTable(examples("failing", "Failing requests"), onSort);
  for (const { node } of [slowest, failing]) node.addEventListener("click", copy);
  return {
    servers: servers.node,
    routes: routes.node,
    endings: endings.node,
    slowest: slowest.node,
    failing: failing.node,
    update(body, sorts) {
      const estimate = estimated(body);
      const different = differences(body.servers);
      const beside = body.servers.map((server, i) => ({ ...server, differs: different[i] }));
      // The one that differs is what one has come for.
      const [odd, even] = [beside.filter(({ differs }) => differs), beside.filter(({ differs }) => !differs)];
      servers.update([...odd, ...even], sorts.servers, [odd.length > 0 ? `${odd.map(({ server }) => server).join(", ")} ${odd.length > 1 ? "differ" : "differs"}` : "", estimate].filter(Boolean).join(", "));
      routes.update(body.routes, sorts.routes, estimate);
      const all = body.terminations.reduce((sum, { requests }) => sum + requests, 0);
      const ended = body.terminations.map((each) => ({ ...each, share: each.requests / all }));
      endings.update([...ended.filter(({ normal }) => !normal), ...ended.filter(({ normal }) => normal)], sorts.endings);
      slowest.update(body.exemplars.slowest, sorts.slowest, howMany(body.exemplars.slowest));
      const newest = body.exemplars.failing.toSorted((a, b) => b.time - a.time);
      const failed = body.servers.reduce((sum, server) => sum + server.failed, 0);
      failing.update(newest, sorts.failing, howMany(newest, failed, "the newest ones"));
    },
  };
}

/** That not every request was looked at, where that is so. */
export function estimated({ lines, of }) {
  return of > lines && lines > 0 ? `from 1 in ${format.number(Math.round(of / lines))} requests` : "";
}

/** How many there are, of how many, and in which zone their times are. */
function howMany(requests, all = 0, which = "") {
  if (requests.length === 0) return "";
  const part = all > requests.length ? ` of ${format.count(all)}, ${which}` : "";
  return `${requests.length}${part}, times in ${format.zone(requests[0].time / 1000)}`;
}

const SERVERS = {
  name: "servers",
  title: "Servers",
  wide: true,
  none: "no server was asked in this span",
  columns: [
    { key: "server", title: "Server", head: true, ascending: true, value: ({ backend, server }) => `${backend ?? ""}/${server}`, cell: serverCell },
    ...numbers(),
    ...["queue", "connect", "response"].map((timer) => ({ key: timer, title: timer, hint: `Mean time: ${timer}. Sort by it`, number: true, value: (row) => row[timer], print: format.duration })),
  ],
  // Requests that reached no server waited for as long as they were allowed to.
  scales: ({ server }) => server !== "<NOSRV>",
  severity: ({ differs }) => (differs ? "warn" : null),
  hooks: ({ server, differs }) => ({ "data-server": server, "data-differs": differs ? "" : null }),
};

function serverCell({ backend, server, differs }) {
  const name = [el("span", { class: "of" }, backend ? `${backend}/` : ""), server];
  return differs ? [icon("warn").node, " ", ...name, el("span", { class: "differs" }, differs)] : name;
}

const ROUTES = {
  name: "routes",
  title: "Routes",
  wide: true,
  columns: [
    { key: "route", title: "Route", head: true, ascending: true, class: "long", value: ({ method, route }) => `${route} ${method ?? ""}`, cell: ({ method, route }) => [el("span", { class: "method" }, method ?? ""), " ", route] },
    ...numbers(),
  ],
  hooks: ({ method, route }) => ({ "data-route": `${method ?? ""} ${route}`.trim() }),
};

const ENDINGS = {
  name: "endings",
  title: "How requests ended",
  columns: [
    { key: "words", title: "In words", head: true, ascending: true, class: "long", value: ({ words, state }) => words ?? state, cell: endedHow },
    { key: "state", title: "Code", ascending: true, class: "code", value: ({ state }) => state },
    { key: "requests", title: "Requests", number: true, value: ({ requests }) => requests, print: format.count },
    { key: "share", title: "Share", number: true, value: ({ share }) => share, print: format.ratio },
  ],
  dim: ({ normal }) => normal,
  hooks: ({ state, normal }) => ({ "data-state": state, "data-normal": String(normal) }),
};

function endedHow({ words, cookie }) {
  const main = words ?? "a state that weir does not know";
  return cookie ? [main, el("span", { class: "cookie" }, cookie)] : main;
}

function examples(name, title) {
  return {
    name,
    title,
    class: "requests",
    wide: true,
    columns: [
      { key: "time", title: "Time", class: "when", value: ({ time }) => time, cell: when },
      { key: "duration", title: "Took", number: true, bar: true, class: "latency", value: ({ duration }) => duration, print: format.duration },
      { key: "mostly", title: "Where", hint: "Where the time went", class: "mostly", cell: ({ timers, duration }) => whereItWent(timers ?? {}, duration) },
      { key: "status", title: "Status", class: "status", value: ({ status }) => status ?? 0, cell: ({ status }) => (status ? String(status) : format.number(null)) },
      { key: "path", title: "Request", head: true, class: "path", ascending: true, value: ({ path }) => path ?? "", cell: request },
      { key: "server", title: "Server", class: "server", ascending: true, value: ({ server }) => server ?? "", cell: ({ backend, server }) => [el("span", { class: "of" }, backend ? `${backend}/` : ""), server ?? format.number(null)] },
      { key: "ended", title: "Ended", class: "ended", ascending: true, value: ({ words }) => words ?? "", cell: ending },
      { key: "request_id", title: "Request id", class: "id", cell: identity },
    ],
    hooks: ({ status }) => ({ "data-request": "", "data-failed": status >= 500 ? "" : null }),
  };
}

/** One of those that ended as they should needs no words. */
function ending({ words, termination }) {
  const plain = /^--/.test(termination ?? "--");
  return [el("span", { title: words }, el("span", { class: "code" }, termination ?? ""), plain ? "" : ` ${words ?? ""}`)];
}

/** The day too, where it is not today's. */
function when({ time }) {
  const epoch = Math.floor(time / 1000);
  const day = format.day(epoch) === format.day(Date.now() / 1000) ? "" : `${format.day(epoch)} `;
  return [el("time", { title: format.dayAndClock(epoch) }, `${day}${format.exactClock(time)}`)];
}

function request({ method, path, client, host }) {
  const from = [client ? `from ${client}` : "", host ? `by ${host}` : ""].filter(Boolean).join(", ");
  const what = path ?? (method ? "" : "no request line");
  return [el("span", { title: [`${method ?? ""} ${path ?? ""}`.trim(), from].filter(Boolean).join("\n") || null }, el("span", { class: "method" }, method ?? ""), " ", what)];
}

/** The timer that took most, and all of them as a small bar. */
function whereItWent(timers, duration) {
  const parts = TIMERS.filter((name) => timers[name] > 0);
  if (parts.length === 0) return [format.number(null)];
  const all = Math.max(duration ?? 0, parts.reduce((sum, name) => sum + timers[name], 0));
  let at = 0;
  const rects = parts.map((name) => {
    const width = (timers[name] / all) * 100;
    at += width;
    return svg("rect", { x: (at - width).toFixed(1), width: width.toFixed(1), height: "1", class: `timer-${name}` });
  });
  const most = parts.reduce((greatest, name) => (timers[name] > timers[greatest] ? name : greatest));
  const text = parts.map((name) => `${name} ${format.duration(timers[name])}`).join(", ");
  return [el("span", { title: text }, svg("svg", { class: "split", viewBox: "0 0 100 1", preserveAspectRatio: "none", "aria-hidden": "true" }, ...rects), ` ${most} ${format.duration(timers[most])}`)];
}

function identity({ request_id: id }) {
  if (!id) return [format.number(null)];
  return [el("button", { type: "button", class: "copy", "data-copy": id, title: "Copy", "aria-label": `Copy the request id ${id}` }, "copy"), el("code", { title: id }, id)];
}

async function copy(event) {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  const copied = await toClipboard(button.dataset.copy);
  button.dataset.said = copied ? "copied" : "select and copy";
  setTimeout(() => delete button.dataset.said, COPIED_MS);
}

/** Without https a page may not write to the clipboard, but what is selected can be copied. */
async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = el("textarea", { readonly: "", class: "unseen" }, text);
    document.body.append(field);
    field.select();
    const copied = document.execCommand("copy");
    field.remove();
    return copied;
  }
}
