// @ts-check
/** @import { Shows, Posting, InboxItem } from "../types.js" */
import { lang, t } from "./i18n.js";

const ZONE = "Asia/Seoul";
const DAY_MS = 86_400_000;

/** @param {Intl.DateTimeFormatOptions} options @param {Date} date */
const inSeoul = (options, date) =>
  new Intl.DateTimeFormat(lang() === "ko" ? "ko-KR" : "en-GB", { timeZone: ZONE, ...options }).format(date);

/** @param {Date} date */
const dayKey = (date) => new Intl.DateTimeFormat("en-CA", { timeZone: ZONE }).format(date);

/** @param {Date} date @param {Date} now */
function dayOf(date, now) {
  if (dayKey(date) === dayKey(now)) return "";
  if (dayKey(date) === dayKey(new Date(now.getTime() + DAY_MS))) return t("tomorrow");
  return inSeoul({ month: "numeric", day: "numeric", weekday: "short" }, date);
}

/** 14 or 14:30. @param {Date} date @param {boolean} short */
function hourOf(date, short) {
  const [hours, minutes] = new Intl.DateTimeFormat("en-GB", { timeZone: ZONE, hour: "2-digit", minute: "2-digit" })
    .format(date)
    .split(":");
  return short ? String(Number(hours)) : `${hours}:${minutes}`;
}

/**
 * "14–17시", "내일 09:30–12:00", "11/25(화) 22시 – 11/26(수) 2시", in Asia/Seoul; "" without a start.
 * @param {string | null} starts @param {string | null} ends @param {Date} [now]
 */
export function span(starts, ends, now = new Date()) {
  if (!starts) return "";
  const [from, to] = [new Date(starts), ends ? new Date(ends) : null];
  const whole = [from, to].every((date) => !date || date.getTime() % 3_600_000 === 0) && lang() === "ko";
  const unit = whole ? "시" : "";
  const [day, fromHour] = [dayOf(from, now), hourOf(from, whole)];
  const head = day ? `${day} ` : "";
  if (!to) return `${head}${fromHour}${unit}`;
  if (dayKey(from) === dayKey(to)) return `${head}${fromHour}–${hourOf(to, whole)}${unit}`;
  const endDay = dayOf(to, now) || t("today");
  return `${head || `${t("today")} `}${fromHour}${unit} – ${endDay} ${hourOf(to, whole)}${unit}`;
}

/** The day in Asia/Seoul. @param {string | number | Date} at */
export const day = (at) => dayKey(new Date(at));

/** "2026년 3월", "Mar 2026", of 2026, 2026-H1, 2026-Q1, 2026-03 or 2026-03-05. @param {string} at */
export function period(at) {
  const [year, part, date] = at.split("-");
  const korean = lang() === "ko";
  if (!part) return korean ? `${year}년` : year;
  if (/^[HQ]/.test(part)) {
    const named = part[0] === "Q" ? `${part[1]}분기` : part[1] === "1" ? "상반기" : "하반기";
    return korean ? `${year}년 ${named}` : `${part} ${year}`;
  }
  const first = new Date(Date.UTC(Number(year), Number(part) - 1, Number(date ?? 1)));
  return inSeoul({ year: "numeric", month: korean ? "long" : "short", ...(date ? { day: "numeric" } : {}) }, first);
}

/** The moment in full, in Asia/Seoul. @param {string | number | Date} at */
export const moment = (at) => inSeoul({ dateStyle: "medium", timeStyle: "medium" }, new Date(at));

/** @param {number} n */
export const won = (n) => t("won", { n: n.toLocaleString(lang() === "ko" ? "ko-KR" : "en-GB") });

/** "시급 12,000원", "한 달 30,000원", "무료", or "". @param {Shows} shows */
export function money(shows) {
  if (typeof shows.pay_krw === "number") return worded(shows.pay_krw, `per-${shows.pay_per ?? "hour"}`);
  if (shows.price_krw === 0) return t("free");
  if (typeof shows.price_krw === "number") return worded(shows.price_krw, `price-${shows.price_per ?? "use"}`);
  return "";
}

/** @param {number} amount @param {string} per */
function worded(amount, per) {
  const unit = t(/** @type {any} */ (per));
  return lang() === "ko" ? `${unit} ${won(amount)}` : `${won(amount)} ${unit}`;
}

/** @param {number | null | undefined} metres a bucket */
export const distance = (metres) =>
  typeof metres === "number" ? t("straight-line", { m: metres.toLocaleString("en-US") }) : "";

/** Joined so that a line breaks between facts, not inside one. @param {(string | null | false)[]} parts */
const joined = (parts) => parts.filter(Boolean).map((part) => String(part).replaceAll(" ", "\u00a0").replaceAll("–", "\u2060–\u2060")).join(" · ");

/** @param {string[]} dongs */
const areas = (dongs) => (dongs.length > 2 ? `${dongs.slice(0, 2).join(", ")} +${dongs.length - 2}` : dongs.join(", "));

/** "수완동 · 약 400m(직선거리) · 14–17시 · 시급 12,000원" @param {InboxItem} item @param {string[]} dongs the 동 it is meant for, where it has no place */
export function reason(item, dongs) {
  return joined([item.dong ?? areas(dongs), distance(item.distance_m), span(item.starts_at, item.ends_at), money(item.shows)]);
}

/** The same line for a posting seen from where the citizen stands. @param {Posting} posting @param {string[]} dongs @param {number | null} metres */
export function factsOf(posting, dongs, metres) {
  return joined([areas(dongs), distance(metres), span(posting.starts_at, posting.ends_at), money(posting.shows)]);
}

/** 7:05 @param {number} seconds */
export const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
