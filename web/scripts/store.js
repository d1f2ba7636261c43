// @ts-check

/**
 * The page's state in one place; parts draw themselves when a key they named has changed, at most once a frame.
 * @template {Record<string, any>} T
 */
export class Store {
  #dirty = new Set();
  /** @type {{ keys: Set<string>, draw: () => void }[]} */
  #parts = [];

  /** @param {T} initial */
  constructor(initial) {
    this.state = initial;
  }

  /** @param {Partial<T>} change */
  set(change) {
    Object.assign(this.state, change);
    if (!this.#dirty.size) requestAnimationFrame(() => this.#flush());
    Object.keys(change).forEach((key) => this.#dirty.add(key));
  }

  /** Draw now and whenever one of these keys is set. @param {(keyof T & string)[]} keys @param {() => void} draw */
  watch(keys, draw) {
    this.#parts.push({ keys: new Set(keys), draw });
    draw();
  }

  #flush() {
    const changed = [...this.#dirty];
    this.#dirty.clear();
    this.#parts.filter(({ keys }) => changed.some((key) => keys.has(key))).forEach(({ draw }) => draw());
  }
}
