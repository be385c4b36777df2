// Files in and out.

import { byId } from "./dom.js";

/** Calls use(file) when one was chosen by an input; choosing the same file again counts, too. */
export function onFile(id, use) {
  const input = byId(id);
  input.addEventListener("change", () => {
    const [file] = input.files;
    input.value = "";
    if (file) use(file);
  });
}

/** Hands a file to the user. */
export function handOver(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

/** A name for a file of now: 2026-05-31-142508. */
export function now() {
  const date = new Date();
  const two = (value) => String(value).padStart(2, "0");
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join("-");
  return `${day}-${[date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join("")}`;
}
