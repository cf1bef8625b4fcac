/** Stands in for LuCI's cbi.js: translation and formatting. */
function _(text) {
  return window.TR?.[text] ?? text;
}

String.prototype.format = function (...values) {
  return this.replace(/%([sd%])/g, (_found, kind) => (kind === "%" ? "%" : String(values.shift())));
};
