// @ts-check

const BEHIND_MS = 240_000;
const FASTEST_M_PER_S = 50;

/**
 * The sample citizen's own clock.
 *
 * Matching refuses movement faster than 70 m/s (M1), rightly: but a visitor drags the sample citizen across the district
 * in a second, and replays a drive at ×30. So this clock runs some minutes behind the real one and each move spends
 * as much of that as it would have taken; standing still earns it back. It never runs ahead of the real time.
 */
export class SimClock {
  /** @param {() => number} now */
  constructor(now = Date.now) {
    this.now = now;
    this.last = now() - BEHIND_MS;
  }

  /** The time of a fix `metres` from the one before; null if even this clock has not enough time. @param {number} metres */
  after(metres) {
    const wanted = this.last + Math.max(1_000, (metres / FASTEST_M_PER_S) * 1_000);
    const time = Math.max(wanted, this.now() - BEHIND_MS);
    if (time > this.now()) return null;
    this.last = time;
    return new Date(time);
  }

  reset() {
    this.last = this.now() - BEHIND_MS;
  }
}
