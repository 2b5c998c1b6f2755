// Where the bytes are: a treemap of one directory, to zoom into; what is shipped and cannot be reached is hatched.

const WIDE = 960;
const HIGH = 420;
const MOST_BOXES = 60;

class ByteMap {
  /** @param {ImageModel} model @param {(number: number) => void} chosen */
  constructor(model, chosen) {
    this.model = model;
    this.chosen = chosen;
    this.at = -1;
    this.way = element("p", { class: "way" });
    this.picture = element("div", { class: "map" });
    this.node = element("div", {}, this.way, this.picture);
  }

  show() {
    const { nodes, states } = this.model;
    while (this.at >= 0 && !states[this.at].size && !states[this.at].lost) this.at = nodes[this.at].parent;
    const above = [];
    for (let at = this.at; at >= 0; at = nodes[at].parent) above.unshift(at);
    const total = this.at < 0 ? this.model.total : states[this.at];
    this.way.replaceChildren(
      this.step(-1, "/"), ...above.flatMap((at) => [" ", this.step(at, `${visible(nodes[at].name)}/`)]),
      ` ${sizeText(total.size)} in the tree`, total.lost ? `, and ${sizeText(total.lost)} that layers ship and nobody can reach` : "",
    );
    const boxes = this.model.below(this.at)
      .map((number) => ({ number, size: states[number].size + states[number].lost }))
      .filter((box) => box.size > 0)
      .sort((a, b) => b.size - a.size);
    const drawnBoxes = boxes.slice(0, MOST_BOXES);
    const sum = drawnBoxes.reduce((all, box) => all + box.size, 0);
    const places = squares(drawnBoxes.map((box) => box.size), sum, WIDE, HIGH);
    const svg = drawn(
      "svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "group", "aria-label": "directories and files by size" },
      ...places.map((place, index) => this.box(drawnBoxes[index].number, place)),
      ...places.flatMap((place, index) => this.words(drawnBoxes[index].number, place)),
    );
    const left = boxes.length - drawnBoxes.length;
    this.picture.replaceChildren(
      sum ? svg : element("p", { class: "note" }, "No file here has any bytes."),
      left > 0 ? element("p", { class: "note" }, `${plural(left, "smaller one")} not drawn`) : "",
    );
  }

  /** @param {number} number @param {string} name */
  step(number, name) {
    if (number === this.at) return element("strong", {}, name);
    return element("button", { type: "button", class: "link", click: () => this.zoom(number) }, name);
  }

  /** @param {number} number */
  zoom(number) {
    this.at = number;
    this.show();
  }

  /** @param {number} number @param {{ x: number, y: number, width: number, height: number }} place */
  box(number, place) {
    const node = this.model.nodes[number];
    const state = this.model.states[number];
    const folder = node.below.length > 0;
    const seen = state.size / (state.size + state.lost);
    const words = `${visible(node.name)}${folder ? "/" : ""}`;
    const said = `${words}, ${sizeText(state.size)}${state.lost ? `, ${sizeText(state.lost)} unreachable` : ""}`;
    const take = () => (folder ? this.zoom(number) : this.chosen(number));
    return drawn(
      "g", {
        class: folder ? "box folder" : "box", tabindex: 0, role: "button", "aria-label": said, click: take,
        keydown: (/** @type {KeyboardEvent} */ event) => {
          if (event.key !== "Enter" && event.key !== " ") return;
          event.preventDefault();
          take();
        },
      },
      drawn("title", {}, said),
      drawn("rect", { ...place, class: "seen" }),
      state.lost ? drawn("rect", { x: place.x, y: place.y + place.height * seen, width: place.width, height: place.height * (1 - seen), class: "unseen", fill: "url(#hatch)" }) : null,
    );
  }

  /** What is written on a box, for the eye alone: its name is the box's own.  @param {number} number @param {{ x: number, y: number, width: number, height: number }} place */
  words(number, { x, y, width, height }) {
    const node = this.model.nodes[number];
    const state = this.model.states[number];
    const name = `${visible(node.name)}${node.below.length > 0 ? "/" : ""}`;
    const room = Math.floor(width / 8.2);
    if (height <= 20 || room < 3) return [];
    const said = [drawn("text", { x: x + 5, y: y + 15, "aria-hidden": "true" }, clipped(name, room))];
    if (height > 38) said.push(drawn("text", { x: x + 5, y: y + 31, class: "amount", "aria-hidden": "true" }, sizeText(state.size + state.lost)));
    return said;
  }
}

/**
 * Squarified: rows of boxes along the shorter side, each row as long as it makes the boxes squarer.
 * @param {number[]} sizes largest first @param {number} sum @param {number} width @param {number} height
 * @returns {{ x: number, y: number, width: number, height: number }[]}
 */
function squares(sizes, sum, width, height) {
  const out = [];
  let [x, y, wide, high] = [0, 0, width, height];
  let at = 0;
  let rest = sum;
  while (at < sizes.length && rest > 0) {
    const side = Math.min(wide, high);
    const scale = (wide * high) / rest;
    let count = 1;
    let row = sizes[at];
    while (at + count < sizes.length && squarer(sizes, at, count, row, side, scale)) row += sizes[at + count++];
    const deep = (row * scale) / side;
    let along = 0;
    for (let index = at; index < at + count; index += 1) {
      const long = ((sizes[index] * scale) / deep) || 0;
      out.push(wide <= high
        ? { x: x + along, y, width: Math.max(0, long - 2), height: Math.max(0, deep - 2) }
        : { x, y: y + along, width: Math.max(0, deep - 2), height: Math.max(0, long - 2) });
      along += long;
    }
    if (wide <= high) [y, high] = [y + deep, high - deep];
    else [x, wide] = [x + deep, wide - deep];
    rest -= row;
    at += count;
  }
  return out;
}

/** Whether one box more makes the worst box of a row squarer. */
function squarer(/** @type {number[]} */ sizes, /** @type {number} */ at, /** @type {number} */ count, /** @type {number} */ row, /** @type {number} */ side, /** @type {number} */ scale) {
  const worst = (/** @type {number} */ sum, /** @type {number} */ most, /** @type {number} */ least) =>
    Math.max((side * side * most) / (sum * sum * scale), (sum * sum * scale) / (side * side * least));
  const next = row + sizes[at + count];
  return worst(next, sizes[at], sizes[at + count]) <= worst(row, sizes[at], sizes[at + count - 1]);
}
