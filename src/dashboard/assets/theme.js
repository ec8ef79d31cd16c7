// Dark, light, or as the system has it: a button and the browser's memory in, an attribute
// of the document out (early.js sets it before the first paint). What is drawn on a canvas
// asks here for colours, and when to draw anew.

import { el, icon, setAttribute } from "./dom.js";

const KEY = "weir.theme"; // as in early.js
const THEMES = ["system", "light", "dark"];

const root = document.documentElement;
const repaints = new Set();
const system = matchMedia("(prefers-color-scheme: dark)");
system.addEventListener("change", changed);

let probe = null;

/** What a colour of the style sheet is at the moment, as `rgb(…)`. */
export function color(name) {
  // A property's own value would be `light-dark(…)`, which a canvas does not know.
  if (probe === null) {
    probe = el("i", { hidden: "" });
    document.body.append(probe);
  }
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

/** A font family of the style sheet. */
export function family(name) {
  return getComputedStyle(root).getPropertyValue(name).trim();
}

export function isDark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : system.matches;
}

/** Calls `repaint` when the colours have changed; returns what ends that. */
export function onRepaint(repaint) {
  repaints.add(repaint);
  return () => repaints.delete(repaint);
}

/** Makes `button` the switch; returns `next()`, which does what a click does. */
export function themeSwitch(button) {
  const glyph = icon("system");
  button.append(glyph.node);

  function next() {
    const theme = THEMES[(THEMES.indexOf(current()) + 1) % THEMES.length];
    setAttribute(root, "data-theme", theme === "system" ? null : theme);
    try {
      if (theme === "system") localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, theme);
    } catch {
      // It holds for as long as the page is open.
    }
    say();
    changed();
  }

  function say() {
    glyph.set(current());
    setAttribute(button, "aria-label", `Theme: ${current()}`);
    setAttribute(button, "title", `Theme: ${current()} (d)`);
  }

  button.addEventListener("click", next);
  say();
  return next;
}

const current = () => root.dataset.theme ?? "system";

function changed() {
  for (const repaint of repaints) repaint();
}
