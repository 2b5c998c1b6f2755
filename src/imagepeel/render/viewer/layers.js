// The slider: layers as build steps, with what each adds, changes and removes, and what would start after it.

const MARKS = { A: "added", M: "changed", D: "removed" };

class LayerSlider {
  /** @param {ImageModel} model @param {(layer: number) => void} moved */
  constructor(model, moved) {
    this.model = model;
    this.rows = model.result.layers.layers;
    const id = unique("layer");
    this.slider = /** @type {HTMLInputElement} */ (element("input", {
      type: "range", id, min: 1, max: this.rows.length, step: 1, value: model.layer + 1,
      input: () => moved(Number(this.slider.value) - 1),
    }));
    this.step = element("p", { class: "step" });
    this.start = element("p", { class: "start" });
    this.bars = element("ol", { class: "bars" });
    const most = Math.max(1, ...this.rows.map((/** @type {any} */ row) => row.content_size || 0));
    this.buttons = this.rows.map((/** @type {any} */ row, /** @type {number} */ at) => this.bar(row, at, most, moved));
    this.bars.append(...this.buttons.map((/** @type {HTMLElement} */ button) => element("li", {}, button)));
    this.node = element(
      "div", { class: "slider" },
      element("label", { for: id }, "The image after layer "), this.slider, this.bars, this.step, this.start,
    );
  }

  /** @param {any} row @param {number} at @param {number} most @param {(layer: number) => void} moved */
  bar(row, at, most, moved) {
    const known = this.model.result.bytes.layers[at];
    const size = row.content_size === null ? "not here" : sizeText(row.content_size);
    const lost = known ? known.unreachable : 0;
    const part = (/** @type {number} */ from, /** @type {number} */ bytes, /** @type {string} */ name) =>
      drawn("rect", { x: `${(100 * from) / most}%`, y: 0, height: "100%", width: `${(100 * bytes) / most}%`, class: name });
    const drawing = drawn(
      "svg", { "aria-hidden": "true" },
      known ? part(0, known.visible, "seen") : null,
      known ? part(known.visible, lost, "unseen") : null,
      part(known ? known.shipped : 0, (row.content_size || 0) - (known ? known.shipped : 0), "framing"),
    );
    const words = lost > 0 ? `${size}, ${sizeText(lost)} of it unreachable` : size;
    return element(
      "button", { type: "button", click: () => moved(at), title: `${row.label}: ${visible(row.created_by) || "no step"}` },
      element("span", { class: "label" }, row.label), drawing, element("span", { class: "size" }, words),
    );
  }

  show() {
    const { layer } = this.model;
    const row = this.rows[layer];
    this.slider.value = String(layer + 1);
    this.slider.setAttribute("aria-valuetext", `${row.label} of ${this.rows.length}`);
    this.buttons.forEach((/** @type {HTMLElement} */ button, /** @type {number} */ at) => {
      button.classList.toggle("above", at > layer);
      if (at === layer) button.setAttribute("aria-current", "step");
      else button.removeAttribute("aria-current");
    });
    const counts = row.added === null
      ? "what it does cannot be told"
      : `${plural(row.added, "path")} added, ${row.changed.toLocaleString("en-US")} changed, ${row.removed.toLocaleString("en-US")} removed`;
    const gap = this.rows.slice(0, layer + 1).some((/** @type {any} */ one) => one.content_size === null)
      ? " (incomplete: a layer is not here)" : "";
    this.step.replaceChildren(
      element("strong", {}, row.label), " ", element("code", {}, visible(row.created_by) || "no step in the history"),
      element("br"), `${counts}; the tree then: ${plural(this.model.total.paths, "path")}, ${sizeText(this.model.total.size)}${gap}`,
    );
    const start = this.model.result.starts.find((/** @type {any} */ one) => one.layer === layer);
    this.start.replaceChildren(...(start ? startWords(start) : []));
    this.start.className = `start ${start ? verdictLevel(start.verdict.kind) : ""}`;
  }
}

/** @param {any} start @returns {(Node | string)[]} */
function startWords(start) {
  const { verdict } = start;
  const lead = "If the image ended here: ";
  if (verdict.kind === "RUNS") {
    const what = start.pid1 ? element("code", {}, visible(start.pid1)) : element("code", {}, visible(start.execve));
    return [lead, element("strong", {}, "starts"), start.pid1 ? ", process 1 is " : ", with ", what];
  }
  if (verdict.kind === "FAILS") {
    return [lead, element("strong", {}, "fails"), ": ", element("code", {}, visible(verdict.text || verdict.message || ""))];
  }
  const why = verdict.kind === "DEPENDS" ? (verdict.depends || []).join("; ") : verdict.reason || "";
  return [lead, element("strong", {}, verdict.kind === "DEPENDS" ? "it depends" : "not known"), `: ${visible(why)}`];
}

/** @param {string} kind @returns {string} */
function verdictLevel(kind) {
  return kind === "RUNS" ? "good" : kind === "FAILS" ? "bad" : "warn";
}
