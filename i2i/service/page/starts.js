// The maps to start from, and one that is nothing but background.

import { startMap } from "./api.js";
import { byId, make } from "./dom.js";
import { LabelMap } from "./label_map.js";
import { drawMap } from "./view.js";

let opening = null; // while the maps are on their way; asking again then asks for nothing more

export function showStarts(model, colours, easel) {
  opening ??= open(model, colours, easel).finally(() => { opening = null; });
  return opening;
}

async function open(model, colours, easel) {
  const list = byId("starts-list");
  if (!list.children.length) {
    const maps = await Promise.all(Array.from({ length: model.maps }, (_, i) => startMap(i, model.bits)));
    maps.push(maps[0].slice().fill(model.background));
    list.append(...maps.map((ids, i) => {
      const canvas = document.createElement("canvas");
      drawMap(canvas, new LabelMap(model.width, model.height, ids), colours);
      const tile = make("button", { className: "tile" }, canvas);
      tile.setAttribute("aria-label", i < maps.length - 1 ? `Map ${i + 1}` : "Nothing but background");
      tile.addEventListener("click", () => {
        byId("starts").close();
        easel.replace(ids);
      });
      return tile;
    }));
  }
  byId("starts").showModal();
}
