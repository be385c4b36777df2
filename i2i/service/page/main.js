// The page: asks the service what there is to paint with, and connects the parts.

import * as api from "./api.js";
import { arrange } from "./arrangement.js";
import { Compare } from "./compare.js";
import { arrowKeys, byId, say, showIcons } from "./dom.js";
import { Easel } from "./easel.js";
import { handOver, now, onFile } from "./files.js";
import { LabelMap } from "./label_map.js";
import { Live } from "./live.js";
import { Moods } from "./moods.js";
import { Palette } from "./palette.js";
import { Refused } from "./refused.js";
import { Samples } from "./samples.js";
import { startShortcuts } from "./shortcuts.js";
import { showStarts } from "./starts.js";
import { startTheme, switchTheme } from "./theme.js";
import { colourTable } from "./view.js";

startTheme();
showIcons();

const on = (id, act) => byId(id).addEventListener("click", () => trying(act));

/** Whatever goes wrong is said. */
async function trying(act) {
  try {
    await act();
  } catch (error) {
    if (error.name === "AbortError") return;
    say(error.message);
    if (!(error instanceof Refused)) throw error;
  }
}

async function start() {
  const [model, classes, first] = await Promise.all([api.getModel(), api.getClasses(), api.getModel().then((m) => api.startMap(0, m.bits))]);
  const { width, height, bits } = model;
  byId("model").textContent = model.name;
  document.documentElement.style.setProperty("--aspect", width / height);

  arrange(document.querySelector(".stage"), width / height);

  const map = new LabelMap(width, height, first);
  const colours = colourTable(classes);
  const picture = byId("picture");
  [picture.width, picture.height] = [width, height];
  const compare = new Compare(picture, map, colours);
  const state = { id: classes[0].id, size: 12 };
  let latest = null; // the file of the picture that is shown
  let idle;

  const live = new Live(
    (signal) => api.paint(map, moods.fields, signal),
    async (file) => {
      const image = await createImageBitmap(file);
      picture.getContext("2d").drawImage(image, 0, 0);
      latest = file;
    },
    ({ busy, seconds, problem }) => {
      byId("progress").hidden = !busy;
      picture.dataset.settled = !busy && live.settled;
      const status = byId("status");
      if (problem) status.textContent = problem;
      else if (!busy && seconds) status.textContent = seconds < 1 ? `${Math.round(1000 * seconds)} ms` : `${seconds.toFixed(1)} s`;
      status.title = problem ?? ""; // it may be longer than there is room
      if (busy) return;
      compare.show();
      if (latest && !problem) moods.pictured(() => URL.createObjectURL(latest));
      clearTimeout(idle);
      idle = setTimeout(() => trying(() => samples.refresh()), 700);
    },
  );
  const changed = (anew) => {
    clearTimeout(idle);
    samples.late();
    live.changed(anew);
  };
  const moods = new Moods(model, () => compare.remember(), () => live.changed(true));
  const samples = new Samples(
    byId("samples"),
    (fields, signal) => api.synthesize(map, fields, signal),
    (seed, file) => trying(() => moods.ofSample(seed, file)),
  );
  const palette = new Palette(classes, model.background, (id) => {
    easel.choose(id);
    if (["eraser", "pick"].includes(byId("tools").dataset.chosen)) easel.use("brush");
  });
  const easel = new Easel(
    { map, canvas: byId("map"), svg: byId("overlay"), colours, state, background: () => palette.background },
    {
      begins: () => compare.remember(),
      comesToNothing: () => compare.forget(),
      changed,
      chosen: (id) => palette.mark(id),
      tool: showTool,
      place: (point) => { byId("place").textContent = point ? palette.name(map.at(Math.floor(point.x), Math.floor(point.y))) : ""; },
    },
  );

  // Tools.
  for (const button of document.querySelectorAll("[data-tool]")) button.addEventListener("click", () => easel.use(button.dataset.tool));
  arrowKeys(byId("tools"), "button");
  const resize = (size) => {
    const slider = byId("size");
    slider.value = size;
    byId("size-value").textContent = slider.value;
    easel.resize(Number(slider.value));
  };
  byId("size").max = Math.max(16, Math.round(Math.min(width, height) / 2));
  byId("size").addEventListener("input", (event) => resize(event.target.value));
  easel.use("brush");
  const used = new Set(first);
  easel.choose((classes.find(({ id, colour }) => !used.has(id) && Math.max(...colour) > 64) ?? classes[0]).id);
  resize(Math.max(1, Math.round(width / 12)));
  on("undo", () => easel.undo());
  on("redo", () => easel.redo());

  // Files.
  on("open", () => byId("map-file").click());
  onFile("map-file", (file) => trying(async () => easel.replace(await api.openMap(file, bits))));
  on("save", async () => handOver(await api.mapFile(map), `map-${now()}.png`));
  on("download", () => {
    if (!latest) throw new Refused(0, "There is no picture yet.");
    handOver(latest, `picture-${now()}.png`);
  });
  on("new", () => showStarts(model, colours, easel));

  // Styles.
  on("random", () => moods.random());
  on("upload", () => byId("photo-file").click());
  onFile("photo-file", (file) => trying(() => moods.ofPhoto(file)));
  on("draw", () => samples.draw());

  // The picture, the page.
  on("compare", () => compare.toggle());
  on("pin", () => compare.pin());
  on("theme", switchTheme);
  on("keys", () => byId("shortcuts").showModal());
  startShortcuts({
    "[": () => resize(state.size - Math.max(1, Math.round(state.size / 6))),
    "]": () => resize(state.size + Math.max(1, Math.round(state.size / 6))),
    digit: (n) => classes[n - 1] && palette.choose(classes[n - 1].id),
  });
  await trying(() => moods.start()); // without styles one of chance will do
  live.start();
}

function showTool(name) {
  byId("tools").dataset.chosen = name;
  for (const button of document.querySelectorAll("[data-tool]")) {
    const chosen = button.dataset.tool === name;
    button.setAttribute("aria-checked", chosen);
    button.tabIndex = chosen ? 0 : -1;
  }
  byId("erases").hidden = name !== "eraser";
}

trying(start);
