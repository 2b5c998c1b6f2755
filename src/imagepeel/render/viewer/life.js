// The life of one path: which layer added, replaced or removed it, and the commands that say more.

/** @param {ImageModel} model @param {number} number @returns {HTMLElement} */
function pathLife(model, number) {
  const node = model.nodes[number];
  const { image, layers } = model.result;
  const rows = node.steps.map(([layer, what, kind, size, mode, owner, target]) => element(
    "tr", { class: layer > model.layer ? "dim" : "" },
    element("td", { class: "keep" }, label(layer)),
    element("td", {}, what === "removed" ? "removed" : `${what}: ${kind === "dir" ? "directory" : kind}`),
    element("td", { class: "right keep" }, what === "removed" || kind === "dir" ? "" : sizeText(size)),
    element("td", { class: "keep" }, what === "removed" ? "" : `${mode} ${owner}`),
    element("td", {}, kind === "symlink" ? element("code", {}, `-> ${visible(target)}`) : "",
      element("code", { class: "dim" }, visible(layers.layers[layer].created_by))),
  ));
  const head = element("tr", {}, ...["layer", "what", "size", "mode and owner", "step"].map((title) => element("th", { scope: "col" }, title)));
  const archive = quoted(image.archive);
  const name = quoted(node.path);
  const last = node.steps[node.steps.length - 1];
  const commands = [`imagepeel trace ${archive} ${name} --receipts`];
  if (last[1] !== "removed" && last[2] === "file") commands.push(`imagepeel cat ${archive} ${name}`);
  if (last[1] === "removed") commands.push(`imagepeel find ${archive} ${name} --removed`);
  return element(
    "div", { class: "life" },
    element("h3", {}, element("code", { class: "path" }, visible(node.path))),
    element("div", { class: "table" }, element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows))),
    ...commands.map(receipt),
  );
}
