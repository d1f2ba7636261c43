// @ts-check
/**
 * Shapes shared by the modules; this file runs nothing.
 *
 * @typedef {"job" | "space" | "notice"} Kind
 * @typedef {{ lat: number, lon: number }} Point
 * @typedef {{ lat: number, lon: number, radius_m: number }} Circle
 * @typedef {{ place?: string | null, pay_krw?: number | null, pay_per?: string | null,
 *             price_krw?: number | null, price_per?: string | null }} Shows
 *
 * @typedef {object} Posting  whatever is open, in one form
 * @property {string} id
 * @property {Kind} kind
 * @property {number} version
 * @property {boolean} urgent
 * @property {string} headline
 * @property {string} institution
 * @property {string} text
 * @property {Circle[]} circles
 * @property {string[]} dongs
 * @property {string | null} starts_at
 * @property {string | null} ends_at
 * @property {string | null} expires_at
 * @property {Shows} shows
 * @property {string[]} statistics  ids of the cards that a notice shows
 *
 * @typedef {{ value: number | null, hidden: boolean, provisional: boolean }} StatisticCell
 * @typedef {{ period: string, total: StatisticCell | null, groups: Record<string, StatisticCell> }} StatisticLine
 *
 * @typedef {object} Statistic
 * @property {string} id
 * @property {string} channel
 * @property {number} version
 * @property {string} title
 * @property {string} unit
 * @property {string} source
 * @property {string} note
 * @property {string} as_of
 * @property {string | null} period
 * @property {StatisticCell | null} value
 * @property {string | null} edited_at
 *
 * @typedef {object} InboxItem
 * @property {string} id
 * @property {string} posting_id
 * @property {number} posting_version
 * @property {string | null} closed_because
 * @property {Kind} kind
 * @property {string} headline
 * @property {string} institution
 * @property {number | null} distance_m
 * @property {string | null} dong
 * @property {string | null} starts_at
 * @property {string | null} ends_at
 * @property {Shows} shows
 * @property {string} link
 * @property {boolean} urgent
 * @property {boolean} emergency
 * @property {boolean} reminder  told again before its deadline
 * @property {"open" | "closed" | "updated"} state
 * @property {boolean} read
 *
 * @typedef {{ ko: string[], en: string[] }} WhyTold  sentences
 *
 * @typedef {object} Dong
 * @property {string} code
 * @property {string} name
 * @property {number[][][]} rings  [lon, lat] pairs; even-odd
 * @property {Point} label  where the name stands
 * @property {number} area  square degrees, to rank labels
 */
export {};
