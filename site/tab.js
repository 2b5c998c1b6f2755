// The tab: what is chosen, the worker that answers, and the page that it makes.  State lives in the fragment of the
// address, so that a teaching image or a recipe is shared as a link; a file of the visitor never is.
// @ts-check

/** @template {HTMLElement} T @param {string} id @param {new () => T} kind @returns {T} */
function the(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`no ${id}`);
  return found;
}

const fileInput = the("file", HTMLInputElement);
const gallery = the("gallery", HTMLSelectElement);
const command = the("command", HTMLSelectElement);
const words = the("words", HTMLInputElement);
const recipe = the("recipe", HTMLTextAreaElement);
const status = the("status", HTMLElement);
const progress = the("progress", HTMLProgressElement);
let frame = the("page", HTMLIFrameElement);
const cancel = the("cancel", HTMLButtonElement);
const save = the("save", HTMLButtonElement);

/** What the page is about: a file of this machine, a teaching image, or a recipe. @type {"" | "file" | "gallery" | "recipe"} */
let chosen = "";
/** @type {File | undefined} */
let file;
let order = 0;
let page = "";
/** @type {Worker} */
let worker = begin();

/** A worker made from a blob has the policy of this page; one from an address would have none. */
function begin() {
  const source = `import ${JSON.stringify(new URL("worker.js", location.href).href)};`;
  const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const made = new Worker(address, { type: "module" });
  made.onmessage = (event) => heard(event.data);
  made.onerror = (event) => say(`imagepeel could not start here: ${event.message || "this browser lacks a part"}`, true);
  return made;
}

/** @param {string} text @param {boolean} [bad] */
function say(text, bad = false) {
  status.textContent = text;
  status.classList.toggle("bad", bad);
}

/** @param {{ ready?: boolean, failed?: string, id?: number, done?: number, total?: number, code?: number, page?: string, errors?: string }} told */
function heard(told) {
  if (told.failed) return say(`imagepeel could not start here: ${told.failed}`, true);
  if (told.ready) {
    if (!chosen) say("Ready. Nothing of what you choose leaves this tab.");
    return;
  }
  if (told.id !== order) return;
  if (told.done !== undefined) {
    progress.hidden = false;
    if (told.total) progress.value = Math.min(1, told.done / told.total);
    else progress.removeAttribute("value");
    return;
  }
  finish();
  const errors = (told.errors ?? "").trim();
  page = told.page ?? "";
  show();
  save.disabled = !page;
  if (errors) say(errors, (told.code ?? 0) !== 0);
  else say(told.code ? `It ended with ${told.code}.` : "Done.");
}

/** A new frame for each page: Chromium sometimes draws nothing of a page that takes the place of another one. */
function show() {
  const next = /** @type {HTMLIFrameElement} */ (frame.cloneNode());
  next.hidden = !page;
  next.srcdoc = isPage() ? page : `<pre>${page.replace(/&/g, "&amp;").replace(/</g, "&lt;")}</pre>`;
  frame.replaceWith(next);
  frame = next;
}

/** Whether the answer is a page; with --json it is text. */
function isPage() {
  return page.startsWith("<!doctype");
}

function finish() {
  cancel.disabled = true;
  progress.hidden = true;
}

function ask() {
  if (!chosen) return say("Choose an archive or a teaching image first.", true);
  remember();
  order += 1;
  say("Reading ...");
  cancel.disabled = false;
  save.disabled = true;
  worker.postMessage({
    id: order,
    words: [command.value, ...split(words.value)],
    file: chosen === "file" ? file : undefined,
    name: chosen === "gallery" ? gallery.value : undefined,
    recipe: chosen === "recipe" ? recipe.value : undefined,
  });
}

/** Words as a shell cuts them: blanks, and quotes around a word that has some. @param {string} text */
function split(text) {
  return [...text.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map((found) => found[1] ?? found[2] ?? found[3]);
}

/** @param {File} one */
function take(one) {
  chosen = "file";
  file = one;
  gallery.value = "";
  ask();
}

function remember() {
  const state = new URLSearchParams();
  if (chosen === "gallery") state.set("gallery", gallery.value);
  if (chosen === "recipe") state.set("recipe", recipe.value);
  if (command.value !== "report") state.set("command", command.value);
  if (words.value) state.set("words", words.value);
  history.replaceState(null, "", `#${state}`);
}

function recall() {
  const state = new URLSearchParams(location.hash.slice(1));
  const asked = state.get("command") ?? "report";
  if ([...command.options].some((option) => option.value === asked)) command.value = asked;
  words.value = state.get("words") ?? "";
  const name = state.get("gallery");
  const text = state.get("recipe");
  if (text !== null) {
    recipe.value = text;
    the("workshop", HTMLDetailsElement).open = true;
    chosen = "recipe";
  } else if (name !== null && [...gallery.options].some((option) => option.value === name)) {
    gallery.value = name;
    chosen = "gallery";
  }
  if (chosen === "recipe" || chosen === "gallery") ask();
}

the("ask", HTMLFormElement).onsubmit = (event) => {
  event.preventDefault();
  ask();
};
fileInput.onchange = () => fileInput.files?.[0] && take(fileInput.files[0]);
gallery.onchange = () => {
  if (!gallery.value) return;
  chosen = "gallery";
  ask();
};
command.onchange = () => chosen && ask();
the("bake", HTMLButtonElement).onclick = () => {
  chosen = "recipe";
  ask();
};
cancel.onclick = () => {
  // Python cannot be interrupted without headers that a plain web server does not send: it is started again.
  worker.terminate();
  order += 1;
  finish();
  worker = begin();
  say("Cancelled.");
};
save.onclick = () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([page], { type: isPage() ? "text/html" : "application/json" }));
  link.download = `${command.value}.${isPage() ? "html" : "json"}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
};
document.body.ondragover = (event) => {
  event.preventDefault();
  document.body.classList.add("over");
};
document.body.ondragleave = () => document.body.classList.remove("over");
document.body.ondrop = (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  const one = event.dataTransfer?.files[0];
  if (one) take(one);
};

const given = await (await fetch("gallery.json")).json();
for (const [name, about] of given.images) gallery.append(new Option(`${name}: ${about}`, name));
recipe.value = given.recipe;
if ("serviceWorker" in navigator) navigator.serviceWorker.register("offline.js").catch(() => {});
window.onhashchange = recall;
recall();
