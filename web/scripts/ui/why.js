// @ts-check
/** @import { InboxItem, WhyTold } from "../types.js" */
import { told } from "./banner.js";
import { h } from "./dom.js";
import { lang, t } from "./i18n.js";

/** What was answered stays: the list is drawn anew with every alert. @type {Map<string, WhyTold>} */
const known = new Map();

/**
 * "왜 받았나요?", in the words of the service: the rule, one's own settings as they were, the posting's version.
 * @param {InboxItem} item @param {(item: InboxItem) => Promise<WhyTold>} ask
 */
export function whyOf(item, ask) {
  const key = `${item.id} ${item.posting_version}`;
  const words = h("div", { class: "why-words", role: "status" });
  const show = async () => {
    if (!part.open) return;
    const answer = known.get(key);
    words.replaceChildren(...(answer ? sentences(answer) : [t("loading")]));
    if (answer) return;
    try {
      known.set(key, await ask(item));
      words.replaceChildren(...sentences(/** @type {WhyTold} */ (known.get(key))));
    } catch (error) {
      words.replaceChildren(h("span", { class: "failed" }, told(error)));
    }
  };
  const part = h("details", { class: "why", "data-key": `w${item.id}`, ontoggle: show }, h("summary", {}, t("why")), words);
  return part;
}

/** @param {WhyTold} answer */
const sentences = (answer) => answer[lang()].map((sentence) => h("p", {}, sentence));
