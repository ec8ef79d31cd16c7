// What stands above the charts: whose they are, how it is, the numbers of now, and the span.

import * as format from "./format.js";
import { el, icon, setAttribute, setText, show } from "./dom.js";
import { culprit, silence } from "./services.js";

const TILES = [
  ["rate", "rate", format.rate],
  ["p50", "p50", format.duration],
  ["p95", "p95", format.duration],
  ["p99", "p99", format.duration],
  ["errors", "errors", format.ratio],
];

/** Of a service. `services(list, due)` tells it the newest numbers. */
export function serviceHead(route, ranges) {
  const state = icon("idle");
  const word = el("span", { class: "word" });
  const badge = el("span", { class: "badge", hidden: "" }, state.node, word);
  const tiles = TILES.map(([field, title, print]) => {
    const value = el("span", { class: "value", "data-field": field }, format.number(null));
    return { field, print, value, node: el("span", { class: "tile" }, el("span", { class: "name" }, title), value) };
  });
  const now = el("div", { class: "tiles", role: "group", "aria-label": "Newest window" }, el("span", { class: "now" }, "now"), ...tiles.map(({ node }) => node));
  const head = headNode("All services", route.service, ranges, el("span", { class: "subtitle" }, `rule ${route.rule}`), badge);
  head.node.insertBefore(now, ranges.node);
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

/** Of another series. `describe(body)` tells its name and tags. */
export function seriesHead(ranges) {
  const tags = el("span", { class: "subtitle" });
  const head = headNode("All series", "Series", ranges, tags);
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

function headNode(back, title, ranges, subtitle, ...rest) {
  const heading = el("h1", { tabindex: "-1" }, title);
  const node = el(
    "div",
    { class: "detail-head" },
    el("a", { class: "back", href: "#/", "aria-keyshortcuts": "Escape" }, `← ${back}`),
    el("div", { class: "heading" }, heading, subtitle, ...rest),
    ranges.node,
  );
  return { node, title: heading };
}
