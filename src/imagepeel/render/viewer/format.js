// Numbers and sizes as the terminal writes them.

/** @param {number} bytes @returns {string} */
function sizeText(bytes) {
  const sign = bytes < 0 ? "-" : "";
  let rest = Math.abs(bytes);
  if (rest < 1000) return `${sign}${rest} B`;
  for (const unit of ["kB", "MB", "GB", "TB", "PB"]) {
    rest /= 1000;
    if (Number(rest.toPrecision(3)) < 1000) {
      const digits = rest < 9.995 ? 2 : rest < 99.95 ? 1 : 0;
      return `${sign}${rest.toFixed(digits)} ${unit}`;
    }
  }
  return `${sign}${rest.toFixed(0)} EB`;
}

/** @param {number} count @param {string} noun @returns {string} */
function plural(count, noun) {
  return `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`;
}

/** The label of a layer, from its index.  @param {number} layer @returns {string} */
function label(layer) {
  return `L${layer + 1}`;
}

/** The beginning of a text.  @param {string} text @param {number} most characters @returns {string} */
function clipped(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
