// All keys, over the page: `?` opens, Esc closes.

import { el } from "./dom.js";

const KEYS = [
  ["Everywhere", [
    [["?"], "this help"],
    [["Space"], "pause: the screen stands still; again to go on"],
    [["p"], "the pipeline, and back"],
    [["d"], "dark, light, or as the system has it"],
    [["Esc"], "back; closes what is open; empties the filter"],
  ]],
  ["The list", [
    [["j", "k", "↓", "↑"], "move over the rows"],
    [["Enter"], "open the row"],
    [["/"], "filter by words in name, rule, state or reason"],
  ]],
  ["A service", [
    [["←", "→"], "move over the charts' points"],
    [["Enter"], "narrow the tables to the minute pointed at; Esc: the whole span again"],
    [["1", "…", "5"], "the last 5 min, 15 min, 1 h, 6 h, 24 h"],
    [["f"], "a span from one time to another"],
    [["t"], "tables in place of the charts, and back"],
  ]],
];

/** Builds into a `<dialog>`; returns `toggle()` and `isOpen()`. */
export function help(dialog) {
  const close = el("button", { type: "button", class: "close", "aria-label": "Close" }, "✕");
  close.addEventListener("click", () => dialog.close());
  // A click beside it closes it too.
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.append(
    el(
      "div",
      { class: "help" },
      el("h1", { id: "help-title" }, "Keys"),
      close,
      ...KEYS.map(([title, keys]) =>
        el("section", {}, el("h2", {}, title), el("dl", {}, ...keys.flatMap(([names, does]) => [el("dt", {}, ...names.flatMap((name) => [el("kbd", {}, name), " "])), el("dd", {}, does)])))),
      el("p", { class: "note" }, "In a chart: a drag shows the span that it covers, a click narrows the tables to its minute."),
    ),
  );
  return {
    isOpen: () => dialog.open,
    toggle: () => (dialog.open ? dialog.close() : dialog.showModal()),
  };
}
