// @ts-check
import { ApiError } from "../net/api.js";
import { byId, h } from "./dom.js";
import { half, t } from "./i18n.js";

/** @param {unknown} error */
export function told(error) {
  if (!(error instanceof ApiError)) return t("error-other", { what: String(error) });
  if (!navigator.onLine) return t("offline");
  const { status, title } = error;
  if (status === 429) return t("error-429", { s: error.retryAfterS ?? 1 });
  if (status === 0 || status === 401 || status === 403) return t(/** @type {any} */ (`error-${status}`));
  if (status >= 502) return t("error-5");
  return t("error-other", { what: title ? half(title) : `HTTP ${status}` });
}

let hiding = 0;

/** Tell one thing that went wrong, on top of the page. @param {string} text @param {{ onRetry?: () => void, forS?: number }} [how] */
export function tell(text, { onRetry, forS } = {}) {
  clearTimeout(hiding);
  const again = onRetry && h("button", { type: "button", class: "small", onclick: () => (hide(), onRetry()) }, t("retry"));
  const close = h("button", { type: "button", class: "close", "aria-label": t("close"), onclick: hide }, "×");
  byId("banner").replaceChildren(...[h("span", {}, text), again, close].filter(Boolean));
  byId("banner").hidden = false;
  if (forS) hiding = setTimeout(hide, forS * 1_000);
}

export function hide() {
  clearTimeout(hiding);
  byId("banner").hidden = true;
}
