// Keys for everything. A button says its own by aria-keyshortcuts; these are the others, and the list of all.

import { byId, make } from "./dom.js";

const OTHERS = [
  ["[ ]", "Smaller or larger brush"],
  ["1 … 9", "The first classes; Alt and click picks one from the map"],
  ["Ctrl Shift Z", "Redo, as well"],
  ["arrow keys", "On the map: move, with Shift far"],
  ["space", "On the map: paint while it is held"],
  ["Enter, Esc", "On the map: close the polygon, or give the shape up"],
];

const shown = { "Control+Z": "Ctrl Z", "Control+Y": "Ctrl Y" };
const typing = (element) => element.matches("input:not([type=range]), select, textarea");

/** more: functions by key, for what has no button. */
export function startShortcuts(more) {
  const buttons = new Map();
  for (const button of document.querySelectorAll("[aria-keyshortcuts]")) buttons.set(button.getAttribute("aria-keyshortcuts"), button);
  const said = [...buttons].map(([key, button]) => [shown[key] ?? key.toUpperCase(), button.title.replace(/ \([^)]*\)$/, "")]);
  byId("shortcuts-list").append(...[...said, ...OTHERS].flatMap(([key, text]) => [
    make("dt", {}, make("kbd", { textContent: key })),
    make("dd", { textContent: text }),
  ]));

  document.addEventListener("keydown", (event) => {
    if (event.altKey || typing(event.target) || document.querySelector("dialog[open]")) return;
    const control = event.ctrlKey || event.metaKey;
    const letter = event.key.toLowerCase();
    const name = control ? `Control+${event.shiftKey && letter === "z" ? "Y" : letter.toUpperCase()}` : letter;
    const button = buttons.get(name);
    if (button && !button.closest("[hidden]") && !button.disabled) button.click();
    else if (!control && more[event.key]) more[event.key]();
    else if (!control && /^[1-9]$/.test(event.key)) more.digit(Number(event.key));
    else return;
    event.preventDefault();
  });
}
