// The tree of the image after a layer: a tree of the accessibility standard, its branches made when they are opened.

const MOST_ROWS = 400;

class PathTree {
  /** @param {ImageModel} model @param {(number: number) => void} chosen */
  constructor(model, chosen) {
    this.model = model;
    this.chosen = chosen;
    /** @type {Set<number>} */
    this.open = new Set();
    this.current = -1;
    this.order = "name";
    this.changesOnly = false;
    const [search, sort] = [unique("search"), unique("sort")];
    this.query = /** @type {HTMLInputElement} */ (element("input", {
      type: "search", id: search, autocomplete: "off", placeholder: "part of a path", input: () => this.show(),
    }));
    this.sorting = /** @type {HTMLSelectElement} */ (element(
      "select", { id: sort, change: () => { this.order = this.sorting.value; this.show(); } },
      element("option", { value: "name" }, "name"), element("option", { value: "size" }, "size"),
    ));
    this.only = /** @type {HTMLInputElement} */ (element("input", {
      type: "checkbox", change: () => { this.changesOnly = this.only.checked; this.show(); },
    }));
    this.status = element("p", { class: "note", role: "status" });
    this.list = element("ul", { role: "tree", "aria-label": "paths of the image", class: "paths", keydown: (/** @type {KeyboardEvent} */ event) => this.key(event) });
    this.node = element(
      "div", { class: "tree" },
      element(
        "div", { class: "tools" },
        element("label", { for: search }, "find "), this.query,
        element("label", { for: sort }, "sort by "), this.sorting,
        element("label", {}, this.only, " only what this layer changes"),
      ),
      this.status, this.list,
    );
  }

  /** @param {number[]} rows @returns {number[]} */
  sorted(rows) {
    const { nodes, states } = this.model;
    const shown = rows.filter((number) => this.model.shown(number) && (!this.changesOnly || this.changed(number)));
    const bySize = (/** @type {number} */ a, /** @type {number} */ b) =>
      states[b].size - states[a].size || (nodes[a].name < nodes[b].name ? -1 : 1);
    const byName = (/** @type {number} */ a, /** @type {number} */ b) => (nodes[a].name < nodes[b].name ? -1 : 1);
    return shown.sort(this.order === "size" ? bySize : byName);
  }

  /** Whether this layer changes a path or something below it.  @param {number} number @returns {boolean} */
  changed(number) {
    if (!this.marked) {
      const marked = (this.marked = new Uint8Array(this.model.nodes.length));
      for (let at = marked.length - 1; at >= 0; at -= 1) {
        const { mark } = this.model.states[at];
        const node = this.model.nodes[at];
        const repeats = mark === "M" && node.below.length > 0;
        if (marked[at] || (mark && !repeats)) {
          marked[at] = 1;
          if (node.parent >= 0) marked[node.parent] = 1;
        }
      }
    }
    return this.marked[number] === 1;
  }

  show() {
    this.marked = null;
    const words = this.query.value.trim().toLowerCase();
    const focused = this.list.contains(document.activeElement);
    this.list.replaceChildren();
    if (words) this.search(words);
    else {
      this.branch(this.list, -1, 1);
      const left = this.model.unlisted(-1) + this.model.result.rest.reduce((/** @type {number} */ sum, /** @type {any} */ [parent]) => sum + (parent < 0 ? 0 : this.model.unlisted(parent)), 0);
      this.status.textContent = left
        ? `${plural(left, "path")} of this image ${left === 1 ? "has" : "have"} no row here: the sums count them, imagepeel find lists them.`
        : "";
    }
    this.rove();
    if (focused) this.focus();
  }

  /** @param {string} words */
  search(words) {
    const { nodes } = this.model;
    const found = nodes.filter((node) => node.path.toLowerCase().includes(words) && this.model.shown(node.number));
    const rows = this.sorted(found.map((node) => node.number));
    rows.slice(0, MOST_ROWS).forEach((number) => this.list.append(this.row(number, 1, nodes[number].path)));
    const cut = rows.length > MOST_ROWS ? `, the first ${MOST_ROWS} are here` : "";
    const left = this.model.result.rest.length ? "; paths without a row were not searched" : "";
    this.status.textContent = `${plural(rows.length, "path")} found${cut}${left}.`;
  }

