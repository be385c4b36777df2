// The map on the screen: ids in the colours of their classes, and above them what is about to be painted.

/** The colours of the classes as a canvas wants them: red, green, blue and opacity in one number each. */
export function colourTable(classes) {
  const table = new Uint32Array(65536);
  const bytes = new Uint8Array(table.buffer);
  bytes.fill(255);
  for (const { id, colour } of classes) bytes.set([...colour, 255], 4 * id);
  return table;
}

/** Draws a map of ids onto a canvas of its size. */
export function drawMap(canvas, map, colours) {
  const image = new ImageData(map.width, map.height);
  const pixels = new Uint32Array(image.data.buffer);
  map.ids.forEach((id, i) => { pixels[i] = colours[id]; });
  if (canvas.width !== map.width) canvas.width = map.width;
  if (canvas.height !== map.height) canvas.height = map.height;
  canvas.getContext("2d").putImageData(image, 0, 0);
}

const shape = (tag, attributes) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
};

/** Shows the brush, a rectangle or a polygon over the map. */
export class Overlay {
  constructor(svg, map) {
    this.svg = svg;
    svg.setAttribute("viewBox", `0 0 ${map.width} ${map.height}`);
    svg.setAttribute("preserveAspectRatio", "none");
  }

  /** at: where the pointer is, or null; diameter: of a brush, or 0; corners: of a shape; open: it goes on to the pointer. */
  show(at, { diameter = 0, corners = [], open = false } = {}) {
    const shapes = [];
    if (corners.length) {
      const points = [...corners, ...(at && open ? [at] : [])].map(({ x, y }) => `${x},${y}`).join(" ");
      shapes.push(shape("polygon", { points }));
    }
    if (at && diameter) shapes.push(shape("circle", { cx: at.x, cy: at.y, r: Math.max(0.7, diameter / 2) }));
    if (at && !diameter) {
      const arm = Math.max(1.5, this.svg.viewBox.baseVal.width / 60);
      shapes.push(shape("path", { d: `M${at.x - arm} ${at.y}h${2 * arm}M${at.x} ${at.y - arm}v${2 * arm}` }));
    }
    this.svg.replaceChildren(...shapes);
  }
}
