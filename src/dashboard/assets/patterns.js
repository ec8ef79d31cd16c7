// Fills that tell areas apart by more than colour: what is stacked has a pattern too.

import { el } from "./dom.js";

const SIZE = 8;

/** Draws a tile of ink over the colour. */
const TILES = {
  plain() {},
  rising(tile) {
    for (const at of [-SIZE, 0, SIZE]) stroke(tile, [at, SIZE], [at + SIZE, 0]);
  },
  crossed(tile) {
    TILES.rising(tile);
    for (const at of [-SIZE, 0, SIZE]) stroke(tile, [at, 0], [at + SIZE, SIZE]);
  },
  level(tile) {
    stroke(tile, [0, SIZE / 4], [SIZE, SIZE / 4]);
    stroke(tile, [0, (3 * SIZE) / 4], [SIZE, (3 * SIZE) / 4]);
  },
  upright(tile) {
    stroke(tile, [SIZE / 2, 0], [SIZE / 2, SIZE]);
  },
  dotted(tile) {
    for (const [x, y] of [[2, 2], [6, 6]]) tile.fillRect(x - 1, y - 1, 2, 2);
  },
};

function stroke(tile, from, to) {
  tile.beginPath();
  tile.moveTo(...from);
  tile.lineTo(...to);
  tile.stroke();
}

/** A fill for a canvas: `color` with `ink` over it as the pattern of that name. */
export function pattern(name, color, ink) {
  const canvas = el("canvas", { width: SIZE, height: SIZE });
  const tile = canvas.getContext("2d");
  tile.fillStyle = color;
  tile.fillRect(0, 0, SIZE, SIZE);
  tile.strokeStyle = ink;
  tile.fillStyle = ink;
  tile.lineWidth = 1.5;
  TILES[name](tile);
  return tile.createPattern(canvas, "repeat");
}

/** A key of the title line that shows such a fill. */
export function patternSwatch(fill) {
  const canvas = el("canvas", { class: "swatch-area", width: 16, height: 12, "aria-hidden": "true" });
  const area = canvas.getContext("2d");
  area.fillStyle = fill;
  area.fillRect(0, 0, 16, 12);
  return canvas;
}
