// imagepeel in a worker: Python is started once, and each order is one command line about one file.
// The page that makes this worker gives it its content security policy: nothing leaves this folder.
// The two scripts of Pyodide stand before this one in the same file: a worker of a page from `file:` can load none.
// @ts-check

/** @typedef {{ id: number, words: string[], file?: File, name?: string, recipe?: string }} Order */

const IN = "/in";
/** @type {Promise<{ python: any, run: any }>} */
let started;

/** @param {string} folder where this folder is @param {Record<string, Blob>} carried files that the page brought, as gzip */
async function start(folder, carried) {
  const asked = self.fetch;
  self.fetch = async (what, options) => {
    const name = String(what).slice(folder.length);
    if (!Object.hasOwn(carried, name)) return asked(what, options);
    const unpacked = carried[name].stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(unpacked, { headers: { "content-type": name.endsWith(".wasm") ? "application/wasm" : "" } });
  };
  const quiet = () => {};
  // @ts-ignore: both are scripts of Pyodide
  const python = await loadPyodide({ createPyodideModule: _createPyodideModule, indexURL: `${folder}pyodide/`, stdout: quiet, stderr: quiet });
  const answer = await fetch(`${folder}packages.zip`);
  if (!answer.ok) throw new Error(`packages.zip: ${answer.status}`);
  await python.unpackArchive(await answer.arrayBuffer(), "zip", { extractDir: "/packages" });
  python.FS.mkdirTree(IN);
  python.runPython("import sys; sys.path.insert(0, '/packages')");
  const run = python.pyimport("imagepeel_tab").run;
  postMessage({ ready: true });
  return { python, run };
}

/** @param {Order} order */
async function answer({ id, words, file, recipe, name }) {
  const { python, run } = await started;
  if (file && !(await readable(file))) {
    return postMessage({ id, code: 1, errors: `error: ${file.name} changed or went away since it was chosen\n  try: choose it again` });
  }
  if (file) python.FS.mount(python.FS.filesystems.WORKERFS, { files: [file] }, IN);
  try {
    const progress = (/** @type {number} */ done, /** @type {number} */ total) => postMessage({ id, done, total });
    const place = file ? `${IN}/${file.name}` : "";
    const found = run(python.toPy(words), place, name ?? "", recipe ?? "", progress);
    const [code, page, errors, made] = found.toJs();
    found.destroy();
    postMessage({ id, code, page, errors, archive: made ? python.FS.readFile(made) : undefined });
  } finally {
    if (file) python.FS.unmount(IN);
  }
}

/** @param {MessageEvent<Order | { folder: string, carried: Record<string, Blob> }>} event */
self.onmessage = ({ data }) => {
  if ("folder" in data) {
    started = start(data.folder, data.carried);
    started.catch((error) => postMessage({ failed: String((error && error.message) || error) }));
  } else {
    // What Python itself does not answer for is mostly the end of its memory, after which it runs no more.
    answer(data).catch((error) => postMessage({ id: data.id, code: 70, dead: true, errors: stopped(error) }));
  }
};

/** A browser gives no byte of a file that another program wrote to.  @param {File} file */
async function readable(file) {
  return file.slice(0, 1).arrayBuffer().then(() => true, () => false);
}

/** @param {any} error */
function stopped(error) {
  const why = String((error && error.message) || error).trim().split("\n").pop();
  return `error: imagepeel could not go on with this file in a browser tab (${why}).\n  try: imagepeel explain FILE on a command line`;
}
