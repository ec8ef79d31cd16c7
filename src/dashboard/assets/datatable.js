// A chart's values as a table: for those who do not see the chart, or want the digits.

import * as format from "./format.js";
import { el, patchChildren, setText } from "./dom.js";

/** Of more points, every second, third and so on is a row. */
const ROWS_MAX = 60;

/**
 * A table named `title`. `update(columns, times, has, row, now)`: `columns` are the headings
 * beside the time's, `has(index)` tells whether there is a value, `row(index)` gives the
 * texts. The newest is the first.
 */
export function dataTable(title) {
  const caption = el("caption");
  const head = el("tr");
  const body = el("tbody");
  const node = el("div", { class: "as-table", tabindex: "0", role: "region", "aria-label": `${title}, as a table`, hidden: "" }, el("table", {}, caption, el("thead", {}, head), body));
  return {
    node,
    update(columns, times, has, row, now) {
      const known = times.flatMap((_, index) => (has(index) ? [index] : []));
      const every = Math.max(1, Math.ceil(known.length / ROWS_MAX));
      const shown = known.reverse().filter((_, i) => i % every === 0);
      const rows = every === 1 ? format.some(shown.length, "row") : `every ${ordinal(every)} of ${format.count(known.length)} values`;
      setText(caption, `${title}: ${rows}, the newest first, times in ${format.zone(times.at(-1))}`);
      patchChildren(head, ["Time", ...columns].map((text) => el("th", { scope: "col" }, text)));
      patchChildren(body, shown.map((index) => {
        const when = format.day(times[index]) === format.day(now) ? format.clock(times[index]) : format.dayAndClock(times[index]);
        return el("tr", {}, el("th", { scope: "row" }, when), ...row(index).map((text) => el("td", {}, text)));
      }));
    },
  };
}

const ordinal = (n) => `${n}${{ 1: "st", 2: "nd", 3: "rd" }[n % 100 > 10 && n % 100 < 14 ? 0 : n % 10] ?? "th"}`;
