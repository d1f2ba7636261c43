// @ts-check
import { EN } from "./texts-en.js";
import { KO } from "./texts-ko.js";

/** @typedef {"ko" | "en"} Lang */
const TEXTS = { ko: KO, en: EN };
const KEPT = "gwangsan.lang";

/** @type {Lang} */
let current = "ko";

/** @returns {Lang} */
export const lang = () => current;

/** The text of a key in the present language, {names} filled in. @param {keyof typeof KO} key @param {Record<string, string | number>} [values] */
export function t(key, values = {}) {
  return TEXTS[current][key].replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** Services answer with "한국어 / English": the half that is wanted. @param {string} title */
export function half(title) {
  const [korean, english] = title.split(" / ");
  return current === "en" && english ? english : korean;
}

/** @returns {Lang} */
export const keptLang = () => (localStorage.getItem(KEPT) === "en" ? "en" : "ko");

/** Switch, and retell every static text of the page. @param {Lang} next */
export function useLang(next) {
  current = next;
  localStorage.setItem(KEPT, next);
  document.documentElement.lang = next;
  document.title = t("title");
  for (const element of document.querySelectorAll("[data-t]")) {
    element.textContent = t(/** @type {any} */ (element.getAttribute("data-t")));
  }
  for (const element of document.querySelectorAll("[data-t-label]")) {
    element.setAttribute("aria-label", t(/** @type {any} */ (element.getAttribute("data-t-label"))));
  }
}
