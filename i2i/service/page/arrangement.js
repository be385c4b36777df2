// Map and picture side by side or one over the other: whichever shows them larger.

const GAP = 12;
const CAPTION = 32;

/** aspect: width over height of both. */
export function arrange(stage, aspect) {
  new ResizeObserver(([{ contentRect: { width, height } }]) => {
    const beside = Math.min((width - GAP) / 2, (height - CAPTION) * aspect);
    const over = Math.min(width, ((height - GAP) / 2 - CAPTION) * aspect);
    stage.classList.toggle("stacked", over > beside);
  }).observe(stage);
}
