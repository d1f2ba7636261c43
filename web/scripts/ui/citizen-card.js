// @ts-check
import { SPEEDS } from "../replay.js";
import { KINDS } from "../domain/postings.js";
import { byId, h, icon, replace } from "./dom.js";
import { clock, moment } from "./format.js";
import { t } from "./i18n.js";
import { chip } from "./lists.js";

/**
 * @typedef {object} CitizenActs
 * @property {() => void} onConsent
 * @property {() => void} onWithdraw
 * @property {(token: string) => void} onToken
 * @property {() => void} onRetry
 * @property {(code: string) => void} onGoTo
 * @property {(eastM: number, northM: number) => void} onStep
 * @property {() => void} onReplay
 * @property {(speed: number) => void} onSpeed
 * @property {(kinds: import("../types.js").Kind[]) => void} onWatch
 */

/** @param {import("./lists.js").AppStore} store @param {CitizenActs} acts */
export function drawCitizen(store, acts) {
  const { session, consent, receipt } = store.state;
  const signedIn = session === "signed" && consent !== null;
  replace(
    byId("citizen"),
    head(store, acts),
    !signedIn ? signInPart(store, acts) : consent ? "" : consentPart(store, acts),
    receipt ? receiptPart(receipt) : "",
    movePart(store, acts),
    signedIn && consent ? watchPart(store, acts) : "",
  );
  drawReplay(store);
}

/** @param {import("./lists.js").AppStore} store @param {CitizenActs} acts */
function head({ state }, acts) {
  const on = state.consent ? "on" : "off";
  return h(
    "div",
    { class: "citizen-head" },
    h("h2", { id: "citizen-name" }, t("citizen"), " ", h("span", { class: "badge badge-sample", title: t("sample-why") }, t("sample"))),
    state.session === "signed" && state.consent !== null && h("span", { class: `badge badge-${on}` }, t(`consent-${on}`)),
    state.consent && h("button", { type: "button", class: "withdraw", id: "withdraw", "data-key": "consent", disabled: state.busy, onclick: acts.onWithdraw }, t(state.busy ? "consent-working" : "consent-withdraw")),
    h("p", { class: "facts" }, `${t("here")}: `, h("b", { id: "here", lang: "ko" }, state.here?.name ?? t("outside"))),
  );
}

/** @param {import("./lists.js").AppStore} store @param {CitizenActs} acts */
function signInPart({ state }, acts) {
  if (state.session === "no-issuer") {
    const field = h("input", { id: "token", type: "password", autocomplete: "off", spellcheck: "false", "data-key": "token", required: true });
    const submit = (/** @type {Event} */ event) => {
      event.preventDefault();
      acts.onToken(field.value);
    };
    return h(
      "form",
      { class: "ask", onsubmit: submit },
      h("p", {}, t("no-issuer")),
      h("label", { for: "token" }, t("token")),
      field,
      h("button", { class: "primary" }, t("use-token")),
    );
  }
  if (state.session === "failed") {
    return h("p", { class: "ask" }, t("error-0"), " ", h("button", { type: "button", class: "small", "data-key": "retry", onclick: acts.onRetry }, t("retry")));
  }
  return h("p", { class: "ask", role: "status" }, h("span", { class: "spinner", "aria-hidden": "true" }), t("signing-in"));
}

/** @param {import("./lists.js").AppStore} store @param {CitizenActs} acts */
function consentPart({ state }, acts) {
  return h(
    "div",
    { class: "ask" },
    h("p", {}, t("consent-ask"), " ", t("consent-without")),
    h("button", { type: "button", class: "primary", id: "consent", "data-key": "consent", disabled: state.busy, onclick: acts.onConsent }, t(state.busy ? "consent-working" : "consent-give")),
  );
}

