// Runs before the first paint, and is no module for that reason: a page that was asked
// to be dark never flashes light. What may be chosen is in theme.js.

try {
  const theme = localStorage.getItem("weir.theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
} catch {
  // A browser that keeps nothing: the system's theme it is.
}
