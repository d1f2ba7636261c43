// @ts-check
/** @import { Posting, InboxItem } from "../types.js" */
import { bucketM, contains } from "../domain/geo.js";
import { KINDS, dongNames, isOpen, metresTo, placesOf } from "../domain/postings.js";
import { alertCard, postingCard } from "./cards.js";
import { byId, h, icon, replace } from "./dom.js";
import { t } from "./i18n.js";

/** @typedef {ReturnType<typeof import("../state.js").newStore>} AppStore */
/** @typedef {{ onPick: (postingId: string) => void, onRead: (item: InboxItem) => void, onWhy: (item: InboxItem) => Promise<import("../types.js").WhyTold>, onReload: () => void }} ListActs */

const PAGE = 60;

/** What map and list both show: open, of the chosen kinds, in the chosen 동. @param {import("../state.js").State} state @returns {Posting[]} */
export function shownPostings({ postings, kinds, inDong, dongs, now }) {
  const dong = dongs.find(({ code }) => code === inDong);
  return postings.filter(
    (posting) =>
      kinds.includes(posting.kind) &&
      isOpen(posting, now) &&
      (!dong || posting.dongs.includes(dong.code) || placesOf(posting, dongs).some((place) => contains(dong, place))),
  );
}

const empty = (/** @type {string} */ text) => h("p", { class: "empty" }, text);
const loading = () => h("p", { class: "empty", role: "status" }, h("span", { class: "spinner", "aria-hidden": "true" }), t("loading"));

/** @param {string} id @param {number | null} n */
function count(id, n) {
  byId(`count-${id}`).textContent = n === null ? "" : String(n);
}

/** The 동 an alert's posting is meant for, if it has no place. @param {import("../state.js").State} state @param {InboxItem} item */
export function areasOf({ postings, dongs }, item) {
  const posting = item.dong ? undefined : postings.find(({ id }) => id === item.posting_id);
  return posting ? dongNames(posting, dongs) : [];
}

/** @param {AppStore} store @param {ListActs} acts */
export function drawInbox(store, acts) {
  const { inbox, session, tab } = store.state;
  count("inbox", inbox && inbox.filter((item) => !item.read).length);
  if (tab !== "inbox") return;
  const content = () => {
    if (!inbox) return session === "signed" ? loading() : empty(t("inbox-anonymous"));
    if (!inbox.length) return empty(t("inbox-empty"));
    return h("ul", { class: "items" }, ...inbox.slice(0, PAGE * 2).map((item) => alertCard(item, areasOf(store.state, item), acts)));
  };
  replace(byId("inbox"), content());
}

/** @param {AppStore} store @param {ListActs} acts */
export function drawNearby(store, acts) {
  const { nearby, session, now, tab } = store.state;
  const open = nearby && nearby.filter(({ posting }) => isOpen(posting, now));
  count("nearby", open && open.length);
  if (tab !== "nearby") return;
  const content = () => {
    if (!open) return [session === "signed" ? loading() : empty(t("nearby-anonymous"))];
    if (!open.length) return [empty(t("nearby-empty"))];
    const cards = open.map(({ posting, distance_m }) => postingCard(posting, { state: store.state, metres: distance_m, onPick: acts.onPick }));
    return [h("p", { class: "about" }, t("nearby-about")), h("ul", { class: "items" }, ...cards)];
  };
  replace(byId("nearby"), ...content());
}

let most = PAGE;

/** @param {AppStore} store @param {ListActs} acts */
export function drawAll(store, acts) {
  const { listing, missing, order, tab } = store.state;
  const postings = shownPostings(store.state);
  count("all", listing === "loading" ? null : postings.length);
  if (tab !== "all") return;
  const content = () => {
    if (listing === "loading") return [loading()];
    const sorted = order === "near" ? nearestFirst(postings, store.state) : postings;
    const cards = sorted.slice(0, most).map((posting) => postingCard(posting, { state: store.state, onPick: acts.onPick }));
    const more = () => {
      most += PAGE;
      drawAll(store, acts);
    };
    return [
      missing.length ? failed(missing, acts) : "",
      filters(store),
      sorted.length ? h("ul", { class: "items" }, ...cards) : empty(t("all-empty")),
      sorted.length > most ? h("button", { type: "button", class: "more", "data-key": "more", onclick: more }, t("more", { n: sorted.length - most })) : "",
    ];
  };
  replace(byId("all"), ...content());
}

/** @param {import("../types.js").Kind[]} missing @param {ListActs} acts */
function failed(missing, acts) {
  return h(
    "p",
    { class: "failed", role: "alert" },
    t("error-lists", { kinds: missing.map((kind) => t(kind)).join(", ") }),
    " ",
    h("button", { type: "button", class: "small", "data-key": "reload", onclick: acts.onReload }, t("retry")),
  );
}

/** By the 100 m step, so that a small move does not shuffle the list. @param {Posting[]} postings @param {import("../state.js").State} state */
function nearestFirst(postings, { settled, here, dongs }) {
  const metres = new Map(postings.map((posting) => [posting.id, bucketM(metresTo(posting, settled, here, dongs))]));
  return [...postings].sort((a, b) => (metres.get(a.id) ?? 0) - (metres.get(b.id) ?? 0));
}

/** @param {AppStore} store */
function filters(store) {
  const { kinds, inDong, dongs, order } = store.state;
  const toggle = (/** @type {import("../types.js").Kind} */ kind) =>
    store.set({ kinds: kinds.includes(kind) ? kinds.filter((k) => k !== kind) : [...kinds, kind] });
  const names = [...dongs].sort((a, b) => a.name.localeCompare(b.name, "ko"));
  return h(
    "div",
    { class: "filters" },
    h("fieldset", { class: "chips" }, h("legend", { class: "hidden" }, t("filter-kinds")), ...KINDS.map((kind) => chip(kind, kinds.includes(kind), () => toggle(kind), "f"))),
    h(
      "select",
      { "aria-label": t("filter-dong"), "data-key": "dong", value: inDong, onchange: (/** @type {any} */ e) => store.set({ inDong: e.target.value }) },
      h("option", { value: "" }, t("every-dong")),
      ...names.map(({ code, name }) => h("option", { value: code }, name)),
    ),
    h(
      "select",
      { "aria-label": t("sort"), "data-key": "order", value: order, onchange: (/** @type {any} */ e) => store.set({ order: e.target.value }) },
      h("option", { value: "near" }, t("sort-near")),
      h("option", { value: "new" }, t("sort-new")),
    ),
  );
}

/** @param {import("../types.js").Kind} kind @param {boolean} on @param {() => void} onchange @param {string} where */
export function chip(kind, on, onchange, where) {
  const box = h("input", { type: "checkbox", "data-key": `${where}${kind}`, onchange });
  box.checked = on;
  return h("label", { class: `chip kind-${kind}` }, box, icon(kind), h("span", {}, t(kind)));
}