/** @param {{ id: string, at: string }} receipt */
function receiptPart({ id, at }) {
  return h(
    "div",
    { class: "receipt", role: "status", id: "receipt" },
    h("h3", {}, t("receipt")),
    h("p", {}, t("receipt-cleared")),
    h("dl", {}, h("dt", {}, t("receipt-id")), h("dd", {}, h("code", {}, id)), h("dt", {}, t("receipt-at")), h("dd", {}, moment(at))),
  );
}

/** The 동 picked but not yet gone to: kept while the card is drawn anew. */
let chosen = "";

/** @param {import("./lists.js").AppStore} store @param {CitizenActs} acts */
function movePart({ state }, acts) {
  const names = [...state.dongs].sort((a, b) => a.name.localeCompare(b.name, "ko"));
  const choose = (/** @type {any} */ event) => (chosen = event.target.value);
  const select = h("select", { id: "go-dong", "aria-label": t("move-to-label"), "data-key": "go-dong", onchange: choose }, ...names.map(({ code, name }) => h("option", { value: code }, name)));
  select.value = chosen || (state.here?.code ?? names[0]?.code ?? "");
  const go = () => {
    chosen = "";
    acts.onGoTo(select.value);
  };
  const arrow = (/** @type {"north" | "south" | "west" | "east"} */ way, /** @type {number} */ east, /** @type {number} */ north) =>
    h("button", { type: "button", class: `arrow ${way}`, "aria-label": t(`go-${way}`), "data-key": way, onclick: () => acts.onStep(east, north) }, icon("arrow"));
  return h(
    "div",
    { class: "move", role: "group", "aria-label": t("move-by") },
    h("div", { class: "pad" }, arrow("north", 0, 200), arrow("west", -200, 0), arrow("east", 200, 0), arrow("south", 0, -200)),
    h(
      "div",
      { class: "move-rows" },
      h("div", { class: "row" }, select, h("button", { type: "button", id: "go", "data-key": "go", onclick: go }, t("move-to"))),
      replayPart(state, acts),
      h("p", { class: "note" }, h("span", { id: "replay-at" }), t("replay-note")),
    ),
  );
}

/** @param {import("../state.js").State} state @param {CitizenActs} acts */
function replayPart({ replay }, acts) {
  const speed = (/** @type {number} */ x) =>
    h("button", { type: "button", class: "speed", "data-key": `x${x}`, "aria-pressed": String(replay.speed === x), onclick: () => acts.onSpeed(x) }, `×${x}`);
  return h(
    "div",
    { class: "row" },
    h("button", { type: "button", id: "replay", class: "replay", "data-key": "replay", onclick: acts.onReplay }),
    h("span", { class: "speeds", role: "group", "aria-label": t("speed") }, ...SPEEDS.map(speed)),
  );
}

/** The parts of the replay that change many times a second. @param {import("./lists.js").AppStore} store */
export function drawReplay({ state }) {
  const { playing, at, end, speed } = state.replay;
  const button = byId("replay");
  const label = playing ? "pause" : "replay";
  if (button.dataset.label !== label + state.lang) {
    button.dataset.label = label + state.lang;
    button.replaceChildren(icon(playing ? "pause" : "play"), t(label));
  }
  byId("replay-at").textContent = end && at ? `${t("replay-at", { at: clock(at), end: clock(end) })} · ` : "";
  for (const other of document.querySelectorAll(".speed")) other.setAttribute("aria-pressed", String(other.textContent === `×${speed}`));
}

/** @param {import("./lists.js").AppStore} store @param {CitizenActs} acts */
function watchPart({ state }, acts) {
  const { watched } = state;
  const toggle = (/** @type {import("../types.js").Kind} */ kind) =>
    acts.onWatch(watched.includes(kind) ? watched.filter((k) => k !== kind) : [...watched, kind]);
  return h("fieldset", { class: "chips" }, h("legend", {}, t("kinds")), ...KINDS.map((kind) => chip(kind, watched.includes(kind), () => toggle(kind), "w")));
}
