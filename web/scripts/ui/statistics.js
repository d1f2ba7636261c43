// @ts-check
/** @import { Statistic, StatisticCell, StatisticLine } from "../types.js" */
import { Api, ApiError } from "../net/api.js";
import { told } from "./banner.js";
import { byId, h, replace } from "./dom.js";
import { day, period } from "./format.js";
import { lang, t } from "./i18n.js";

/** @typedef {import("./lists.js").AppStore} AppStore */

const PATH = "/api/notices/statistics";
const PAGE = 20;
const api = new Api();
let loading = false;

/** The next page of cards, or the first again. @param {AppStore} store @param {{ anew?: boolean }} [how] */
export async function loadStatistics(store, { anew = false } = {}) {
  if (loading) return;
  loading = true;
  const { statistics } = store.state;
  const cursor = anew ? null : statistics.next;
  const query = new URLSearchParams({ limit: String(PAGE), ...(cursor ? { cursor } : {}) });
  try {
    const { items, next_cursor } = await api.get(`${PATH}?${query}`);
    const before = anew ? [] : (statistics.items ?? []);
    store.set({ statistics: { items: [...before, ...items], next: next_cursor, failed: "" } });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    store.set({ statistics: { ...statistics, failed: told(error) } });
  } finally {
    loading = false;
  }
}

/** @param {AppStore} store */
export function drawStatistics(store) {
  const { statistics, tab } = store.state;
  if (tab !== "statistics") return;
  const again = (/** @type {boolean} */ anew) => () => loadStatistics(store, { anew });
  if (!statistics.items && !statistics.failed) again(true)();
  const content = () => {
    const { items, next, failed } = statistics;
    const retry = h("button", { type: "button", class: "small", "data-key": "retry", onclick: again(!items) }, t("retry"));
    return [
      failed && h("p", { class: "failed", role: "alert" }, failed, " ", retry),
      !items && !failed && h("p", { class: "empty", role: "status" }, t("loading")),
      items && !items.length && h("p", { class: "empty" }, t("statistics-empty")),
      items?.length && h("ul", { class: "items" }, ...items.map((one) => statisticCard(one))),
      next && h("button", { type: "button", class: "more", "data-key": "more", onclick: again(false) }, t("statistics-more")),
    ].filter(Boolean);
  };
  replace(byId("statistics"), .../** @type {Node[]} */ (content()));
}

/** The cards that a notice shows, each as it comes; one that was withdrawn is left out. @param {string[]} ids */
export function statisticsOf(ids) {
  const list = h("ul", { class: "items", "aria-label": t("statistics") });
  for (const id of ids) {
    const place = h("li", { class: "empty", role: "status" }, t("loading"));
    list.append(place);
    api.get(`${PATH}/${id}`).then(
      (card) => place.replaceWith(statisticCard(card)),
      () => place.remove(),
    );
  }
  return list;
}

/** @param {string} text @param {string} kind */
const badge = (text, kind) => h("span", { class: `badge badge-${kind}` }, text);

/** @param {StatisticCell | null | undefined} cell @param {string} [unit] */
function said(cell, unit = "") {
  if (!cell) return "–";
  if (cell.hidden || cell.value === null) return t("statistic-hidden");
  const figure = cell.value.toLocaleString("en-US", { maximumFractionDigits: 8 }) + (unit && ` ${unit}`);
  return cell.provisional ? `${figure} (${t("statistic-provisional")})` : figure;
}

/** The newest figure, large, and of when. @param {Statistic} card */
function figureOf(card) {
  if (!card.period || !card.value) return "";
  const at = h("span", { class: "facts" }, ` ${period(card.period)}`);
  return h("span", {}, card.value.hidden ? t("statistic-hidden") : h("b", {}, said({ ...card.value, provisional: false })), card.value.hidden ? "" : ` ${card.unit}`, at);
}

