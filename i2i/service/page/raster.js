// From strokes and shapes to ids. A pixel is inside or outside by its centre: nothing is antialiased.
//
// Points are in pixels of the map: (0, 0) is its corner, (0.5, 0.5) the centre of its first pixel.

function paintIf(map, [left, top, right, bottom], id, inside) {
  const [x0, y0] = [Math.max(0, Math.floor(left)), Math.max(0, Math.floor(top))];
  const [x1, y1] = [Math.min(map.width - 1, Math.floor(right)), Math.min(map.height - 1, Math.floor(bottom))];
  for (let y = y0; y <= y1; y += 1) {
    for (let x = x0; x <= x1; x += 1) {
      if (inside(x + 0.5, y + 0.5)) map.ids[y * map.width + x] = id;
    }
  }
}

/** A round brush drawn from a to b: every pixel whose centre is within half the diameter of the line between them. */
export function stroke(map, a, b, diameter, id) {
  const radius = diameter / 2;
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const length = dx * dx + dy * dy;
  const box = [Math.min(a.x, b.x) - radius, Math.min(a.y, b.y) - radius, Math.max(a.x, b.x) + radius, Math.max(a.y, b.y) + radius];
  paintIf(map, box, id, (x, y) => {
    const along = length ? Math.min(1, Math.max(0, ((x - a.x) * dx + (y - a.y) * dy) / length)) : 0;
    return (x - a.x - along * dx) ** 2 + (y - a.y - along * dy) ** 2 <= radius * radius;
  });
  // A brush of a pixel may pass between centres; the pixels that it passes through are its own.
  const steps = Math.ceil(2 * Math.max(Math.abs(dx), Math.abs(dy))) || 1;
  for (let i = 0; i <= steps; i += 1) {
    const [x, y] = [Math.floor(a.x + (dx * i) / steps), Math.floor(a.y + (dy * i) / steps)];
    if (map.has(x, y)) map.ids[y * map.width + x] = id;
  }
}

/** All pixels from the one that holds a to the one that holds b. */
export function rectangle(map, a, b, id) {
  const box = [Math.min(a.x, b.x), Math.min(a.y, b.y), Math.max(a.x, b.x), Math.max(a.y, b.y)];
  paintIf(map, box, id, () => true);
}

/** All pixels whose centre is within a polygon, by the even-odd rule. */
export function polygon(map, points, id) {
  const [xs, ys] = [points.map((p) => p.x), points.map((p) => p.y)];
  const box = [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
  paintIf(map, box, id, (x, y) => {
    let inside = false;
    points.forEach((p, i) => {
      const q = points[(i + 1) % points.length];
      if (p.y > y !== q.y > y && x < p.x + ((y - p.y) * (q.x - p.x)) / (q.y - p.y)) inside = !inside;
    });
    return inside;
  });
}

/** The area of one class around a point: pixels that touch by their sides. */
export function fill(map, point, id) {
  const [x0, y0] = [Math.floor(point.x), Math.floor(point.y)];
  if (!map.has(x0, y0) || map.at(x0, y0) === id) return;
  const old = map.at(x0, y0);
  const todo = [[x0, y0]];
  while (todo.length) {
    const [x, y] = todo.pop();
    if (!map.has(x, y) || map.at(x, y) !== old) continue;
    let [left, right] = [x, x];
    while (left > 0 && map.at(left - 1, y) === old) left -= 1;
    while (right < map.width - 1 && map.at(right + 1, y) === old) right += 1;
    map.ids.fill(id, y * map.width + left, y * map.width + right + 1);
    for (let i = left; i <= right; i += 1) todo.push([i, y - 1], [i, y + 1]);
  }
}
