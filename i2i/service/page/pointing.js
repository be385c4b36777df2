// From pointer and keyboard to points on the map. Mouse, pen and finger are alike; the keyboard has a pointer of its own.

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * Calls press(point, event), move(point), release(point), cancel(), close() and leave() of a target.
 * map: of the size of the canvas in ids.
 */
export function listen(canvas, map, target) {
  let pointer = null; // the finger that paints; others are ignored
  let cursor = { x: Math.floor(map.width / 2) + 0.5, y: Math.floor(map.height / 2) + 0.5 };
  let held = false;

  const pointOf = (event) => {
    const box = canvas.getBoundingClientRect();
    const scale = (value, start, length, size) => Math.min(size - 1e-3, Math.max(0, ((value - start) / length) * size));
    return { x: scale(event.clientX, box.left, box.width, map.width), y: scale(event.clientY, box.top, box.height, map.height) };
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (held || pointer !== null || event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    pointer = event.pointerId;
    target.press(pointOf(event), event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (held || (pointer !== null && event.pointerId !== pointer)) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const part of events.length ? events : [event]) target.move(pointOf(part));
  });
  const end = (event, how) => {
    if (event.pointerId !== pointer) return;
    pointer = null;
    target[how](pointOf(event));
  };
  canvas.addEventListener("pointerup", (event) => end(event, "release"));
  canvas.addEventListener("pointercancel", (event) => end(event, "cancel"));
  canvas.addEventListener("pointerleave", () => { if (pointer === null) target.leave(); });
  canvas.addEventListener("dblclick", () => target.close());
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());

  canvas.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    if (pointer !== null && (step || event.key === " ")) {
      event.preventDefault(); // one of the two paints at a time
    } else if (step) {
      const far = event.shiftKey ? Math.max(4, Math.round(map.width / 16)) : 1;
      cursor = {
        x: Math.min(map.width - 0.5, Math.max(0.5, cursor.x + step[0] * far)),
        y: Math.min(map.height - 0.5, Math.max(0.5, cursor.y + step[1] * far)),
      };
      target.move(cursor);
    } else if (event.key === " " && !held) {
      held = true;
      target.press(cursor, event);
    } else if (event.key === "Enter") target.close();
    else if (event.key === "Escape") target.cancel();
    else if (event.key !== " ") return;
    event.preventDefault();
  });
  canvas.addEventListener("keyup", (event) => {
    if (event.key !== " " || !held) return;
    held = false;
    target.release(cursor);
  });
  canvas.addEventListener("blur", () => {
    if (held) target.release(cursor);
    held = false;
    target.leave();
  });
}
