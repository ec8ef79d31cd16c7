// What is wrong with the pipeline, from its counters alone. Most counters only matter
// while they grow: the server sends those of a minute ago along.

import { clock, count, hours, some } from "./format.js";

const SILENT_AFTER = 60; // seconds without one line

/** Other programs' lines, and what HAProxy says beside its requests, are no fault. */
const EXPECTED_REJECTS = new Set(["not_traffic"]);

const NOTICES_DROPPED = "of HAProxy's own messages, too many at once, are missing among the marks: over a thousand";

/** Counters whose growth is a warning, and how to say it: short, in full of one, and of more. */
const GROWING = [
  ["cut", "lines cut off", "line cut off, being too long or cut short when its connection ended,", "lines cut off, being too long or cut short when their connection ended,"],
  ["too_late", "events too late", "event too late to count", "events too late to count"],
  ["future", "events in the future", "event dated in the future, not counted", "events dated in the future, not counted"],
  ["notices_dropped", "marks are missing", NOTICES_DROPPED, NOTICES_DROPPED],
  ["over_limit", "series limit reached", "event over the series limit", "events over the series limit"],
];

/** Promises that may be broken: the item of the strip, in short, and what it costs where the pipeline tells only why. */
const PROMISES = {
  checkpoint: ["lost", "no checkpoints"],
  memory: ["lost", "memory is full", ", new series count in the group other"],
  journal: ["received", "RELP is held up"],
  store: ["sinks", "the store keeps nothing"],
  spool: ["sinks", "the spool keeps nothing"],
};

/** What a circuit breaker that is not closed does, behind "is not taking data". */
const BREAKERS = {
  open: ", circuit breaker open (nothing is sent for a while)",
  "half-open": ", circuit breaker half-open (one request finds out whether it answers)",
};

/**
 * Alarms, worst first, each `{ severity, field, short, text }`: `field` is the item of
 * the strip it concerns, `short` fits into the strip, `text` says it in full.
 */
