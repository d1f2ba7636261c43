// @ts-check
/** @import { Point, Posting, InboxItem, Dong, Kind } from "./types.js" */
import { KINDS } from "./domain/postings.js";
import { Store } from "./store.js";

/** Where the stored drive begins, in 수완동. */
export const START = { lat: 35.191759, lon: 126.817265 };

/**
 * @typedef {object} State
 * @property {"ko" | "en"} lang
 * @property {Dong[]} dongs
 * @property {Posting[]} postings
 * @property {"loading" | "ready"} listing
 * @property {Kind[]} missing  kinds whose list could not be loaded
 * @property {Kind[]} kinds  shown on map and list
 * @property {string} inDong  code, or "" for every 동
 * @property {"near" | "new"} order
 * @property {Point} at
 * @property {Point} settled  where the citizen stood a moment ago: what lists are drawn from, once a second at most
 * @property {Dong | null} here  the 동 of `settled`
 * @property {"inbox" | "nearby" | "all" | "statistics"} tab
 * @property {"asking" | "signed" | "no-issuer" | "failed"} session
 * @property {boolean} issuer
 * @property {boolean | null} consent  null while it is not known
 * @property {boolean} busy
 * @property {{ id: string, at: string } | null} receipt
 * @property {Kind[]} watched
 * @property {"off" | "connecting" | "live" | "retrying"} stream
 * @property {InboxItem[] | null} inbox
 * @property {{ posting: Posting, distance_m: number | null }[] | null} nearby
 * @property {{ items: import("./types.js").Statistic[] | null, next: string | null, failed: string }} statistics
 * @property {string | null} selected  posting id
 * @property {{ playing: boolean, at: number, end: number, speed: number }} replay
 * @property {number} now  a slow tick, so that what has ended leaves the lists
 */
/** @returns {Store<State>} */
export const newStore = () =>
  new Store(
    /** @type {State} */ ({
      lang: "ko",
      dongs: [],
      postings: [],
      listing: "loading",
      missing: [],
      kinds: [...KINDS],
      inDong: "",
      order: "near",
      at: START,
      settled: START,
      here: null,
      tab: "inbox",
      session: "asking",
      issuer: false,
      consent: null,
      busy: false,
      receipt: null,
      watched: [...KINDS],
      stream: "off",
      inbox: null,
      nearby: null,
      statistics: { items: null, next: null, failed: "" },
      selected: null,
      replay: { playing: false, at: 0, end: 0, speed: 10 },
      now: Date.now(),
    }),
  );
