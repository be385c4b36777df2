// Dark or light: what the system says, until the switch says otherwise; that is kept for the next visit.

const KEY = "i2i-theme";
const root = document.documentElement;

const kept = () => {
  try {
    return localStorage.getItem(KEY);
  } catch { // storage may be forbidden
    return null;
  }
};

export function startTheme() {
  const theme = kept();
  if (theme) root.dataset.theme = theme;
}

export function switchTheme() {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try {
    localStorage.setItem(KEY, root.dataset.theme);
  } catch { /* then not */ }
}