  /** @param {HTMLElement} list @param {number} number @param {number} level */
  branch(list, number, level) {
    const rows = this.sorted(this.model.below(number));
    rows.slice(0, MOST_ROWS).forEach((below) => list.append(this.row(below, level, this.model.nodes[below].name)));
    const more = rows.length - MOST_ROWS;
    if (more > 0) list.append(element("li", { role: "none", class: "note" }, `${plural(more, "more path")}: search for them`));
    const left = this.changesOnly ? 0 : this.model.unlisted(number);
    if (left > 0) list.append(element("li", { role: "none", class: "note" }, `${plural(left, "path")} without a row`));
  }

  /** @param {number} number @param {number} level @param {string} name @returns {HTMLElement} */
  row(number, level, name) {
    const state = this.model.states[number];
    const node = this.model.nodes[number];
    const step = state.step;
    const gone = step === null;
    const folder = step !== null && step[2] === "dir";
    const from = step === null ? "" : label(step[0]);
    const mark = state.mark && /** @type {keyof typeof MARKS} */ (state.mark);
    const line = unique("row");
    const made = element(
      "li", {
        role: "treeitem", tabindex: -1, "aria-level": level, "data-number": number,
        "aria-expanded": folder ? String(this.open.has(number)) : null, "aria-selected": String(number === this.current),
        class: gone ? "gone" : "", "aria-labelledby": line,
      },
      element(
        "span", { class: "line", id: line, click: () => this.take(number) },
        element("span", { class: `mark ${state.mark}`, title: mark ? `${MARKS[mark]} by this layer` : "" }, state.mark || " "),
        element("span", { class: "from", title: "the layer that has it" }, from),
        element("span", { class: "amount" }, gone ? "" : sizeText(state.size)),
        element("span", { class: folder ? "name folder" : "name" }, visible(name) + (folder ? "/" : "")),
        step && step[2] === "symlink" ? element("span", { class: "target" }, ` -> ${visible(step[6])}`) : null,
      ),
    );
    if (folder && this.open.has(number) && !this.query.value.trim()) {
      const group = element("ul", { role: "group" });
      this.branch(group, number, level + 1);
      made.append(group);
    }
    return made;
  }

  /** @param {number} number */
  take(number) {
    this.current = number;
    const folder = this.model.states[number].step?.[2] === "dir";
    if (folder && !this.query.value.trim()) {
      if (this.open.has(number)) this.open.delete(number);
      else this.open.add(number);
    }
    this.show();
    this.focus();
    this.chosen(number);
  }

  /** Open everything above a path and choose it.  @param {number} number */
  reveal(number) {
    for (let at = this.model.nodes[number].parent; at >= 0; at = this.model.nodes[at].parent) this.open.add(at);
    this.query.value = "";
    this.current = number;
    this.show();
    this.chosen(number);
  }

  /** @returns {HTMLElement[]} */
  items() {
    return /** @type {HTMLElement[]} */ ([...this.list.querySelectorAll('[role="treeitem"]')]);
  }

  /** One row is in the order of the Tab key; the arrows go on from there. */
  rove() {
    const items = this.items();
    const now = items.find((item) => Number(item.dataset.number) === this.current) || items[0];
    items.forEach((item) => item.setAttribute("tabindex", item === now ? "0" : "-1"));
  }

  focus() {
    this.items().find((item) => item.getAttribute("tabindex") === "0")?.focus();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const items = this.items();
    const now = items.findIndex((item) => item === document.activeElement);
    if (now < 0) return;
    const number = Number(items[now].dataset.number);
    const expanded = items[now].getAttribute("aria-expanded");
    const go = (/** @type {number} */ at) => {
      const item = items[Math.min(Math.max(at, 0), items.length - 1)];
      this.current = Number(item.dataset.number);
      this.rove();
      item.focus();
    };
    if (event.key === "ArrowDown" || event.key === "j") go(now + 1);
    else if (event.key === "ArrowUp" || event.key === "k") go(now - 1);
    else if (event.key === "Home") go(0);
    else if (event.key === "End") go(items.length - 1);
    else if (event.key === "Enter" || event.key === " ") this.take(number);
    else if (event.key === "ArrowRight" && expanded === "false") this.take(number);
    else if (event.key === "ArrowRight" && expanded === "true") go(now + 1);
    else if (event.key === "ArrowLeft" && expanded === "true") this.take(number);
    else if (event.key === "ArrowLeft") {
      const above = items.findIndex((item) => Number(item.dataset.number) === this.model.nodes[number].parent);
      if (above >= 0) go(above);
    } else return;
    event.preventDefault();
  }
}
