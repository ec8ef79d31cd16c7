// What to do while there is no service to show: said from what the pipeline
// knows of itself.

import { rejected, words } from "./alarms.js";
import * as format from "./format.js";
import { el, patchChildren, show } from "./dom.js";

/** Fills `root`, or empties and hides it; `pipeline` may be null until it has spoken. */
export function emptyState(root, visible, pipeline) {
  const waiting = () => [el("p", { class: "lead" }, "Waiting for weir to answer.")];
  patchChildren(root, !visible ? [] : pipeline === null ? waiting() : advice(pipeline));
  show(root, visible);
}

function advice(p) {
  if (p.mode === "librato") return receiver();
  if (p.received === 0) return p.mode === "demo" ? starting() : setup(p);
  if (p.parsed === 0 && rejected(p) > 0) return rejecting(p);
  return soon(p);
}

function starting() {
  return [el("h1", {}, "The demo is starting"), el("p", { class: "lead" }, "Its traffic begins in a moment; the first window closes some ten seconds later.")];
}

function soon(p) {
  const text = [el("h1", {}, "Lines are coming in"), el("p", { class: "lead" }, "The first services appear when their first window closes: with the rules that come with weir, after some twelve seconds.")];
  if (p.skipped > 0) text.push(el("p", {}, `${format.count(p.skipped)} of ${format.count(p.parsed)} events were wanted by no rule. The rules in use: ${p.rules.files.join(", ") || "none"}.`));
  return text;
}

function rejecting(p) {
  const reasons = Object.entries(p.rejected).filter(([, value]) => value > 0).map(([reason, value]) => `${words(reason)} ${format.count(value)}`);
  return [
    el("h1", {}, "Lines arrive, but none is HAProxy traffic"),
    el("p", { class: "lead" }, `${format.count(rejected(p))} rejected: ${reasons.join(", ")}.`),
    el("p", {}, "weir reads HAProxy's ", code("option httplog"), " and ", code("option tcplog"), ". Check that the frontends (or the defaults) in haproxy.cfg have one of them, and that rsyslog forwards HAProxy's facility only."),
  ];
}

function setup(p) {
  const targets = p.listeners.map((listener) => forward(listener)).join("\n");
  return [
    el("h1", {}, "No line has arrived yet"),
    el("p", { class: "lead" }, "Point rsyslog at weir, and services appear by themselves some seconds after their first requests."),
    el("p", {}, "In haproxy.cfg, so that requests are logged:"),
    pre("global\n    log /dev/log local0\ndefaults\n    mode http\n    log global\n    option httplog"),
    el("p", {}, p.listeners.length > 1 ? "In rsyslog's configuration, one of:" : "In rsyslog's configuration:"),
    pre(targets),
    el("p", { class: "hint" }, "Then restart rsyslog and reload HAProxy. The strip above counts every line from the first one on."),
  ];
}

function receiver() {
  return [
    el("h1", {}, "No metric has been pushed yet"),
    el("p", { class: "lead" }, "Any Librato client can push here: give it this address as its API's. Or by hand:"),
    pre(`curl ${location.origin}/v1/measurements \\\n  -H 'content-type: application/json' \\\n  -d '{"measurements": [{"name": "test", "value": 1, "tags": {"host": "a"}}]}'`),
  ];
}

function forward({ protocol, address }) {
  const cut = address.lastIndexOf(":");
  const bound = address.slice(0, cut).replace(/^\[|\]$/g, "");
  // A socket bound to every address is reached by the name this page was opened with.
  const host = bound === "0.0.0.0" || bound === "::" ? location.hostname.replace(/^\[|\]$/g, "") : bound;
  const over = { tls: `type="omfwd" protocol="tcp" StreamDriver="ossl" StreamDriverMode="1"`, relp: `type="omrelp"` }[protocol] ?? `type="omfwd" protocol="${protocol}"`;
  return `local0.* action(${over} target="${host}" port="${address.slice(cut + 1)}")`;
}

const code = (text) => el("code", {}, text);
const pre = (text) => el("pre", { tabindex: "0" }, el("code", {}, text));
