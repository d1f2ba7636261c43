// @ts-check
/** @import { InboxItem } from "./types.js" */
import { Stream } from "./net/stream.js";

const INBOX = "/api/matching/inbox";

/** The citizen's alerts: loaded once, then kept up by the live stream. */
export class Inbox {
  /** @type {Stream | null} */
  #stream = null;

  /**
   * @param {import("./net/api.js").Api} api @param {ReturnType<typeof import("./state.js").newStore>} store
   * @param {{ onAlert: (item: InboxItem, before: InboxItem | undefined) => void, onError: (error: unknown) => void }} on
   */
  constructor(api, store, on) {
    this.api = api;
    this.store = store;
    this.on = on;
  }

  /** The stream opens first: what arrives while the list loads is kept. */
  start() {
    this.#stream?.stop();
    let lost = false;
    this.#stream = new Stream(this.api, "/api/matching/stream", {
      onEvent: (event) => this.#take(event),
      onState: (stream, error) => {
        this.store.set({ stream });
        if (stream === "live" && lost) this.load();
        lost ||= stream === "retrying";
        if (error) this.on.onError(error);
      },
    });
    this.#stream.run();
    return this.load();
  }

  async load() {
    try {
      const { items } = await this.api.get(`${INBOX}?limit=100`);
      const known = new Set(items.map((/** @type {InboxItem} */ item) => item.id));
      const newer = (this.store.state.inbox ?? []).filter((item) => !known.has(item.id));
      this.store.set({ inbox: [...newer, ...items] });
    } catch (error) {
      this.on.onError(error);
    }
  }

  /** @param {InboxItem} item */
  async markRead(item) {
    this.#put({ ...item, read: true });
    await this.api.patch(`${INBOX}/${item.id}`, { read: true }).catch(this.on.onError);
  }

  /** Why it was told. @param {InboxItem} item @returns {Promise<import("./types.js").WhyTold>} */
  why = ({ id }) => this.api.get(`/api/matching/alerts/${id}/why`);

  /** @param {{ type: string, data: string }} event */
  #take({ type, data }) {
    if (type !== "alert") return;
    const item = /** @type {InboxItem} */ (JSON.parse(data));
    const before = this.store.state.inbox?.find(({ id }) => id === item.id);
    this.#put(item);
    this.on.onAlert(item, before);
  }

  /** Changed in its place, or new on top. @param {InboxItem} item */
  #put(item) {
    const inbox = this.store.state.inbox ?? [];
    const known = inbox.some(({ id }) => id === item.id);
    this.store.set({ inbox: known ? inbox.map((old) => (old.id === item.id ? item : old)) : [item, ...inbox] });
  }
}
