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
const engine = the("engine", HTMLSelectElement);
const words = the("words", HTMLInputElement);
const recipe = the("recipe", HTMLTextAreaElement);
const progress = the("progress", HTMLProgressElement);
const cancel = the("cancel", HTMLButtonElement);
const save = the("save", HTMLButtonElement);
const tarball = the("tarball", HTMLElement);
let frame = the("page", HTMLIFrameElement);

/** What the page is about: a file of this machine, a teaching image, or a recipe. @type {"" | "file" | "gallery" | "recipe"} */
let chosen = "";
/** @type {File | undefined} */
let file;
let order = 0;
/** Whether the worker is at an order, and whether a later one waits for it: only the last of them is asked. */
let busy = false;
let waiting = false;
let page = "";
/** The command that is asked, and the one that made the page. */
let asked = "";
let shown = "";
/** Why nothing can be asked, "" where it can. */
let trouble = "";
/** Where the viewer of a report stands, as in the fragment of one that is saved. */
let place = "";
/** @type {Blob | undefined} */
let archive;
/** @type {(() => Worker) | undefined} */
let make;
/** @type {Worker | undefined} */
let worker;

function begin() {
  if (!make) return;
  worker = make();
  worker.onmessage = (event) => heard(event.data);
  worker.onerror = (event) => broken(event.message || "the worker does not start");
}

/** @param {string} why */
function broken(why) {
  worker = undefined;
  finish();
  trouble = `imagepeel cannot start here: ${why.replace(/[.\s]*$/, "")}. On a command line: imagepeel explain image.tar`;
  say(trouble, true);
}

/** @param {string} text @param {boolean} [bad] */
function say(text, bad = false) {
  const told = the("status", HTMLElement);
  told.textContent = text;
  told.classList.toggle("bad", bad);
}

/** @typedef {{ ready?: boolean, failed?: string, id?: number, done?: number, total?: number, code?: number, dead?: boolean, page?: string, errors?: string, archive?: Uint8Array<ArrayBuffer> }} Told */

/** @param {Told} told */
function heard(told) {
  if (told.failed) return broken(told.failed);
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
  if (told.dead) {
    worker?.terminate();
    begin();
  }
  if (waiting) return ask();
  answered(told);
}

/** @param {Told} told */
function answered(told) {
  const errors = (told.errors ?? "").trim();
  // While a recipe is being changed it is often none for a moment: what it was before stays.
  const stays = chosen === "recipe" && !told.page && page;
  if (!stays) {
    page = told.page ?? "";
    shown = asked;
    show();
    archive = told.archive && new Blob([told.archive], { type: "application/x-tar" });
    tarball.hidden = !archive;
    if (archive) the("made", HTMLElement).textContent = `${tarName()}.tar, ${archive.size.toLocaleString("en")} bytes.`;
  }
  save.disabled = !page;
  if (errors) say(stays ? `${errors}\nBelow is what the recipe made before.` : errors, (told.code ?? 0) !== 0);
  else say(told.code ? `It ended with ${told.code}.` : "Done.");
}

function tarName() {
  return chosen === "gallery" ? gallery.value : "recipe";
}

/**
 * A new frame for each page: Chromium sometimes draws nothing of a page that takes the place of another one.
 * A report has a script, and thereby no access to this page; a page without is measured from here.
 */
function show() {
  const next = document.createElement("iframe");
  next.id = frame.id;
  next.title = frame.title;
  next.hidden = !page;
  next.sandbox.value = isReport() ? "allow-scripts" : "allow-same-origin";
  next.name = place;
  next.srcdoc = isPage() ? page : `<pre>${page.replace(/&/g, "&amp;").replace(/</g, "&lt;")}</pre>`;
  frame.replaceWith(next);
  frame = next;
  frame.onload = measure;
}

/** As high as its page, so that one bar scrolls all, and paper has all. */
function measure() {
  const inside = isReport() ? undefined : frame.contentDocument?.documentElement;
  if (inside) tall(inside.getBoundingClientRect().height);
}

/** @param {number} height of what is in the frame */
function tall(height) {
  frame.style.height = `${Math.ceil(height) + 2}px`;
}

/** Whether the answer is a page; with --json it is text. */
function isPage() {
  return page.startsWith("<!doctype");
}

function isReport() {
  return isPage() && shown === "report";
}

function finish() {
  busy = false;
  cancel.disabled = true;
  progress.hidden = true;
}

