// Pause: the screen stands still, and says so and since when. What comes meanwhile is kept,
// the newest of each kind, and shown when it goes on.

import * as format from "./format.js";
import { el, icon, setAttribute, setText, show } from "./dom.js";

/**
 * Makes `button` the switch and `notice` the place where it is said. `now()` is the time,
 * `resumed()` is called when the screen moves again. Returns `toggle()`, `isOn()`, and
 * `hold(kind, deliver)`: delivers at once, or the newest of its kind later.
 */
export function pauseSwitch(button, notice, now, resumed) {
  const glyph = icon("pause");
  const label = el("span", { class: "label" });
  button.append(glyph.node, label);
  const text = el("span", { role: "status" });
  const resume = el("button", { type: "button" }, "resume");
  notice.append(text, " ", resume);
  resume.addEventListener("click", toggle);
  button.addEventListener("click", toggle);
  let since = null;
  const held = new Map();

  function toggle() {
    since = since === null ? now() : null;
    say();
    if (since !== null) return;
    const waiting = [...held.values()];
    held.clear();
    for (const deliver of waiting) deliver();
    resumed();
  }

  function say() {
    const on = since !== null;
    glyph.set(on ? "resume" : "pause");
    setText(label, on ? "resume" : "pause");
    button.setAttribute("aria-pressed", String(on));
    setAttribute(button, "title", on ? "Resume (space)" : "Pause (space)");
    setAttribute(document.body, "data-paused", on ? "" : null);
    show(notice, on);
    if (on) setText(text, `Paused since ${format.clock(since)} ${format.zone()}: the screen stands still.`);
  }

  say();
  return {
    toggle,
    isOn: () => since !== null,
    hold(kind, deliver) {
      if (since === null) deliver();
      else held.set(kind, deliver);
    },
  };
}
