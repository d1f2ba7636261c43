// @ts-check
/** @import { Point } from "./types.js" */
import { moved } from "./domain/geo.js";
import { Session } from "./net/session.js";

export const INSTITUTION = "광산 샘플기관";
const HOUR_MS = 3_600_000;

/** Sample jobs, written for this page. */
const SAMPLES = [
  { headline: "[샘플] 경로당 점심 배식 돕기", place: "샘플 경로당", pay: 12_000, interests: ["meal-help"] },
  { headline: "[샘플] 작은도서관 책 정리", place: "샘플 작은도서관", pay: 11_000, interests: ["shelving"] },
  { headline: "[샘플] 주민센터 행사 자리 안내", place: "샘플 주민센터", pay: 12_500, interests: ["event-help"] },
  { headline: "[샘플] 공원 화단 물 주기", place: "샘플 공원", pay: 11_500, interests: ["gardening"] },
];

/** Acts as an officer through the public API, as an institution would. */
export class SampleOfficer {
  #session = new Session(`officer:${INSTITUTION}`);
  #turn = 0;
  /** @type {any} the newest sample, as the service shows it */
  posted = null;

  /** @param {Point} near */
  async post(near) {
    const sample = SAMPLES[this.#turn % SAMPLES.length];
    const angle = this.#turn * 2.4;
    this.#turn += 1;
    const at = moved(near, Math.cos(angle) * 320, Math.sin(angle) * 320);
    const starts = Math.ceil((Date.now() + HOUR_MS) / HOUR_MS) * HOUR_MS;
    const view = await this.#session.api.create("/api/jobs/postings", {
      headline: sample.headline,
      description: "개발용 샘플 공고입니다. 실제 일자리가 아닙니다.",
      place: { name: sample.place, ...at },
      radius_m: 700,
      interests: sample.interests,
      starts_at: new Date(starts).toISOString(),
      ends_at: new Date(starts + 3 * HOUR_MS).toISOString(),
      pay: { amount_krw: sample.pay, per: "hour" },
      not_a_duplicate: true,
    });
    this.posted = view;
    return view;
  }

  async raisePay() {
    const pay = { ...this.posted.pay, amount_krw: this.posted.pay.amount_krw + 1_000 };
    this.posted = await this.#session.api.patch(`/api/jobs/postings/${this.posted.id}`, { pay }, { "If-Match": `"v${this.posted.version}"` });
    return this.posted;
  }

  async close() {
    await this.#session.api.create(`/api/jobs/postings/${this.posted.id}/close`, { reason: "샘플을 마쳤습니다" });
    this.posted = null;
  }
}