function ask() {
  if (!chosen) return say("Choose an archive or a teaching image first.", true);
  remember();
  if (trouble) return say(trouble, true);
  say("Reading ...");
  cancel.disabled = false;
  save.disabled = true;
  waiting = busy || !worker;
  if (waiting) return;
  busy = true;
  order += 1;
  asked = command.value;
  worker?.postMessage({
    id: order,
    words: [command.value, ...(engine.value && command.value === "process" ? ["--engine", engine.value] : []), ...split(words.value)],
    file: chosen === "file" ? file : undefined,
    name: chosen === "gallery" ? gallery.value : undefined,
    recipe: chosen === "recipe" ? recipe.value : undefined,
  });
}

/** Words as a shell cuts them: blanks, and quotes around a word that has some. @param {string} text */
function split(text) {
  return [...text.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map((found) => found[1] ?? found[2] ?? found[3]);
}

/** Another image is looked at from its beginning. @param {"file" | "gallery" | "recipe"} what */
function choose(what) {
  if (what !== "recipe" || chosen !== "recipe") place = "";
  chosen = what;
  if (what !== "gallery") gallery.value = "";
  if (what !== "file") fileInput.value = "";
  ask();
}

/** @param {File} one */
function take(one) {
  file = one;
  choose("file");
}

function remember() {
  const state = new URLSearchParams(chosen === "file" ? "" : place);
  if (chosen === "gallery") state.set("gallery", gallery.value);
  if (chosen === "recipe") state.set("recipe", recipe.value);
  if (command.value !== "report") state.set("command", command.value);
  if (engine.value) state.set("engine", engine.value);
  if (words.value) state.set("words", words.value);
  history.replaceState(null, "", `#${state}`);
  the("by", HTMLElement).hidden = command.value !== "process";
}

function recall() {
  const state = new URLSearchParams(location.hash.slice(1));
  pick(command, state.get("command") ?? "report");
  pick(engine, state.get("engine") ?? "");
  the("by", HTMLElement).hidden = command.value !== "process";
  words.value = state.get("words") ?? "";
  const text = state.get("recipe");
  chosen = text !== null ? "recipe" : pick(gallery, state.get("gallery") ?? "") && gallery.value ? "gallery" : "";
  if (text !== null) {
    recipe.value = text;
    the("workshop", HTMLDetailsElement).open = true;
  }
  const stands = [...state].filter(([key]) => key === "layer" || key === "path");
  place = String(new URLSearchParams(stands));
  if (chosen) ask();
}

/** Whether the list has this choice, which it then makes. @param {HTMLSelectElement} list @param {string} value */
function pick(list, value) {
  const there = [...list.options].some((option) => option.value === value);
  if (there) list.value = value;
  return there;
}

/** @param {Blob} what @param {string} called */
function download(what, called) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(what);
  link.download = called;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

the("ask", HTMLFormElement).onsubmit = (event) => {
  event.preventDefault();
  ask();
};
fileInput.onchange = () => fileInput.files?.[0] && take(fileInput.files[0]);
gallery.onchange = () => gallery.value && choose("gallery");
command.onchange = () => {
  the("by", HTMLElement).hidden = command.value !== "process";
  if (chosen) ask();
};
engine.onchange = () => chosen && ask();
/** @type {ReturnType<typeof setTimeout> | undefined} */
let pause;
recipe.oninput = () => {
  clearTimeout(pause);
  pause = setTimeout(() => choose("recipe"), 600);
};
cancel.onclick = () => {
  // Python cannot be interrupted without headers that a plain web server does not send: it is started again.
  worker?.terminate();
  order += 1;
  finish();
  waiting = false;
  begin();
  say("Cancelled.");
};
save.onclick = () => {
  const [type, end] = isPage() ? ["text/html", "html"] : ["application/json", "json"];
  download(new Blob([page], { type }), `${shown}.${end}`);
};
the("keep", HTMLButtonElement).onclick = () => archive && download(archive, `${tarName()}.tar`);
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("over");
});
addEventListener("dragleave", () => document.body.classList.remove("over"));
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("over");
  const one = event.dataTransfer?.files[0];
  if (one) take(one);
});
addEventListener("message", (/** @type {MessageEvent} */ { source, data }) => {
  if (source !== frame.contentWindow || !isReport()) return;
  if (typeof data.height === "number") tall(data.height);
  if (typeof data.place === "string") {
    place = data.place;
    remember();
  }
});
addEventListener("resize", measure);
addEventListener("hashchange", recall);

async function boot() {
  const missing = lacking();
  if (missing) return broken(`this browser has no ${missing}`);
  recall();
  try {
    make = await workshop();
  } catch (error) {
    return broken(String((error && /** @type {Error} */ (error).message) || error));
  }
  begin();
  if (waiting) ask();
  if (location.protocol !== "file:" && "serviceWorker" in navigator) navigator.serviceWorker.register("offline.js").catch(() => {});
}

boot();