export function alarmsOf(pipeline) {
  const before = pipeline.minute_ago;
  const grown = (read) => Math.max(0, (read(pipeline) ?? 0) - (read(before) ?? 0));

  const alarms = [];
  const raise = (severity, field, short, text) => alarms.push({ severity, field, short, text });

  for (const sink of pipeline.sinks) {
    if (sink.state === "retrying") {
      const waiting = sink.queued > 0 ? `, ${count(sink.queued)} waiting` : "";
      const breaker = BREAKERS[sink.breaker] ?? "";
      raise("bad", "sinks", `sink ${sink.name} is failing`, `sink ${sink.name} is not taking data${waiting}${breaker}${sink.last_error ? `: ${sink.last_error}` : ""}`);
    }
    if (sink.state === "waiting") {
      raise("warn", "sinks", `sink ${sink.name} asks to wait`, `sink ${sink.name} asks to wait until ${clock(sink.held_until)}, and nothing is sent before: ${count(sink.queued)} waiting`);
    }
    if (nearlyFull(sink.spool)) {
      raise("warn", "queue", `spool of ${sink.name} is filling up`, `the spool of sink ${sink.name} is nearly full: when it is, its oldest are dropped`);
    }
    const same = (p) => p.sinks.find(({ name }) => name === sink.name);
    const dropped = grown((p) => both(same(p), "dropped"));
    if (dropped > 0) raise("bad", "lost", `sink ${sink.name} drops data`, `sink ${sink.name} dropped ${count(dropped)} in the last minute`);
    const refused = grown((p) => both(same(p), "rejected"));
    if (refused > 0) raise("warn", "sinks", `${sink.name} rejects data`, `sink ${sink.name}: the far side rejected ${count(refused)} in the last minute`);
  }

  for (const [promise, why] of Object.entries(pipeline.broken)) {
    const [field, short, cost = ""] = PROMISES[promise] ?? ["lost", `${promise} is broken`];
    raise("bad", field, short, `${short}${cost}: ${why}`);
  }

  const kernel = grown(kernelLost);
  if (kernel > 0) raise("bad", "lost", "the kernel drops lines", `${some(kernel, "line")} dropped by the kernel in the last minute: weir reads too slowly or the socket buffer is small`);

  for (const { protocol, address } of pipeline.listeners) {
    const same = (p) => p.listeners.find((l) => l.protocol === protocol && l.address === address);
    const turnedAway = grown((p) => refusedBy(same(p)));
    if (turnedAway > 0) raise("warn", "lines", "senders are refused", `${protocol} ${address} refused ${some(turnedAway, protocol === "udp" ? "datagram" : "connection")} in the last minute: the log names the senders`);
  }

  for (const reason of Object.keys(pipeline.rejected)) {
    const more = grown((p) => p.rejected[reason]);
    if (more > 0 && !EXPECTED_REJECTS.has(reason)) raise("warn", "rejected", `rejecting lines: ${words(reason)}`, `${some(more, "line")} rejected in the last minute: ${words(reason)}`);
  }
  for (const [key, short, one, many] of GROWING) {
    const more = grown((p) => p[key]);
    if (more > 0) raise("warn", key === "too_late" ? "late" : "rejected", short, `${count(more)} ${more === 1 ? one : many} in the last minute`);
  }
  for (const { host, seconds } of pipeline.skewed_hosts) {
    const ahead = seconds > 0;
    // Dates ahead are refused as from the future; those behind are late or too late.
    raise("bad", ahead ? "rejected" : "late", `${host}: wrong time zone`, `the dates of host ${host} are ${hours(Math.abs(seconds))} ${ahead ? "ahead of" : "behind"} their arrival: haproxy.timezone does not say the zone that its HAProxy writes`);
  }
  const file = pipeline.rejects_file;
  if (file?.last_error) raise("bad", "rejected", "rejects are not written", `rejected lines cannot be written to ${file.path}: ${file.last_error}`);
  const unwritten = grown((p) => p.rejects_file?.unwritten);
  if (unwritten > 0) raise("bad", "rejected", "rejects are not written", `${some(unwritten, "rejected line")} of the last minute ${unwritten === 1 ? "is" : "are"} in no file`);
  const unstored = grown((p) => p.store?.refused);
  if (unstored > 0) raise("warn", "refused", "the store refuses points", `the store refused ${some(unstored, "point")} in the last minute`);

  const refused = pipeline.rules?.refused;
  if (refused) {
    const more = refused.count > 1 ? `, and ${count(refused.count - 1)} more` : "";
    raise("warn", "rules", "rules not reloaded", `rules not reloaded since ${clock(refused.since)}: ${refused.problems[0]}${more}`);
  }

  const quiet = pipeline.received === before.received && pipeline.now - before.now >= SILENT_AFTER - 1;
  if (pipeline.mode !== "librato" && pipeline.received > 0 && quiet) {
    raise("warn", "lines", "no line for a minute", "no line has come in for over a minute");
  }

  return alarms.sort((a, b) => (a.severity === "bad" ? 0 : 1) - (b.severity === "bad" ? 0 : 1));
}

/** What arrived or should have, and is not in the numbers: kernel drops and sink drops. */
export function lost(pipeline) {
  return kernelLost(pipeline) + pipeline.sinks.reduce((sum, sink) => sum + both(sink, "dropped"), 0);
}

/** Whether a spool, if there is one, will drop before long. */
export function nearlyFull(spool) {
  return spool !== undefined && spool.bytes_used >= 0.8 * spool.bytes_max;
}

/** A sink's counter over measurements and annotations. */
function both(sink, key) {
  return (sink?.[key] ?? 0) + (sink?.annotations?.[key] ?? 0);
}

/** How many connections, or over UDP datagrams, a listener has refused. */
export function refusedBy(listener) {
  return Object.values(listener?.refused ?? {}).reduce((sum, value) => sum + value, 0);
}

export function rejected(pipeline) {
  return Object.values(pipeline.rejected).reduce((sum, value) => sum + value, 0);
}

/** A counter's key as words: not_traffic, "not traffic". */
export function words(key) {
  return key.replaceAll("_", " ");
}

function kernelLost(pipeline) {
  return pipeline.listeners.reduce((sum, listener) => sum + listener.lost, 0);
}
