// The paths of an image after each layer, from the rows of `imagepeel report --json`.

/**
 * @typedef {[number, "added" | "replaced" | "removed", string | null, number, string, string, string, number]} PathStep
 * @typedef {{ number: number, name: string, path: string, parent: number, steps: PathStep[], below: number[] }} PathNode
 * @typedef {{ step: PathStep | null, mark: "" | "A" | "M" | "D", size: number, paths: number, lost: number }} State
 */

class ImageModel {
  /** @param {any} result one document of `imagepeel report --json` */
  constructor(result) {
    this.result = result;
    /** @type {PathNode[]} */
    this.nodes = [];
    /** @type {number[]} */
    this.roots = [];
    for (const [parent, name, steps] of result.paths) {
      const number = this.nodes.length;
      const above = parent < 0 ? "" : this.nodes[parent].path;
      this.nodes.push({ number, name, path: `${above}/${name}`, parent, steps, below: [] });
      (parent < 0 ? this.roots : this.nodes[parent].below).push(number);
    }
    this.last = result.layers.layers.length - 1;
    /** @type {State[]} */
    this.states = [];
    /** @type {State} */
    this.total = { step: null, mark: "", size: 0, paths: 0, lost: 0 };
    this.layer = this.last;
    this.go(this.last);
  }

  /** Play the layers up to one: what every path is then, and the sums of what is below it.  @param {number} layer */
  go(layer) {
    this.layer = layer;
    this.states = this.nodes.map((node) => stateOf(node.steps, layer));
    this.countOnce(layer);
    this.total = { step: null, mark: "", size: 0, paths: 0, lost: 0 };
    for (const [parent, steps] of this.result.rest) {
      const sums = parent < 0 ? this.total : this.states[parent];
      for (const [at, paths, size] of steps) {
        if (at > layer) continue;
        sums.paths += paths;
        sums.size += size;
      }
    }
    // Parents come before what is below them, so the way back meets all children first.
    for (let number = this.nodes.length - 1; number >= 0; number -= 1) {
      const { parent } = this.nodes[number];
      const sums = parent < 0 ? this.total : this.states[parent];
      const state = this.states[number];
      sums.size += state.size;
      sums.lost += state.lost;
      sums.paths += state.paths;
    }
  }

  /**
   * A file with several names counts at the first of those that are there, and is lost when the last of them is.
   * @param {number} layer
   */
  countOnce(layer) {
    /** @type {Map<number, { size: number, there: number, first: number }>} */
    const inodes = new Map();
    for (const node of this.nodes) {
      for (const step of node.steps) {
        if (!step[7] || step[0] > layer) continue;
        const inode = inodes.get(step[7]) || { size: step[3], there: -1, first: node.number };
        if (inode.there < 0 && this.states[node.number].step === step) inode.there = node.number;
        inodes.set(step[7], inode);
      }
    }
    for (const { size, there, first } of inodes.values()) {
      if (there >= 0) this.states[there].size += size;
      else this.states[first].lost += size;
    }
  }

  /** The rows below one, -1 for the root.  @param {number} number @returns {number[]} */
  below(number) {
    return number < 0 ? this.roots : this.nodes[number].below;
  }

  /** Whether a row is worth showing: it is there, or this layer took it away.  @param {number} number */
  shown(number) {
    const state = this.states[number];
    return state.step !== null || state.mark === "D";
  }

  /** How many paths below a row have no row of their own.  @param {number} number @returns {number} */
  unlisted(number) {
    let count = 0;
    for (const [parent, steps] of this.result.rest) {
      if (parent !== number) continue;
      for (const [at, paths] of steps) if (at <= this.layer) count += paths;
    }
    return count;
  }

  /** The row of a path, -1 for none.  @param {string} path */
  find(path) {
    return this.nodes.findIndex((node) => node.path === path);
  }
}

/** @param {PathStep[]} steps @param {number} layer @returns {State} */
function stateOf(steps, layer) {
  /** @type {PathStep | null} */
  let step = null;
  let mark = /** @type {State["mark"]} */ ("");
  let lost = 0;
  for (const one of steps) {
    if (one[0] > layer) break;
    if (step && !step[7]) lost += step[3] || 0;
    step = one[1] === "removed" ? null : one;
    if (one[0] === layer) mark = one[1] === "removed" ? "D" : one[1] === "added" ? "A" : "M";
  }
  return { step, mark, size: step && !step[7] ? step[3] || 0 : 0, paths: step ? 1 : 0, lost };
}
