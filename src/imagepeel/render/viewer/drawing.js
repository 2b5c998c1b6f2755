// Two chains as drawings: who judges the start, in which order; and which digest names which bytes.

const ROW = 44;
const COLUMN = 190;

/**
 * The steps of the prediction, each in the column of its judge.
 * @param {any} process @param {Record<string, string>} names who each judge is @returns {HTMLElement | null}
 */
function execDrawing(process, names) {
  if (!process) return null;
  const { steps, verdict } = process.prediction;
  const judges = [...new Set(steps.map((/** @type {any} */ step) => step.judge))];
  const high = ROW * (steps.length + 1) + 10;
  const wide = COLUMN * judges.length;
  const places = steps.map((/** @type {any} */ step, /** @type {number} */ at) => ({
    x: judges.indexOf(step.judge) * COLUMN + 8, y: ROW * (at + 1), step,
  }));
  const failed = steps.findIndex((/** @type {any} */ step) => verdict.kind === "FAILS" && step.judge === verdict.judge && step.outcome !== "ok" && step.outcome !== undefined);
  const svg = drawn(
    "svg", { viewBox: `0 0 ${wide} ${high}`, width: wide, height: high, role: "img", "aria-label": `${steps.length} steps before ${judges.length} judges: ${verdict.kind}` },
    ...judges.map((judge, column) => drawn("text", { x: column * COLUMN + 8, y: 20, class: "lane" }, clipped(names[String(judge)].split(",")[0], 26))),
    ...judges.map((_, column) => drawn("line", { x1: column * COLUMN, y1: 28, x2: column * COLUMN, y2: high, class: "lane" })),
    ...places.slice(1).map((/** @type {any} */ place, /** @type {number} */ at) => drawn("path", {
      class: "arrow", d: `M ${places[at].x + 10} ${places[at].y + 30} C ${places[at].x + 10} ${place.y - 4}, ${place.x + 10} ${places[at].y + 34}, ${place.x + 10} ${place.y}`,
    })),
    ...places.map((/** @type {any} */ place, /** @type {number} */ at) => stepBox(place, at === failed)),
  );
  return element("div", { class: "drawing", tabindex: 0, role: "region", "aria-label": "the judges of the start" }, svg);
}

/** @param {{ x: number, y: number, step: any }} at @param {boolean} failed */
function stepBox(at, failed) {
  const { step, x, y } = at;
  const title = clipped(visible(step.title), 24);
  const place = step.path || (step.outcome && step.outcome !== "ok" ? step.outcome : "ok");
  const below = clipped(visible(failed ? `refused: ${place}` : place), 26);
  return drawn(
    "g", { class: failed ? "stage failed" : "stage" },
    drawn("title", {}, [step.title, step.call || "", ...(step.detail || [])].filter(Boolean).map(visible).join("\n")),
    drawn("rect", { x, y, width: COLUMN - 18, height: 32, rx: 3 }),
    drawn("text", { x: x + 6, y: y + 13 }, title),
    drawn("text", { x: x + 6, y: y + 26, class: "amount" }, below),
  );
}

/** Which digest names which bytes, from the manifest to the DiffIDs.  @param {any} result @returns {HTMLElement} */
function digestDrawing(result) {
  const { image, layers } = result;
  const rows = layers.layers.slice(0, 12);
  const high = 70 + rows.length * ROW + (layers.layers.length > rows.length ? 20 : 0);
  const short = (/** @type {string | null} */ digest) => (digest ? clipped(digest.replace(/^sha256:/, ""), 13) : "not known");
  const box = (/** @type {number} */ x, /** @type {number} */ y, /** @type {string} */ name, /** @type {string | null} */ digest, known = true) => drawn(
    "g", { class: known ? "stage" : "stage failed" }, drawn("title", {}, digest || "not known"),
    drawn("rect", { x, y, width: 150, height: 32, rx: 3 }), drawn("text", { x: x + 6, y: y + 13 }, name),
    drawn("text", { x: x + 6, y: y + 26, class: "amount" }, short(digest)),
  );
  const line = (/** @type {number} */ x1, /** @type {number} */ y1, /** @type {number} */ x2, /** @type {number} */ y2) =>
    drawn("path", { class: "arrow", d: `M ${x1} ${y1} C ${(x1 + x2) / 2} ${y1}, ${(x1 + x2) / 2} ${y2}, ${x2} ${y2}` });
  const parts = [box(0, 10, "manifest", image.digest), box(210, 10, "config", image.image_id), line(150, 26, 210, 26)];
  rows.forEach((/** @type {any} */ row, /** @type {number} */ at) => {
    const y = 70 + at * ROW;
    parts.push(line(75, 42, 210, y + 16), box(210, y, `${row.label} as stored`, row.digest, row.verified !== false));
    parts.push(line(360, y + 16, 430, y + 16), box(430, y, "DiffID, unpacked", row.diff_id, row.verified !== false));
    parts.push(line(360, 26, 430, y + 10));
  });
  if (layers.layers.length > rows.length) parts.push(drawn("text", { x: 210, y: high - 6, class: "amount" }, `and ${plural(layers.layers.length - rows.length, "more layer")}`));
  return element("div", { class: "drawing", tabindex: 0, role: "region", "aria-label": "the digests" }, drawn("svg", { viewBox: `0 0 590 ${high}`, width: 590, height: high, role: "img", "aria-label": "the manifest names the config and the layers by their digests, the config names what they unpack to" }, ...parts));
}
