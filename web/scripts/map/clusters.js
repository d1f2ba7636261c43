// @ts-check
/** @import { Posting } from "../types.js" */

const CELL_PX = 44;

/**
 * @typedef {object} Spot  one marker: a posting's place, or several that would cover one another
 * @property {string} key
 * @property {number} x metres
 * @property {number} y metres
 * @property {Posting[]} postings
 */

/**
 * Markers for places (x, y in metres) at a scale. Cells are sized by whole zoom steps and fixed to the ground, so that
 * panning never regroups. From `single` pixels per metre on, only what lies in the very same place is grouped.
 * @param {{ x: number, y: number, posting: Posting }[]} places @param {number} scale @param {number} [single] @returns {Spot[]}
 */
export function spotsOf(places, scale, single = 0.5) {
  const step = 2 ** Math.floor(Math.log2(scale));
  const cell = scale >= single ? 3 : CELL_PX / step;
  /** @type {Map<string, Spot>} */
  const spots = new Map();
  for (const { x, y, posting } of places) {
    const key = `${Math.floor(x / cell)},${Math.floor(y / cell)}`;
    const spot = spots.get(key);
    if (!spot) spots.set(key, { key, x, y, postings: [posting] });
    else if (!spot.postings.includes(posting)) {
      spot.postings.push(posting);
      spot.x += (x - spot.x) / spot.postings.length;
      spot.y += (y - spot.y) / spot.postings.length;
    }
  }
  return [...spots.values()];
}
