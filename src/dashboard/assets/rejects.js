// Rejected lines: how many for which reason, and the newest of each to look at.

import { rejected, words } from "./alarms.js";
import * as format from "./format.js";
import { el } from "./dom.js";

/**
 * Samples come on request, not with every event: they are much text, and seldom
 * looked at. `changed()` is called when new ones are here. Returns `render(pipeline)`,
 * the section or null while nothing was rejected, and `follow(root)`, which keeps what
 * is opened in there open.
 */
export function rejectedLines(changed) {
  const opened = new Set();
  let samples = {};
  let shown = null; // which samples these are: of which weir, how many were ever taken
  let busy = false;

  async function load(version) {
    busy = true;
    try {
      const response = await fetch("api/v1/rejects", { headers: { accept: "application/json" } });
      if (!response.ok) return;
      samples = (await response.json()).samples;
      shown = version;
      changed();
    } catch {
      // The next event tries again; that weir does not answer is told elsewhere.
    } finally {
      busy = false;
    }
  }

  return {
    follow(root) {
      // This event does not bubble.
      root.addEventListener("toggle", ({ target }) => (target.open ? opened.add(target.dataset.reason) : opened.delete(target.dataset.reason)), true);
    },
    render(pipeline) {
      if (rejected(pipeline) === 0) return null;
      const version = `${pipeline.started} ${pipeline.samples}`;
      if (version !== shown && !busy) load(version);
      const reasons = Object.entries(pipeline.rejected).filter(([, amount]) => amount > 0);
      return el(
        "section",
        { class: "wide rejects" },
        el("h2", {}, "Rejected lines"),
        ...reasons.map(([reason, amount]) => reasonOf(reason, amount, samples[reason] ?? [], opened.has(reason))),
        ...fileOf(pipeline.rejects_file),
      );
    },
  };
}

function reasonOf(reason, amount, samples, open) {
  const newest = samples.length > 0 ? `, the newest at ${format.clock(samples[0].received_at)}` : "";
  return el(
    "details",
    { "data-reason": reason, open: open ? "" : null },
    el("summary", {}, el("span", { class: "reason" }, words(reason)), " ", el("span", { class: "value" }, format.whole(amount)), el("span", { class: "note" }, newest)),
    el("ol", {}, ...samples.map(sampleOf)),
  );
}

function sampleOf(sample) {
  const leftOut = (bytes) => el("span", { class: "left-out" }, `[${format.whole(bytes)} bytes]`);
  const left = (bytes) => (bytes > 0 ? [leftOut(bytes)] : []);
  const atEnd = sample.stuck === "";
  const stuck = sample.stuck === null ? [] : [el("mark", atEnd ? { class: "end" } : {}, atEnd ? "the line ends" : sample.stuck)];
  const nothing = sample.before === "" && sample.stuck === null ? [leftOut(0)] : [];
  return el(
    "li",
    {},
    el("p", {}, el("time", {}, format.dayAndClock(sample.received_at)), " ", sample.why),
    el("code", {}, ...left(sample.left_out_before), ...nothing, sample.before, ...stuck, sample.after, ...left(sample.left_out_after)),
  );
}

function fileOf(file) {
  if (!file) return [];
  const severity = file.last_error !== "" ? "bad" : file.unwritten > 0 ? "warn" : null;
  const waiting = file.queued > 0 ? `, ${format.whole(file.queued)} waiting` : "";
  const unwritten = file.unwritten > 0 ? `, ${format.whole(file.unwritten)} not written` : "";
  const error = file.last_error !== "" ? `: ${file.last_error}` : "";
  return [el("p", { class: "rejects-file", "data-severity": severity }, `${format.whole(file.written)} written to ${file.path}${waiting}${unwritten}${error}`)];
}
