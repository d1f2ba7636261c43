// @ts-check
import { ApiError } from "../net/api.js";
import { INSTITUTION } from "../officer.js";
import { told } from "./banner.js";
import { byId, h } from "./dom.js";
import { won } from "./format.js";
import { t } from "./i18n.js";

/**
 * The development panel: post near the citizen, raise the pay, close; and how long the alert took to arrive.
 * @param {import("./lists.js").AppStore} store @param {import("../officer.js").SampleOfficer} officer
 * @param {() => void} onChanged
 */
export function officerPanel(store, officer, onChanged) {
  let postedAt = 0;
  const line = { said: "", arrived: "" };
  const says = h("p", { class: "note", role: "status", id: "officer-says" });
  const acts = /** @type {const} */ ({
    post: async () => {
      postedAt = performance.now();
      line.arrived = "";
      const view = await officer.post(store.state.at);
      const need = store.state.consent ? "" : ` ${t("officer-need")}`;
      return t("officer-posted", { headline: view.headline }) + need;
    },
    raise: async () => t("officer-raised", { won: won((await officer.raisePay()).pay.amount_krw) }),
    close: async () => officer.close().then(() => t("officer-closed")),
  });
  const button = (/** @type {"post" | "raise" | "close"} */ name) =>
    h("button", { type: "button", id: `officer-${name}`, class: name === "post" ? "primary" : "", onclick: () => run(name) }, t(`officer-${name}`));

  /** @param {"post" | "raise" | "close"} name */
  async function run(name) {
    line.said = await acts[name]().catch((error) => (error instanceof ApiError ? told(error) : Promise.reject(error)));
    if (name !== "post") line.arrived = "";
    speak();
    enable();
    onChanged();
  }

  function speak() {
    says.textContent = `${line.said} ${line.arrived}`.trim();
  }

  function enable() {
    for (const name of ["raise", "close"]) byId(`officer-${name}`).disabled = !officer.posted;
  }

  function draw() {
    byId("officer").replaceChildren(
      h("summary", {}, t("officer")),
      h("p", { class: "note" }, t("officer-note")),
      h("div", { class: "row" }, button("post"), button("raise"), button("close")),
      says,
    );
    byId("officer").hidden = false;
    enable();
  }

  /** An alert may overtake the answer to the POST that caused it. @param {import("../types.js").InboxItem} item */
  function arrived(item) {
    if (!postedAt || item.institution !== INSTITUTION) return;
    line.arrived = t("officer-arrived", { s: ((performance.now() - postedAt) / 1_000).toFixed(2) });
    postedAt = 0;
    speak();
  }
  return { draw, arrived };
}
