// @ts-check
import { KINDS } from "../domain/postings.js";
import { byId, h, icon, s } from "./dom.js";
import { lang, t, useLang } from "./i18n.js";

const THEMES = /** @type {const} */ (["auto", "light", "dark"]);
const KEPT = "gwangsan.theme";

/** @returns {"auto" | "light" | "dark"} */
const keptTheme = () => THEMES.find((theme) => theme === localStorage.getItem(KEPT)) ?? "auto";

/** @param {"auto" | "light" | "dark"} theme */
function useTheme(theme) {
  localStorage.setItem(KEPT, theme);
  document.documentElement.dataset.theme = theme;
  byId("theme").replaceChildren(h("span", { class: "wide" }, t("theme"), "\u00a0"), t(`theme-${theme}`));
  byId("theme").setAttribute("aria-label", `${t("theme")} ${t(`theme-${theme}`)}`);
}

/** Language and theme buttons. @param {(lang: "ko" | "en") => void} onLang */
export function wireTools(onLang) {
  const other = () => (lang() === "ko" ? "en" : "ko");
  const show = () => {
    byId("lang").textContent = t("other-lang");
    byId("lang").lang = other();
    useTheme(keptTheme());
    drawLegend();
    byId("map").setAttribute("aria-label", t("map-label"));
  };
  byId("lang").addEventListener("click", () => {
    useLang(other());
    show();
    onLang(lang());
  });
  byId("theme").addEventListener("click", () => useTheme(THEMES[(THEMES.indexOf(keptTheme()) + 1) % THEMES.length]));
  show();
}

function drawLegend() {
  const walk = s("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" }, s("circle", { class: "walk", cx: 12, cy: 12, r: 10 }), s("circle", { class: "dot", cx: 12, cy: 12, r: 4 }));
  byId("legend").replaceChildren(...KINDS.map((kind) => h("li", {}, icon(kind), t(kind))), h("li", {}, walk, t("you-circle")));
}

/** The lists as tabs: arrow keys go from one to the next. @param {(tab: import("../state.js").State["tab"]) => void} onTab */
export function wireTabs(onTab) {
  const names = /** @type {const} */ (["inbox", "nearby", "all", "statistics"]);
  const open = (/** @type {(typeof names)[number]} */ name, focus = false) => {
    for (const other of names) {
      const tab = byId(`tab-${other}`);
      tab.setAttribute("aria-selected", String(other === name));
      tab.tabIndex = other === name ? 0 : -1;
      byId(other).hidden = other !== name;
    }
    if (focus) byId(`tab-${name}`).focus();
    onTab(name);
  };
  names.forEach((name, i) => {
    byId(`tab-${name}`).addEventListener("click", () => open(name));
    byId(`tab-${name}`).addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) open(names[(i + step + names.length) % names.length], true);
    });
  });
  open("inbox");
  return open;
}

/** @param {import("./lists.js").AppStore} store */
export function drawLive({ state }) {
  byId("live").dataset.state = state.stream;
  byId("live-text").textContent = t(`live-${state.stream}`);
}
