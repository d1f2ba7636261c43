// @ts-check
/** @import { InboxItem, Posting, Dong } from "../types.js" */
import { bucketM } from "../domain/geo.js";
import { dongNames, metresTo } from "../domain/postings.js";
import { h, icon } from "./dom.js";
import { factsOf, moment, reason } from "./format.js";
import { t } from "./i18n.js";
import { statisticsOf } from "./statistics.js";
import { whyOf } from "./why.js";

/** @param {string} text @param {string} kind */
const badge = (text, kind) => h("span", { class: `badge badge-${kind}` }, text);

/** What is to be seen before the text is read. @param {InboxItem} item */
function marks({ emergency, urgent, reminder, state, read }) {
  return [
    !read && badge(t("unread"), "unread"),
    emergency && badge(t("emergency"), "emergency"),
    urgent && !emergency && badge(t("urgent"), "urgent"),
    reminder && badge(t("reminder"), "reminder"),
    state === "closed" && badge(t("closed"), "closed"),
    state === "updated" && badge(t("updated"), "updated"),
  ].filter(Boolean);
}

/**
 * One alert of the inbox.
 * @param {InboxItem} item @param {string[]} dongs @param {import("./lists.js").ListActs} acts
 */
export function alertCard(item, dongs, acts) {
  const shown = item.headline;
  return h(
    "li",
    { class: `item kind-${item.kind} state-${item.state}${item.read ? "" : " unread"}`, "data-id": item.id, "data-posting": item.posting_id },
    icon(item.kind, t(item.kind)),
    h(
      "div",
      { class: "item-body" },
      h("p", { class: "marks" }, ...marks(item), h("span", { class: "from", lang: "ko" }, item.institution)),
      h("h3", {}, h("button", { type: "button", class: "link", lang: "ko", "data-key": `a${item.id}`, onclick: () => acts.onPick(item.posting_id) }, shown)),
      h("p", { class: "facts" }, reason(item, dongs)),
      item.closed_because && h("p", { class: "facts", lang: "ko" }, `${t("closed")}: ${item.closed_because}`),
      h(
        "div",
        { class: "item-foot" },
        whyOf(item, acts.onWhy),
        !item.read && h("button", { type: "button", class: "small", "data-key": `r${item.id}`, "aria-label": `${t("mark-read")}: ${shown}`, onclick: () => acts.onRead(item) }, t("mark-read")),
      ),
    ),
  );
}

/**
 * One open posting in a list. `metres` is what the service told; otherwise it is computed from where the citizen stands.
 * @param {Posting} posting
 * @param {{ state: import("../state.js").State, metres?: number | null, onPick: (id: string) => void }} view
 */
export function postingCard(posting, { state, metres, onPick }) {
  const { settled, here, dongs, selected } = state;
  const away = metres === undefined ? metresTo(posting, settled, here, dongs) : metres;
  const bucket = metres === undefined && away ? (Number.isFinite(away) ? bucketM(away) : null) : away;
  return h(
    "li",
    { class: `item kind-${posting.kind}${posting.id === selected ? " selected" : ""}`, "data-posting": posting.id },
    icon(posting.kind, t(posting.kind)),
    h(
      "div",
      { class: "item-body" },
      h("p", { class: "marks" }, posting.urgent && badge(t("urgent"), "urgent"), h("span", { class: "from", lang: "ko" }, posting.institution)),
      h("h3", {}, h("button", { type: "button", class: "link", lang: "ko", "aria-current": posting.id === selected && "true", "data-key": `p${posting.id}`, onclick: () => onPick(posting.id) }, posting.headline)),
      h("p", { class: "facts" }, factsOf(posting, dongNames(posting, dongs), bucket || null)),
    ),
  );
}

/** What a marker stands for, over the map. @param {Posting} posting @param {Dong[]} dongs @param {() => void} onClose */
export function detailCard(posting, dongs, onClose) {
  const { shows, expires_at } = posting;
  return [
    h("button", { type: "button", class: "close", "aria-label": t("close"), onclick: onClose }, "×"),
    h("p", { class: `marks kind-${posting.kind}` }, icon(posting.kind), h("b", {}, t(posting.kind)), h("span", { class: "from", lang: "ko" }, posting.institution)),
    h("h2", { lang: "ko" }, posting.headline),
    h("p", { class: "facts" }, factsOf(posting, dongNames(posting, dongs), null)),
    shows.place && h("p", { class: "facts", lang: "ko" }, shows.place),
    posting.text && h("p", { class: "text", lang: "ko" }, posting.text),
    posting.statistics.length > 0 && statisticsOf(posting.statistics),
    expires_at && h("p", { class: "facts" }, t("until", { time: moment(expires_at) })),
  ].filter(Boolean);
}
