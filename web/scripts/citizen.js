// @ts-check
/** @import { Point } from "./types.js" */
import { distanceM } from "./domain/geo.js";
import { SimClock } from "./domain/simclock.js";
import { ApiError } from "./net/api.js";

const ACCURACY_M = 15;
const HEARTBEAT_MS = 60_000;
const SETTLE_MS = 2_000;
const CONSENT = "/api/matching/consents/location";
const WATCH = "/api/matching/watch";

/** The sample citizen: consent, and position as far as consent allows. */
export class Citizen {
  /** @type {{ at: Point, keep: boolean }[]} */
  #waiting = [];
  #sending = false;
  /** @type {Point | null} */
  #last = null;
  #clock = new SimClock();
  /** @type {Record<string, unknown>} */
  #settings = {};

  /** @param {import("./net/api.js").Api} api @param {ReturnType<typeof import("./state.js").newStore>} store @param {(error: unknown) => void} onError */
  constructor(api, store, onError) {
    this.api = api;
    this.store = store;
    this.onError = onError;
    setInterval(() => this.#last && !this.#waiting.length && this.#enqueue(this.store.state.at, false), HEARTBEAT_MS);
  }

  /** Stand there. `keep` sends this very point even if more follow at once, as in a replay. @param {Point} at @param {boolean} [keep] */
  moveTo(at, keep = false) {
    this.store.set({ at });
    if (this.store.state.consent) this.#enqueue(at, keep);
  }

  /** Whether consent was given before. Another page may have moved this citizen since, so it then begins anew. */
  async resume() {
    const consents = await this.api.get("/api/matching/consents");
    const given = consents.some((/** @type {any} */ consent) => consent.purpose === "location" && consent.in_force);
    if (given) await this.#beginAnew();
    await this.#readWatch();
    this.store.set({ consent: given });
  }

  async grant() {
    await this.api.create(CONSENT, {});
    this.#begin();
    this.store.set({ consent: true, receipt: null });
    this.#enqueue(this.store.state.at, false);
  }

  async withdraw() {
    this.#waiting = [];
    this.#last = null;
    const { receipt_id, withdrawn_at } = await this.api.delete(CONSENT);
    this.store.set({ consent: false, receipt: { id: receipt_id, at: withdrawn_at } });
  }

  async #readWatch() {
    // What is followed is chosen at notices, and not sent back.
    const { version, located, follows, changed_at, ...settings } = await this.api.get(WATCH);
    this.#settings = settings;
    this.store.set({ watched: settings.kinds });
  }

  /** Only the kinds change; the citizen's other settings stay as they are. @param {import("./types.js").Kind[]} kinds */
  async setWatch(kinds) {
    await this.api.put(WATCH, { ...this.#settings, kinds });
    this.#settings = { ...this.#settings, kinds };
    this.store.set({ watched: kinds });
  }

  /** The consent travels to matching by another way than the fix, and may come after it: so the first fix is told twice. */
  #begin() {
    this.#clock.reset();
    this.#last = null;
    setTimeout(() => this.store.state.consent && this.#enqueue(this.store.state.at, false), SETTLE_MS);
  }

  /** A new consent epoch: matching forgets where this citizen stood, so that the next fix cannot be too fast for it. */
  async #beginAnew() {
    await this.api.delete(CONSENT);
    await this.api.create(CONSENT, {});
    this.#begin();
  }

  /** @param {Point} at @param {boolean} keep */
  #enqueue(at, keep) {
    if (this.#waiting.at(-1)?.keep === false) this.#waiting.pop();
    this.#waiting.push({ at, keep });
    if (!this.#sending) this.#send();
  }

  /** One request at a time; what gathers meanwhile goes together. */
  async #send() {
    this.#sending = true;
    while (this.#waiting.length) {
      try {
        await this.#sendBatch(this.#waiting.splice(0));
      } catch (error) {
        if (!(error instanceof ApiError) || error.status !== 429) this.#waiting = [];
        this.onError(error);
        await new Promise((resolve) => setTimeout(resolve, (error instanceof ApiError && error.retryAfterS ? error.retryAfterS : 1) * 1_000));
      }
    }
    this.#sending = false;
  }

  /** @param {{ at: Point }[]} batch */
  async #sendBatch(batch) {
    const fixes = [];
    for (const { at } of batch) {
      const metres = this.#last ? distanceM(this.#last, at) : 0;
      let observed = this.#clock.after(metres);
      if (!observed) {
        await this.#beginAnew();
        fixes.length = 0;
        observed = /** @type {Date} */ (this.#clock.after(0));
      }
      fixes.push({ lat: at.lat, lon: at.lon, accuracy_m: ACCURACY_M, observed_at: observed.toISOString() });
      this.#last = at;
    }
    await this.api.post("/api/matching/positions", { fixes });
  }
}
