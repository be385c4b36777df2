// The classes: which one is painted, and what the eraser leaves.

import { arrowKeys, byId, make, reveal } from "./dom.js";

const MANY = 20;

export class Palette {
  /** choose(id) is called when a class is chosen. */
  constructor(classes, background, choose) {
    this.classes = classes;
    this.choose = choose;
    this.buttons = new Map(classes.map((one, i) => [one.id, this.#button(one, i)]));
    byId("palette").append(...this.buttons.values());
    arrowKeys(byId("palette"), "button");

    const erases = byId("background");
    erases.append(...classes.map(({ id, name }) => make("option", { value: id, textContent: name, selected: id === background })));

    const filter = byId("filter");
    filter.hidden = classes.length <= MANY;
    filter.addEventListener("input", () => this.#filter(filter.value.trim().toLowerCase()));
  }

  get background() {
    return Number(byId("background").value);
  }

  name(id) {
    return this.classes.find((one) => one.id === id)?.name ?? String(id);
  }

  /** Shows which class is painted. */
  mark(id) {
    for (const [own, button] of this.buttons) button.setAttribute("aria-checked", own === id);
    this.#letIn();
    const chosen = this.buttons.get(id);
    if (chosen) reveal(byId("palette"), chosen);
  }

  #button({ id, name, colour }, place) {
    const swatch = make("span", { className: "swatch" });
    swatch.style.background = `rgb(${colour.join(" ")})`;
    const button = make("button", { title: `${name} (id ${id})` }, swatch, make("span", { textContent: name }));
    if (place < 9) button.append(make("kbd", { textContent: place + 1 }));
    button.setAttribute("role", "radio");
    button.setAttribute("aria-label", name);
    button.addEventListener("click", () => this.choose(id));
    return button;
  }

  #filter(text) {
    for (const { id, name } of this.classes) this.buttons.get(id).hidden = !name.toLowerCase().includes(text);
    this.#letIn();
  }

  /** Tab leads to one button, from which arrow keys go on: to the chosen class or, if the filter hides it, the first. */
  #letIn() {
    const shown = [...this.buttons.values()].filter((button) => !button.hidden);
    const first = shown.find((button) => button.getAttribute("aria-checked") === "true") ?? shown[0];
    for (const button of shown) button.tabIndex = button === first ? 0 : -1;
  }
}
