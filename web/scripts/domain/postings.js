// @ts-check
/** @import { Posting, Point, Dong, Kind } from "../types.js" */
import { contains, distanceM } from "./geo.js";

/** @type {readonly Kind[]} */
export const KINDS = ["job", "space", "notice"];
const LISTS = { job: "/api/jobs/postings", space: "/api/spaces/spaces", notice: "/api/notices/notices" };
const PAGE = 200;
const MOST_PAGES = 10;

/**
 * One form for what three services tell, and for the shared contract (`where`) as /nearby gives it.
 * @param {any} view @param {Kind} kind @returns {Posting}
 */
export function postingOf(view, kind) {
  const { place, pay, price } = view;
  // A notice for a channel's followers alone has no place.
  const placed = place ? { circles: [{ lat: place.lat, lon: place.lon, radius_m: view.radius_m }] } : {};
  const where = view.where ?? view.target ?? placed;
  return {
    id: view.id,
    kind,
    version: view.version,
    urgent: Boolean(view.urgent),
    headline: view.headline,
    institution: view.institution,
    text: view.description ?? view.body ?? "",
    circles: where.circles ?? [],
    dongs: where.dongs ?? [],
    starts_at: view.starts_at ?? view.opens_at ?? null,
    ends_at: view.ends_at ?? view.closes_at ?? null,
    expires_at: view.expires_at ?? null,
    statistics: view.statistics ?? [],
    shows: view.shows ?? {
      place: place?.name,
      pay_krw: pay?.amount_krw,
      pay_per: pay?.per,
      price_krw: price?.amount_krw,
      price_per: price?.per,
    },
  };
}

/** Every open posting of one kind, page by page. @param {import("../net/api.js").Api} api @param {Kind} kind @returns {Promise<Posting[]>} */
export async function openPostings(api, kind) {
  /** @type {Posting[]} */
  const found = [];
  let cursor = null;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const query = new URLSearchParams({ limit: String(PAGE), ...(cursor ? { cursor } : {}) });
    const { items, next_cursor } = await api.get(`${LISTS[kind]}?${query}`);
    found.push(...items.map((/** @type {any} */ item) => postingOf(item, kind)));
    cursor = next_cursor;
    if (!cursor) break;
  }
  return found;
}

/** Where it stands on the map: its places, or the 동 it is meant for. @param {Posting} posting @param {Dong[]} dongs @returns {Point[]} */
export function placesOf(posting, dongs) {
  if (posting.circles.length) return posting.circles;
  return dongs.filter((dong) => posting.dongs.includes(dong.code)).map((dong) => dong.label);
}

/**
 * Metres to its nearest place; 0 in a 동 it is meant for.
 * @param {Posting} posting @param {Point} at @param {Dong | null} here the 동 of `at` @param {Dong[]} dongs
 */
export function metresTo(posting, at, here, dongs) {
  if (here && posting.dongs.includes(here.code)) return 0;
  return placesOf(posting, dongs).reduce((least, place) => Math.min(least, distanceM(place, at)), Infinity);
}

/** Its 동 by name: those named, or the one its first place lies in. @param {Posting} posting @param {Dong[]} dongs @returns {string[]} */
export function dongNames(posting, dongs) {
  if (posting.dongs.length) return dongs.filter((dong) => posting.dongs.includes(dong.code)).map((dong) => dong.name);
  return dongs.filter((dong) => posting.circles.slice(0, 1).some((circle) => contains(dong, circle))).map((dong) => dong.name);
}

/** @param {Posting} posting @param {number} now */
export const isOpen = (posting, now) => !posting.expires_at || Date.parse(posting.expires_at) > now;
