// @ts-check
/** @import { InboxItem } from "../types.js" */
import { byId, h, icon } from "./dom.js";
import { reason } from "./format.js";
import { t } from "./i18n.js";

const SHOWN_MS = 9_000;
const MOST = 3;

/** A short-lived note; everything it says stays in the inbox. @param {InboxItem} item @param {string[]} dongs @param {() => void} onPick */
export function toast(item, dongs, onPick) {
  const state = item.state === "closed" ? t("toast-closed") : item.state === "updated" ? t("toast-updated") : "";
  const note = h(
    "div",
    { class: `toast kind-${item.kind} state-${item.state}` },
    icon(item.kind, t(item.kind)),
    h(
      "div",
      { class: "item-body" },
      state && h("p", { class: "marks" }, h("b", {}, state)),
      h("p", {}, h("button", { type: "button", class: "link", lang: "ko", onclick: onPick }, item.headline)),
      h("p", { class: "facts" }, reason(item, dongs)),
    ),
    h("button", { type: "button", class: "close", "aria-label": t("close"), onclick: () => note.remove() }, "×"),
  );
  const all = byId("toasts");
  all.append(note);
  while (all.children.length > MOST) all.firstElementChild.remove();
  leaveLater(note);
}

/** It waits for as long as it is pointed at or focused. @param {HTMLElement} note */
function leaveLater(note) {
  let timer = 0;
  const start = () => (timer = setTimeout(() => note.remove(), SHOWN_MS));
  const wait = () => clearTimeout(timer);
  for (const event of ["pointerenter", "focusin"]) note.addEventListener(event, wait);
  for (const event of ["pointerleave", "focusout"]) note.addEventListener(event, start);
  start();
}
