// Elements.  Text goes in as text nodes only: no markup is ever made from what an image says.

/**
 * @param {string} name
 * @param {Record<string, string | number | boolean | null | ((event: any) => void)>} given attributes; a function is a listener
 * @param {...(Node | string | null)} children
 * @returns {HTMLElement}
 */
function element(name, given = {}, ...children) {
  const node = document.createElement(name);
  fill(node, given, children);
  return node;
}

/**
 * @param {string} name
 * @param {Record<string, string | number | boolean | null | ((event: any) => void)>} given
 * @param {...(Node | string | null)} children
 * @returns {SVGElement}
 */
function drawn(name, given = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  fill(node, given, children);
  return node;
}

/** @param {Element} node @param {Record<string, any>} given @param {(Node | string | null)[]} children */
function fill(node, given, children) {
  for (const [key, value] of Object.entries(given)) {
    if (typeof value === "function") node.addEventListener(key, value);
    else if (value !== null && value !== false) node.setAttribute(key, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null));
}

let made = 0;

/** An id that no other element of the page has.  @param {string} name @returns {string} */
function unique(name) {
  made += 1;
  return `${name}-${made}`;
}

/** What no eye should be fooled by: control, bidi and invisible characters, as their code.  @param {string} text */
function visible(text) {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g,
    (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A command with a button that copies it.  @param {string} command @returns {HTMLElement} */
function receipt(command) {
  return element("div", { class: "receipt" }, element("pre", {}, visible(command)), copyButton(command));
}

/** @param {string} command @returns {HTMLElement} */
function copyButton(command) {
  const button = element("button", { type: "button", class: "copy", click: copy }, "copy");
  function copy() {
    const done = () => {
      button.textContent = "copied";
      setTimeout(() => { button.textContent = "copy"; }, 1500);
    };
    if (navigator.clipboard) navigator.clipboard.writeText(command).then(done, byHand);
    else byHand();
    function byHand() {
      // A page opened as a file may not use the clipboard: a selection can be copied by the keyboard.
      const near = button.parentElement?.querySelector("pre");
      if (near) getSelection()?.selectAllChildren(near);
      button.textContent = "selected: press Ctrl+C";
    }
  }
  return button;
}

/** A word as one of a shell's command line.  @param {string} word @returns {string} */
function quoted(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replace(/'/g, "'\\''")}'`;
}

/** Stripes for what no colour alone should say.  @returns {SVGElement} */
function hatch() {
  return drawn("defs", {}, drawn(
    "pattern", { id: "hatch", width: 8, height: 8, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    drawn("rect", { width: 8, height: 8, class: "hatch-ground" }), drawn("line", { x1: 0, y1: 0, x2: 0, y2: 8, class: "hatch-line" }),
  ));
}
