// The requests to the service that this page came from.

import { Refused } from "./refused.js";

/** What read(answer) makes of an answer, which may break off while it is read. */
async function ask(path, read, options) {
  let answer;
  try {
    answer = await fetch(path, options);
    if (answer.ok) return await read(answer);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "The service does not answer. Is i2i demo still running?", 2);
  }
  const { reason } = await answer.json().catch(() => ({ reason: answer.statusText }));
  throw new Refused(answer.status, reason, Number(answer.headers.get("Retry-After")));
}

const json = (path, options) => ask(path, (answer) => answer.json(), options);

export const getModel = () => json("/api/model");
export const getClasses = async () => (await json("/api/classes")).classes;
export const getStyles = async () => (await json("/api/styles")).styles;
export const styleOfSeed = async (seed) => (await json(`/api/latent?seed=${seed}`)).latent;
export const styleOfPhoto = async (file) =>
  (await json("/api/latent", { method: "POST", headers: { "Content-Type": file.type }, body: file })).latent;

const blob = (path, options) => ask(path, (answer) => answer.blob(), options);

/** Raw ids of the service, 8 or 16 bits each, the lower byte first. */
async function rawIds(path, bits, options) {
  const bytes = await ask(path, (answer) => answer.arrayBuffer(), options);
  if (bits === 8) return new Uint8Array(bytes);
  const view = new DataView(bytes);
  return Uint16Array.from({ length: bytes.byteLength / 2 }, (_, i) => view.getUint16(2 * i, true));
}

/** The bytes of a map's ids as the service takes them. */
function rawBytes(map) {
  if (map.ids.BYTES_PER_ELEMENT === 1) return map.ids.slice();
  const view = new DataView(new ArrayBuffer(2 * map.ids.length));
  map.ids.forEach((id, i) => view.setUint16(2 * i, id, true));
  return view.buffer;
}

export const startMap = (number, bits) => rawIds(`/api/maps/${number}`, bits);

/** The ids of a PNG file, at the size of the model. */
export const openMap = (file, bits) =>
  rawIds("/api/labels?fit=1", bits, { method: "POST", headers: { "Content-Type": "image/png" }, body: file });

/** A map as PNG. The service writes it: a canvas would pass ids through the browser's colours. */
export const mapFile = (map) => blob(`/api/labels.png?width=${map.width}&height=${map.height}`, {
  method: "POST",
  headers: { "Content-Type": "application/octet-stream" },
  body: rawBytes(map),
});

function form(map, fields) {
  const body = new FormData();
  body.append("labels", new Blob([rawBytes(map)], { type: "application/octet-stream" }), "labels");
  for (const [name, value] of Object.entries({ width: map.width, height: map.height, ...fields })) body.append(name, value);
  return body;
}

const picture = (path, map, fields, signal) => blob(path, { method: "POST", body: form(map, fields), signal });

/** The picture of a map, by itself. */
export const synthesize = (map, style, signal) => picture("/api/synthesize", map, style, signal);

/** 32 hexadecimal digits that stand for this page: the service keeps its canvas by them. */
const painter = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

let strokes = 0; // that were sent

/**
 * The picture of the map as it is now, of which only what changed is computed. Every request has a number of its own,
 * asking again, too: the service takes none twice.
 */
export function paint(map, style, signal) {
  strokes += 1;
  return picture("/api/paint", map, { ...style, painter, stroke: strokes }, signal);
}
