// @ts-check

const SVG = "http://www.w3.org/2000/svg";

/** @param {Element} element @param {Record<string, any>} props */
function apply(element, props) {
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") /** @type {any} */ (element).value = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/**
 * An element; text children are text, never markup.
 * @param {string} tag @param {Record<string, any>} [props] @param {...(Node | string | null | false | undefined)} children
 * @returns {any}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  element.append(.../** @type {(Node | string)[]} */ (children.filter((child) => child !== null && child !== undefined && child !== false)));
  apply(element, props);
  return element;
}

/** @param {string} tag @param {Record<string, any>} [props] @param {...Node} children @returns {any} */
export function s(tag, props = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  apply(element, props);
  element.append(...children);
  return element;
}

/** @param {string} name @param {string} [label] a decoration unless it has a label */
export function icon(name, label) {
  const use = s("use", { href: `images/icons.svg#${name}` });
  return label
    ? s("svg", { class: `icon kind-${name}`, role: "img", "aria-label": label }, use)
    : s("svg", { class: `icon kind-${name}`, "aria-hidden": "true" }, use);
}

/** @param {string} id @returns {any} */
export const byId = (id) => document.getElementById(id);

/** @param {Element} root @param {string} key @returns {any} */
const keyed = (root, key) => root.querySelector(`[data-key="${CSS.escape(key)}"]`);

/** What is focused, opened or typed stays so when a part is drawn anew. @param {Element} root @param {...(Node | string)} children */
export function replace(root, ...children) {
  const focused = document.activeElement;
  const key = root.contains(focused) ? focused?.getAttribute("data-key") : null;
  const open = [...root.querySelectorAll("details[open][data-key]")].map((part) => part.getAttribute("data-key") ?? "");
  const typed = [...root.querySelectorAll("input[type=password][data-key]")].map((field) => /** @type {const} */ ([field.getAttribute("data-key") ?? "", /** @type {any} */ (field).value]));
  root.replaceChildren(...children);
  for (const [name, value] of typed) if (keyed(root, name)) keyed(root, name).value = value;
  open.forEach((name) => keyed(root, name)?.setAttribute("open", ""));
  if (key) keyed(root, key)?.focus({ preventScroll: true });
}