/** One card: what it says in words, its picture, and on demand its table and what was corrected. @param {Statistic} card */
export function statisticCard(card) {
  const newest = card.period ? `${period(card.period)} ${said(card.value, card.unit)}` : "";
  const picture = `${PATH}/${card.id}/chart.svg?look=plain&lang=${lang()}&v=${card.version}`;
  return h(
    "li",
    { class: "item statistic", "data-statistic": card.id },
    h(
      "div",
      { class: "item-body" },
      h("p", { class: "marks" }, card.edited_at && badge(t("updated"), "updated"), card.value?.provisional && badge(t("statistic-provisional"), "sample"), h("span", { class: "from", lang: "ko" }, card.channel)),
      h("h3", { lang: "ko" }, card.title),
      h("p", { class: "figure" }, figureOf(card)),
      h("img", { class: "chart", src: picture, loading: "lazy", width: 400, height: 260, alt: t("statistic-alt", { title: card.title, newest }) }),
      h("p", { class: "facts" }, t("statistic-source", { source: card.source, day: card.as_of }), card.edited_at && ` · ${t("statistic-edited", { day: day(card.edited_at) })}`),
      card.note && h("p", { class: "note", lang: "ko" }, card.note),
      onDemand(`t${card.id}`, t("statistic-table"), () => tableOf(card)),
      onDemand(`h${card.id}`, t("statistic-revisions"), () => revisionsOf(card)),
    ),
  );
}

/** A part that is asked for when it is first opened. @param {string} key @param {string} name @param {() => Promise<Node>} make */
function onDemand(key, name, make) {
  const place = h("div", { "aria-live": "polite" });
  const part = h("details", { class: "why", "data-key": key }, h("summary", {}, name), place);
  part.addEventListener("toggle", async () => {
    if (!part.open || place.hasChildNodes()) return;
    place.append(t("loading"));
    place.replaceChildren(await make().catch((error) => (error instanceof ApiError ? told(error) : Promise.reject(error))));
  });
  return part;
}

/** @param {Statistic} card */
async function tableOf(card) {
  const { table, sums, groups, least } = await api.get(`${PATH}/${card.id}`);
  const row = (/** @type {StatisticLine} */ line, /** @type {string} */ name) =>
    h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, said(line.total)), ...groups.map((/** @type {string} */ group) => h("td", {}, said(line.groups[group]))));
  const heads = [t("statistic-period"), `${t("statistic-total")} (${card.unit})`, ...groups];
  const whole = h(
    "table",
    {},
    h("caption", {}, `${card.title} (${card.unit})`),
    h("thead", {}, h("tr", {}, ...heads.map((head) => h("th", { scope: "col" }, head)))),
    h("tbody", {}, ...table.map((/** @type {StatisticLine} */ line) => row(line, period(line.period)))),
    sums.length > 0 && h("tfoot", {}, ...sums.map((/** @type {StatisticLine} */ line) => row(line, t("statistic-sum", { year: period(line.period) })))),
  );
  const hides = [...table].some((line) => line.total?.hidden || Object.values(line.groups).some((cell) => /** @type {any} */ (cell).hidden));
  return h(
    "div",
    {},
    h("div", { class: "table", tabindex: 0, role: "region", "aria-label": t("statistic-table-of", { title: card.title }) }, whole),
    hides && h("p", { class: "note" }, t("statistic-hides", { least })),
    h("a", { href: `${PATH}/${card.id}/table.csv`, download: "" }, t("statistic-csv")),
  );
}

/** @param {Statistic} card */
async function revisionsOf(card) {
  const revisions = await api.get(`${PATH}/${card.id}/revisions`);
  return h("ol", { class: "revisions", reversed: true }, ...revisions.map(revision));
}

/** @param {any} one */
function revision(one) {
  const kind = t(/** @type {any} */ (`statistic-kind-${one.kind}`));
  const change = (/** @type {any} */ { period: at, group, before, after }) =>
    h("li", {}, `${period(at)} ${group || t("statistic-total")}: `, h("del", {}, said(before)), " → ", h("ins", {}, said(after)));
  return h(
    "li",
    { value: one.version },
    h("b", {}, `${day(one.at)} ${kind}`),
    one.reason && h("span", { lang: "ko" }, ` · ${one.reason}`),
    one.kind !== "first" && one.changes.length > 0 && h("ul", {}, ...one.changes.slice(0, 20).map(change)),
  );
}
