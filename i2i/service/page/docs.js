// Shows openapi.json to people.

import { byId, make } from "./dom.js";
import { startTheme } from "./theme.js";

const rule = ({ type, minimum, maximum, enum: one, pattern, default: usual }) => [
  type,
  one && `one of ${one.join(", ")}`,
  minimum !== undefined && `from ${minimum}`,
  maximum !== undefined && `to ${maximum}`,
  pattern,
  usual !== undefined && `usually ${usual}`,
].filter(Boolean).join(" ");

const kinds = (content) => Object.keys(content ?? {}).join(", ");

function section(path, method, operation) {
  const body = operation.requestBody;
  const form = body?.content["multipart/form-data"]?.schema;
  const rows = operation.parameters.map(({ name, description, schema }) => [name, `${description} (${rule(schema)})`]);
  const parts = [make("h2", {}, make("b", { textContent: method.toUpperCase() }), path), make("p", { textContent: operation.summary })];
  if (operation.description) parts.push(make("p", { className: "soft", textContent: operation.description }));
  if (body) rows.push(["body", kinds(body.content)]);
  if (form) rows.push(["form", `files ${Object.keys(form.properties).filter((name) => form.properties[name].format === "binary").join(", ")}; all parameters as fields`]);
  rows.push(["answer", kinds(operation.responses["200"].content)]);
  parts.push(make("dl", {}, ...rows.flatMap(([name, text]) => [make("dt", { textContent: name }), make("dd", { textContent: text })])));
  return make("section", {}, ...parts);
}

startTheme();
const api = await (await fetch("/openapi.json")).json();
byId("title").textContent = api.info.title;
byId("about").textContent = api.info.description;
byId("example").textContent = [
  `curl -o picture.png -H 'Content-Type: image/png' --data-binary @map.png '${location.origin}/api/synthesize?seed=1'`,
  `curl -o picture.png -F 'labels=@map.png;type=image/png' -F 'photo=@evening.jpg;type=image/jpeg' ${location.origin}/api/synthesize`,
].join("\n");
byId("operations").append(...Object.entries(api.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => section(path, method, operation))));
