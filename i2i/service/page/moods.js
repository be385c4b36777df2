// The style of the picture: one from the gallery, drawn or of a photo, or anything between two of them.
//
// A style is {name, image, latent, seed}: without a latent where the model's styles are no vectors, without a seed where it
// was not drawn, without an image until it is known what it looks like.

import { getStyles, styleOfPhoto, styleOfSeed } from "./api.js";
import { byId, make, reveal } from "./dom.js";

export const randomSeed = () => crypto.getRandomValues(new Uint32Array(1))[0] % 1000000;

export class Moods {
  /** begins() is called before the style of the picture changes, changed() afterwards. */
  constructor(model, begins, changed) {
    Object.assign(this, { model, begins, changed });
    this.ends = { from: null, to: null };
    this.active = "from";
    this.turn = 0; // counts choices of a style: what one of them waited for is out of date after the next
    byId("moods").hidden = model.style === "none";
    byId("mood").hidden = model.style !== "vector";
    byId("upload").hidden = !model.photos;
    let sliding = false;
    byId("mix").addEventListener("input", () => {
      if (!sliding) begins();
      sliding = true;
      changed();
    });
    byId("mix").addEventListener("change", () => { sliding = false; });
    for (const end of ["from", "to"]) {
      byId(`well-${end}`).addEventListener("click", () => { this.active = end; this.#show(); });
    }
  }

  /** Fills the gallery, and takes its first style or a drawn one. */
  async start() {
    if (this.model.style === "none") return;
    const found = await getStyles();
    const styles = found.map(({ name, latent }, i) => ({ name, latent, image: `/api/styles/${i}` }));
    for (const style of styles) this.#addTile(style);
    const first = styles[0] ?? await this.ofSeed(1);
    if (!this.ends.from) this.#take(first, "from"); // or else one was chosen meanwhile
  }

  /** How much of the other end, 0 to 1. */
  get mix() {
    return this.ends.to ? Number(byId("mix").value) / 100 : 0;
  }

  /** The style as the service takes it: {}, {seed} or {latent}. Where none could be had it is that of a seed. */
  get fields() {
    const { from, to } = this.ends;
    if (!from) return this.model.style === "none" ? {} : { seed: 1 }; // the same at every stroke, whatever it is
    if (!from.latent) return { seed: from.seed };
    const latent = to ? from.latent.map((a, i) => (1 - this.mix) * a + this.mix * to.latent[i]) : from.latent;
    return { latent: JSON.stringify(latent) };
  }

  /** The style that a seed draws. */
  async ofSeed(seed) {
    const latent = this.model.style === "vector" ? await styleOfSeed(seed) : undefined;
    return { name: `seed ${seed}`, seed, latent };
  }

  random() {
    return this.#takeWhenKnown(this.ofSeed(randomSeed()));
  }

  /** Takes the style of a sample, which looks like this file. */
  ofSample(seed, file) {
    const kept = [...byId("gallery").children].find(({ mood }) => mood.seed === seed)?.mood;
    return this.#takeWhenKnown(kept ?? this.ofSeed(seed), file);
  }

  /** Takes the style of a photo. */
  ofPhoto(file) {
    const style = styleOfPhoto(file).then((latent) => ({ name: file.name.replace(/\.\w+$/, ""), latent }));
    return this.#takeWhenKnown(style, file);
  }

  /** Sets an end of the slider, by default the one that is chosen; the gallery keeps the style. */
  take(style, end = this.active) {
    this.turn += 1;
    if (style !== this.ends[end]) this.begins();
    this.#take(style, end);
    this.changed();
  }

  /**
   * Takes a style that the service may still work on, for the end that is chosen now; not if another was chosen since.
   * file: what it looks like, where that is known.
   */
  async #takeWhenKnown(style, file = null) {
    this.turn += 1;
    const { turn, active } = this;
    const known = await style;
    if (turn !== this.turn) return;
    if (file) known.image ??= URL.createObjectURL(file);
    this.take(known, active);
  }

  /** What a style that was drawn looks like is known when its picture is there. */
  pictured(image) {
    const end = this.mix === 0 ? this.ends.from : this.mix === 1 ? this.ends.to : null;
    if (!end || end.image) return;
    end.image = image();
    this.#show();
  }

  #take(style, end) {
    const first = end === "to" && !this.ends.to;
    this.ends[end] = style;
    if (first) byId("mix").value = 50;
    if (![...byId("gallery").children].some((tile) => tile.mood === style)) this.#addTile(style);
    this.#show();
  }

  #show() {
    for (const [end, style] of Object.entries(this.ends)) {
      const well = byId(`well-${end}`);
      face(well, style?.name ?? "choose another", style?.image);
      well.setAttribute("aria-pressed", this.active === end);
      well.setAttribute("aria-label", `${end === "from" ? "Style" : "Other style"}: ${style?.name ?? "none"}`);
    }
    byId("mix").disabled = !this.ends.to;
    for (const tile of byId("gallery").children) {
      face(tile, tile.mood.name, tile.mood.image);
      const chosen = tile.mood === this.ends[this.active];
      tile.setAttribute("aria-pressed", chosen);
      if (chosen) reveal(byId("gallery"), tile);
    }
  }

  #addTile(style) {
    const tile = make("button", { className: "tile", title: style.name, mood: style });
    tile.addEventListener("click", () => this.take(style));
    byId("gallery").append(tile);
  }
}

/** A style as a button shows it. */
function face(button, name, image) {
  button.classList.toggle("empty", !image);
  if (button.dataset.face === `${name} ${image}`) return;
  button.dataset.face = `${name} ${image}`;
  button.replaceChildren(...(image ? [make("img", { src: image, alt: "" })] : []), make("span", { textContent: name }));
}
