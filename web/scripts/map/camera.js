// @ts-check

const CLOSEST_PX_PER_M = 1.2;
const GLIDE_MS = 260;

/** What part of the flat district is seen, and how large. World units are metres, screen units pixels. */
export class Camera {
  x = 0;
  y = 0;
  scale = 0.03;
  size = { width: 1, height: 1 };
  #least = 0.005;
  #glide = 0;

  /** @param {{ left: number, right: number, top: number, bottom: number }} bounds metres @param {() => void} onChange */
  constructor(bounds, onChange) {
    this.bounds = bounds;
    this.onChange = onChange;
  }

  /** @param {number} width @param {number} height */
  resize(width, height) {
    const whole = Math.abs(this.scale / this.fit() - 1) < 0.01;
    this.size = { width: Math.max(1, width), height: Math.max(1, height) };
    this.#least = this.fit() * 0.8;
    if (whole) this.seeAll(false);
    else this.onChange();
  }

  /** The scale at which the whole district just fits. */
  fit() {
    const { left, right, top, bottom } = this.bounds;
    return Math.min(this.size.width / (right - left), this.size.height / (bottom - top)) * 0.94;
  }

  /** @param {number} x @param {number} y @returns {[number, number]} */
  toScreen(x, y) {
    return [(x - this.x) * this.scale + this.size.width / 2, (y - this.y) * this.scale + this.size.height / 2];
  }

  /** @param {number} px @param {number} py @returns {[number, number]} */
  toWorld(px, py) {
    return [(px - this.size.width / 2) / this.scale + this.x, (py - this.size.height / 2) / this.scale + this.y];
  }

  /** @param {number} dx pixels @param {number} dy pixels */
  pan(dx, dy) {
    this.#place(this.x - dx / this.scale, this.y - dy / this.scale, this.scale);
  }

  /** Larger by `factor`, the point under (px, py) staying where it is. @param {number} factor @param {number} px @param {number} py */
  zoomAt(factor, px, py) {
    const [x, y] = this.toWorld(px, py);
    const scale = this.#within(this.scale * factor);
    this.#place(x - (px - this.size.width / 2) / scale, y - (py - this.size.height / 2) / scale, scale);
  }

  /** @param {number} factor */
  zoom(factor) {
    this.glideTo(this.x, this.y, this.scale * factor);
  }

  seeAll(glide = true) {
    const { left, right, top, bottom } = this.bounds;
    const [x, y] = [(left + right) / 2, (top + bottom) / 2];
    if (glide) this.glideTo(x, y, this.fit());
    else this.#place(x, y, this.fit());
  }

  /** Show a place, at least this large. @param {number} x @param {number} y @param {number} [scale] */
  show(x, y, scale = 0.11) {
    this.glideTo(x, y, Math.max(this.scale, scale));
  }

  /** Keep a moving point in the middle part of the view. @param {number} x @param {number} y */
  follow(x, y) {
    const [px, py] = this.toScreen(x, y);
    const { width, height } = this.size;
    if (px > width * 0.15 && px < width * 0.85 && py > height * 0.18 && py < height * 0.82) return;
    this.glideTo(x, y, this.scale);
  }

  /** @param {number} x @param {number} y @param {number} scale */
  glideTo(x, y, scale) {
    cancelAnimationFrame(this.#glide);
    const goal = this.#within(scale);
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return this.#place(x, y, goal);
    const from = { x: this.x, y: this.y, scale: this.scale };
    const began = performance.now();
    const step = (/** @type {number} */ now) => {
      const part = Math.min(1, (now - began) / GLIDE_MS);
      const eased = 1 - (1 - part) ** 3;
      this.#set(from.x + (x - from.x) * eased, from.y + (y - from.y) * eased, from.scale * (goal / from.scale) ** eased);
      if (part < 1) this.#glide = requestAnimationFrame(step);
    };
    this.#glide = requestAnimationFrame(step);
    return undefined;
  }

  /** @param {number} scale */
  #within(scale) {
    return Math.min(CLOSEST_PX_PER_M, Math.max(this.#least, scale));
  }

  /** @param {number} x @param {number} y @param {number} scale */
  #place(x, y, scale) {
    cancelAnimationFrame(this.#glide);
    this.#set(x, y, scale);
  }

  /** @param {number} x @param {number} y @param {number} scale */
  #set(x, y, scale) {
    const { left, right, top, bottom } = this.bounds;
    this.x = Math.min(right, Math.max(left, x));
    this.y = Math.min(bottom, Math.max(top, y));
    this.scale = scale;
    this.onChange();
  }
}
