// @ts-check
/** @import { Point } from "./types.js" */

export const SPEEDS = [1, 10, 30];

/** Walks the stored drive: the citizen is drawn between the recorded points, but only recorded points are sent. */
export class Replay {
  /** @type {[number, number, number][]} second, lat, lon */
  points = [];
  #second = 0;
  #sent = -1;
  #frame = 0;
  #before = 0;

  /**
   * @param {ReturnType<typeof import("./state.js").newStore>} store
   * @param {{ onPoint: (at: Point) => void, onBetween: (at: Point) => void }} on
   */
  constructor(store, on) {
    this.store = store;
    this.on = on;
  }

  async load() {
    const response = await fetch("data/trace.json");
    this.points = (await response.json()).points;
    this.#tell({ end: this.points[this.points.length - 1][0] });
  }

  async toggle() {
    if (this.store.state.replay.playing) return this.pause();
    if (!this.points.length) await this.load();
    if (this.#second >= this.points[this.points.length - 1][0]) this.rewind();
    this.#before = performance.now();
    this.#tell({ playing: true });
    this.#frame = requestAnimationFrame(this.#step);
    return undefined;
  }

  pause() {
    cancelAnimationFrame(this.#frame);
    this.#tell({ playing: false });
  }

  rewind() {
    this.#second = 0;
    this.#sent = -1;
  }

  /** @param {number} speed */
  setSpeed(speed) {
    this.#tell({ speed });
  }

  #step = (/** @type {number} */ now) => {
    const end = this.points[this.points.length - 1][0];
    this.#second = Math.min(end, this.#second + (Math.max(0, now - this.#before) / 1_000) * this.store.state.replay.speed);
    this.#before = now;
    while (this.#sent + 1 < this.points.length && this.points[this.#sent + 1][0] <= this.#second) {
      this.#sent += 1;
      const [, lat, lon] = this.points[this.#sent];
      this.on.onPoint({ lat, lon });
    }
    this.on.onBetween(this.#here());
    this.#tell({ at: this.#second, playing: this.#second < end });
    if (this.#second < end) this.#frame = requestAnimationFrame(this.#step);
  };

  /** @returns {Point} */
  #here() {
    const [second, lat, lon] = this.points[this.#sent];
    const next = this.points[this.#sent + 1];
    if (!next) return { lat, lon };
    const part = (this.#second - second) / (next[0] - second);
    return { lat: lat + (next[1] - lat) * part, lon: lon + (next[2] - lon) * part };
  }

  /** @param {Partial<import("./state.js").State["replay"]>} change */
  #tell(change) {
    this.store.set({ replay: { ...this.store.state.replay, ...change } });
  }
}
