// @ts-check
/** One page for the APIs of all services: each tells its own OpenAPI, this page only puts them together. */
import { byId, h } from "../scripts/ui/dom.js";
import { example, resolved, schemaTable, typeName } from "./schemas.js";

const SERVICES = { jobs: "일자리 jobs", spaces: "공간 spaces", notices: "알림글 notices", matching: "매칭 matching", delivery: "전달 delivery" };
const METHODS = ["get", "post", "put", "patch", "delete"];

/** @param {string} url */
async function fetched(url) {
  const response = await fetch(url, { headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return response.json();
}

/** @param {any} document @param {any} operation */
function parameters(document, operation) {
  const list = (operation.parameters ?? []).map((/** @type {any} */ one) => resolved(document, one));
  if (list.length === 0) return [];
  const rows = list.map((/** @type {any} */ one) => h("tr", {},
    h("td", {}, h("code", {}, one.name), one.required ? h("span", { class: "required" }, " *") : null, ` ${one.in}`),
    h("td", {}, typeName(document, one.schema)), h("td", {}, one.description ?? one.schema?.description ?? "")));
  return [h("h3", {}, "매개변수 parameters"), h("table", {}, h("tbody", {}, ...rows))];
}

/** @param {any} document @param {any} operation */
function responses(document, operation) {
  const parts = Object.entries(operation.responses ?? {}).map(([status, given]) => {
    const response = resolved(document, given);
    const [type, content] = Object.entries(response.content ?? {})[0] ?? [];
    const head = h("p", {}, h("strong", {}, status), ` ${response.description ?? ""} `, type ? h("code", {}, type) : null);
    const schema = /** @type {any} */ (content)?.schema;
    return h("div", {}, head, status.startsWith("2") && schema ? schemaTable(document, schema) : null);
  });
  return [h("h3", {}, "응답 responses"), ...parts];
}

/** @param {string} method @param {string} address @param {any} sample */
function trial(method, address, sample) {
  const path = h("input", { value: address, size: 60, "aria-label": "주소 address" });
  const body = sample === undefined ? null : h("textarea", { "aria-label": "본문 body", value: JSON.stringify(sample, null, 2) });
  const answer = h("pre", { hidden: true });
  const send = async () => {
    const headers = { ...(body ? { "Content-Type": "application/json", "Idempotency-Key": crypto.randomUUID() } : {}), ...bearer() };
    answer.hidden = false;
    try {
      const response = await fetch(path.value, { method: method.toUpperCase(), headers, body: body?.value });
      const text = await response.text();
      answer.textContent = `${response.status} ${response.statusText}\n${pretty(text)}`;
    } catch (error) {
      answer.textContent = String(error);
    }
  };
  const form = h("form", { onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); send(); } }, path, h("button", {}, "보내 보기 send"));
  return [h("h3", {}, "해 보기 try"), form, body, answer];
}

function bearer() {
  const token = byId("token").value.trim();
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/** @param {string} text */
function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** @param {string} service @param {any} document @param {string} path @param {string} method @param {any} operation */
function drawn(service, document, path, method, operation) {
  const address = `/api/${service}${path}`;
  const content = resolved(document, operation.requestBody)?.content?.["application/json"];
  const stream = Object.values(operation.responses ?? {}).some((one) => Object.keys(/** @type {any} */ (one).content ?? {}).includes("text/event-stream"));
  const inside = h("div", { class: "inside" },
    operation.description ? h("p", {}, operation.description) : null,
    ...parameters(document, operation),
    ...(content ? [h("h3", {}, "요청 본문 request body"), schemaTable(document, content.schema)] : []),
    ...responses(document, operation),
    ...(stream ? [] : trial(method, address, content ? example(document, content.schema) : undefined)));
  const name = operation.summary ?? operation.operationId ?? "";
  const summary = h("summary", {}, h("span", { class: "method", "data-method": method }, method.toUpperCase()),
    h("span", { class: "path" }, address), h("span", { class: "about" }, name));
  const words = `${address} ${name} ${operation.description ?? ""} ${method}`.toLowerCase();
  return h("details", { "data-words": words, id: `${service}-${operation.operationId ?? words}` }, summary, inside);
}

/** @param {string} service @param {string} label */
async function section(service, label) {
  const part = h("section", { "data-service": service }, h("h2", {}, label));
  try {
    const document = await fetched(`/api/${service}/openapi.json`);
    for (const [path, item] of Object.entries(document.paths ?? {})) {
      for (const method of METHODS.filter((one) => one in /** @type {any} */ (item))) {
        part.append(drawn(service, document, path, method, /** @type {any} */ (item)[method]));
      }
    }
  } catch (error) {
    part.append(h("p", { class: "fault" }, `지금은 불러올 수 없습니다. Not available now: ${/** @type {Error} */ (error).message}`));
  }
  return part;
}

async function events() {
  const part = h("section", { "data-service": "events" }, h("h2", {}, "사건 events (Kafka, AsyncAPI)"));
  try {
    const document = await fetched("asyncapi.json");
    for (const [name, given] of Object.entries(document.channels ?? {})) {
      const channel = /** @type {any} */ (given);
      const messages = Object.values(channel.messages ?? {}).map((one) => resolved(document, one));
      const tables = messages.map((message) => h("div", {}, h("h3", {}, message.name ?? message.title ?? ""), schemaTable(document, resolved(document, message.payload)?.schema ?? message.payload)));
      const summary = h("summary", {}, h("span", { class: "path" }, channel.address ?? name), h("span", { class: "about" }, channel.title ?? channel.summary ?? ""));
      const words = `${name} ${channel.address ?? ""} ${channel.description ?? ""}`.toLowerCase();
      part.append(h("details", { "data-words": words }, summary, h("div", { class: "inside" }, channel.description ? h("p", {}, channel.description) : null, ...tables)));
    }
  } catch (error) {
    part.append(h("p", { class: "fault" }, `지금은 불러올 수 없습니다. Not available now: ${/** @type {Error} */ (error).message}`));
  }
  return part;
}

function filter() {
  const service = byId("service").value;
  const words = byId("search").value.trim().toLowerCase().split(/\s+/);
  for (const part of document.querySelectorAll("main section")) {
    const found = /** @type {HTMLElement} */ (part);
    found.hidden = service !== "" && found.dataset.service !== service;
    for (const one of /** @type {NodeListOf<HTMLElement>} */ (found.querySelectorAll("details"))) {
      one.hidden = !words.every((word) => one.dataset.words?.includes(word));
    }
  }
}

async function main() {
  const all = { ...SERVICES, events: "사건 events" };
  byId("service").append(...Object.entries(all).map(([value, label]) => h("option", { value }, label)));
  const links = Object.keys(SERVICES).map((name) => h("a", { href: `/api/${name}/openapi.json` }, `OpenAPI ${name}`));
  byId("documents").append(...links, h("a", { href: "asyncapi.json" }, "AsyncAPI"));
  const parts = await Promise.all([...Object.entries(SERVICES).map(([name, label]) => section(name, label)), events()]);
  byId("operations").replaceChildren(...parts);
  byId("controls").addEventListener("input", filter);
  byId("controls").addEventListener("submit", (/** @type {Event} */ event) => event.preventDefault());
  filter();
}

main();
