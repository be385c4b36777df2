// The few things that every part of the page does with elements.

export const byId = (id) => document.getElementById(id);

/** An element with properties and children. */
export function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** An icon of icons.svg. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `/page/icons.svg#${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/** Puts the icons into the buttons that name one. */
export function showIcons() {
  for (const button of document.querySelectorAll("[data-icon]")) button.prepend(icon(button.dataset.icon));
}

/** Scrolls a box, and nothing around it, until one of its children is seen. */
export function reveal(box, child) {
  const [outer, inner] = [box.getBoundingClientRect(), child.getBoundingClientRect()];
  box.scrollBy(
    Math.min(0, inner.left - outer.left) + Math.max(0, inner.right - outer.right),
    Math.min(0, inner.top - outer.top) + Math.max(0, inner.bottom - outer.bottom),
  );
}

let timer;

/** Says something at the foot of the page, for some seconds. */
export function say(text) {
  const message = byId("message");
  message.textContent = text;
  message.hidden = false;
  clearTimeout(timer);
  timer = setTimeout(() => { message.hidden = true; }, 7000);
}

/** Makes a group of buttons behave as one choice: arrow keys go from one to the next. */
export function arrowKeys(group, selector) {
  group.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const buttons = [...group.querySelectorAll(selector)].filter((button) => !button.hidden);
    const place = buttons.indexOf(document.activeElement);
    if (!step || place < 0) return;
    event.preventDefault();
    const next = buttons[(place + step + buttons.length) % buttons.length];
    next.focus();
    next.click();
  });
}
