// Which span of time is shown: links to the ranges that end now, two fields for a span from
// one time to another, and in which zone all times are.

import * as format from "./format.js";
import { el, setAttribute, setText, show } from "./dom.js";
import { RANGES } from "./route.js";

let bars = 0;

/**
 * A bar. `link(span)` gives the address of the same view over another span, `now()` what time
 * it is. Returns `node`, `update(span)`, `since(epoch)` (from when on there is data, where
 * that is later than the span's start), `note(text)` and `edit()`, which opens the fields.
 */
export function spanBar(link, now) {
  bars += 1;
  const links = Object.keys(RANGES).map((range) => {
    const node = el("a", { class: "range", "data-range": range }, range.replace(/(\d+)/, "$1\u00a0"));
    return { range, node };
  });
  const fixed = el("button", { type: "button", class: "range fixed", "aria-expanded": "false", "aria-controls": `span-${bars}` }, "from – to");
  const live = el("a", { class: "range to-live", hidden: "" }, "back to live");
  const zone = el("span", { class: "zone" });
  const from = el("input", { type: "datetime-local", step: "1", name: "from", required: "" });
  const to = el("input", { type: "datetime-local", step: "1", name: "to", required: "" });
  const wrong = el("span", { class: "wrong", role: "alert" });
  const form = el(
    "form",
    { class: "from-to", id: `span-${bars}`, novalidate: "", hidden: "" },
    el("label", {}, "From ", from),
    el("label", {}, "to ", to),
    el("button", { type: "submit" }, "Show"),
    wrong,
  );
  const node = el("nav", { class: "ranges", "aria-label": "Time range" }, ...links.map((each) => each.node), fixed, live, zone, form);
  let shown = null;
  let texts = { since: "", note: "" };

  // Choosing a range replaces the view, so that Back leads to the list.
  node.addEventListener("click", (event) => {
    const clicked = event.target.closest("a");
    if (!clicked || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    location.replace(clicked.getAttribute("href"));
  });
  fixed.addEventListener("click", () => toggle(form.hidden));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const span = { from: format.fromField(from.value), to: format.fromField(to.value) };
    const why = whyNot(span, now());
    setText(wrong, why ?? "");
    if (why !== null) return;
    toggle(false);
    location.replace(link(span));
  });
  // Esc closes the fields first.
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    toggle(false);
    fixed.focus();
  });

  function toggle(open) {
    show(form, open);
    fixed.setAttribute("aria-expanded", String(open));
    if (!open) return;
    const span = shown?.range ? { from: now() - RANGES[shown.range], to: now() } : shown;
    from.value = format.field(span.from);
    to.value = format.field(span.to);
    setText(wrong, "");
    from.focus();
  }

  function say() {
    setText(zone, [texts.note, texts.since, `times in ${format.zone(shown?.range ? undefined : shown?.to)}`].filter(Boolean).join(", "));
  }

  return {
    node,
    since(epoch) {
      texts.since = epoch === null ? "" : `data since ${format.dayAndClock(epoch)}`;
      say();
    },
    note(text) {
      texts.note = text;
      say();
    },
    edit: () => toggle(true),
    update(span) {
      shown = span;
      for (const { range, node: each } of links) {
        setAttribute(each, "href", link({ range }));
        setAttribute(each, "aria-current", span.range === range ? "true" : null);
      }
      setAttribute(fixed, "aria-current", span.range ? null : "true");
      setText(fixed, span.range ? "from – to" : format.span(span.from, span.to, now()));
      setAttribute(live, "href", link({ range: "15m" }));
      show(live, span.range === undefined);
      say();
    },
  };
}

/** What is wrong with a span, in words, or null. */
function whyNot({ from, to }, now) {
  if (from === null || to === null) return "Both times are needed.";
  if (from >= to) return "The first time must be before the second.";
  if (from >= now) return "The first time is not yet: nothing has happened there.";
  return null;
}
