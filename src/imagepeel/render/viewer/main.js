// The viewer: it reads the data of the page, draws it, and keeps its state in the fragment of the address.

class Viewer {
  /** @param {any} result one document of `imagepeel report --json` @param {HTMLElement} place */
  constructor(result, place) {
    this.model = new ImageModel(result);
    this.life = element("div", { "aria-live": "polite" }, element("p", { class: "note" }, "Choose a path to see its life."));
    this.slider = this.model.last < 0 ? null : new LayerSlider(this.model, (layer) => this.move(layer));
    this.tree = new PathTree(this.model, (number) => this.choose(number));
    this.map = new ByteMap(this.model, (number) => this.tree.reveal(number));
    const chain = execDrawing(result.process, result.judges);
    const inexact = result.exact ? null : element("p", { class: "note" }, "A runtime refuses this image, so nobody knows what a later layer takes away: each path stands at the layer that has it.");
    place.append(
      element("h2", {}, "Peel it"), inexact || "", this.slider ? this.slider.node : element("p", { class: "note" }, "It has no layers."),
      element("div", { class: "panes" }, this.tree.node, this.life),
      element("h2", {}, "Where the bytes are"), this.map.node,
      ...(chain ? [element("h2", {}, "Who judges the start"), chain] : []),
      element("h2", {}, "Which digest names which bytes"), digestDrawing(result),
    );
    this.recall();
    this.show();
  }

  show() {
    this.slider?.show();
    this.tree.show();
    this.map.show();
  }

  /** @param {number} layer */
  move(layer) {
    this.model.go(layer);
    this.show();
    if (this.tree.current >= 0) this.life.replaceChildren(pathLife(this.model, this.tree.current));
    this.remember();
  }

  /** @param {number} number */
  choose(number) {
    this.life.replaceChildren(pathLife(this.model, number));
    this.remember();
  }

  remember() {
    const said = new URLSearchParams();
    if (this.model.layer !== this.model.last) said.set("layer", label(this.model.layer));
    if (this.tree.current >= 0) said.set("path", this.model.nodes[this.tree.current].path);
    if (framed()) parent.postMessage({ place: String(said) }, "*");
    else history.replaceState(null, "", `#${said}`);
  }

  recall() {
    const said = new URLSearchParams(framed() ? window.name : location.hash.slice(1));
    const layer = Number((said.get("layer") || "").replace(/^L/, "")) - 1;
    if (Number.isInteger(layer) && layer >= 0 && layer <= this.model.last) this.model.go(layer);
    const number = this.model.find(said.get("path") || "");
    if (number >= 0) this.tree.reveal(number);
  }
}

/** Whether another page shows this one: there is no address, and that page keeps the state, and gives it as the frame's name. */
function framed() {
  return location.protocol === "about:";
}

function openViewer() {
  const data = document.getElementById("data");
  const main = document.querySelector("main");
  if (!data || !main) return;
  const results = JSON.parse(data.textContent || "[]").map((/** @type {any} */ one) => one.result);
  const several = results.length > 1;
  // Of two images, what differs comes first.
  const after = several ? main.querySelector('section[id$="-1"]') : main.firstElementChild;
  if (results.length) main.before(drawn("svg", { class: "patterns", width: 0, height: 0, "aria-hidden": "true" }, hatch()));
  for (const result of results) {
    const place = element("section", { class: "viewer", "aria-label": several ? `viewer of ${visible(result.image.archive)}` : "viewer" });
    if (several) place.append(element("h2", {}, element("code", { class: "path" }, visible(result.image.archive.replace(/^.*\/(?=[^/])/, "")))));
    main.insertBefore(place, after);
    new Viewer(result, place);
  }
  for (const command of document.querySelectorAll("main > section:not(.viewer) details pre, main > section:not(.viewer) .try pre")) {
    command.after(copyButton(command.textContent || ""));
  }
}

openViewer();
if (framed()) {
  const page = document.documentElement;
  new ResizeObserver(() => parent.postMessage({ height: page.getBoundingClientRect().height }, "*")).observe(page);
}
