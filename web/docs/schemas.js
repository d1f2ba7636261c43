// @ts-check
/** JSON Schema as rows of a table: what a field is called, what it may be, what it means. */
import { h } from "../scripts/ui/dom.js";

const DEEPEST = 4;

/** @param {any} document @param {any} schema @returns {any} */
export function resolved(document, schema) {
  if (!schema?.$ref) return schema ?? {};
  const place = schema.$ref.replace(/^#\//, "").split("/");
  return resolved(document, place.reduce((/** @type {any} */ at, /** @type {string} */ part) => at?.[part.replace("~1", "/")], document));
}

/** @param {any} document @param {any} given @returns {string} */
export function typeName(document, given) {
  const schema = resolved(document, given);
  const either = schema.anyOf ?? schema.oneOf;
  if (either) return either.map((/** @type {any} */ one) => typeName(document, one)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((/** @type {any} */ one) => JSON.stringify(one)).join(" | ");
  if (schema.type === "array") return `${typeName(document, schema.items ?? {})}[]`;
  const type = Array.isArray(schema.type) ? schema.type.join(" | ") : schema.type ?? (schema.properties ? "object" : "any");
  return [schema.format ? `${type} (${schema.format})` : type, limits(schema)].filter(Boolean).join(" ");
}

/** @param {any} schema */
function limits(schema) {
  const told = [
    [schema.minimum, "≥"], [schema.exclusiveMinimum, ">"], [schema.maximum, "≤"], [schema.exclusiveMaximum, "<"],
    [schema.minLength, "length ≥"], [schema.maxLength, "length ≤"], [schema.minItems, "items ≥"], [schema.maxItems, "items ≤"],
  ];
  return told.filter(([value]) => value !== undefined).map(([value, sign]) => `${sign} ${value}`).join(", ");
}

/** The objects inside, through arrays and alternatives. @param {any} document @param {any} given @returns {any[]} */
function objectsIn(document, given) {
  const schema = resolved(document, given);
  if (schema.properties) return [schema];
  const inner = schema.anyOf ?? schema.oneOf ?? schema.allOf ?? (schema.items ? [schema.items] : []);
  return inner.flatMap((/** @type {any} */ one) => objectsIn(document, one));
}

/** @param {any} document @param {any} given @param {string} prefix @param {number} depth @returns {any[]} */
function rows(document, given, prefix, depth) {
  if (depth > DEEPEST) return [];
  return objectsIn(document, given).flatMap((schema) =>
    Object.entries(schema.properties).flatMap(([name, field]) => [
      h("tr", {},
        h("td", {}, h("code", {}, prefix + name), schema.required?.includes(name) ? h("span", { class: "required", title: "필수 required" }, " *") : null),
        h("td", {}, typeName(document, field)),
        h("td", {}, resolved(document, field).description ?? /** @type {any} */ (field).description ?? "")),
      ...rows(document, field, `${prefix}${name}.`, depth + 1),
    ]));
}

/** @param {any} document @param {any} schema */
export function schemaTable(document, schema) {
  const found = rows(document, schema, "", 1);
  if (found.length === 0) return h("p", { class: "about" }, typeName(document, schema));
  const head = h("tr", {}, h("th", {}, "이름 field"), h("th", {}, "값 type"), h("th", {}, "뜻 meaning"));
  return h("table", {}, h("thead", {}, head), h("tbody", {}, ...found));
}

/** A body to begin with. @param {any} document @param {any} given @param {number} [depth] @returns {any} */
export function example(document, given, depth = 0) {
  const schema = resolved(document, given);
  const told = schema.example ?? schema.examples?.[0] ?? schema.default ?? schema.const ?? schema.enum?.[0];
  if (told !== undefined || depth > DEEPEST) return told ?? null;
  const either = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (either) return example(document, either[0], depth + 1);
  if (schema.properties) {
    const wanted = Object.entries(schema.properties).filter(([name]) => schema.required?.includes(name));
    return Object.fromEntries(wanted.map(([name, field]) => [name, example(document, field, depth + 1)]));
  }
  if (schema.type === "array") return [example(document, schema.items ?? {}, depth + 1)];
  if (schema.format === "date-time") return new Date().toISOString();
  if (schema.format === "uuid") return crypto.randomUUID();
  return { string: "", integer: schema.minimum ?? 0, number: schema.minimum ?? 0, boolean: false }[/** @type {string} */ (schema.type)] ?? null;
}
