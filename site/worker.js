// imagepeel in a worker: Python is started once, and each order is one command line about one file.
// The page that makes this worker gives it its content security policy: nothing leaves this folder.
import { loadPyodide } from "./pyodide/pyodide.mjs";

/** @typedef {{ id: number, words: string[], file?: File, name?: string, recipe?: string }} Order */

const IN = "/in";
const started = start();

async function start() {
  const python = await loadPyodide({ stdout: () => {}, stderr: () => {} });
  const answer = await fetch(new URL("./packages.zip", import.meta.url));
  if (!answer.ok) throw new Error(`packages.zip: ${answer.status}`);
  await python.unpackArchive(await answer.arrayBuffer(), "zip", { extractDir: "/packages" });
  python.FS.mkdirTree(IN);
  python.runPython("import sys; sys.path.insert(0, '/packages')");
  const run = python.pyimport("imagepeel_tab").run;
  postMessage({ ready: true });
  return { python, run };
}

/** @param {MessageEvent<Order>} event */
self.onmessage = async (event) => {
  const { id, words, file, recipe, name } = event.data;
  try {
    const { python, run } = await started;
    if (file) python.FS.mount(python.FS.filesystems.WORKERFS, { files: [file] }, IN);
    try {
      const progress = (/** @type {number} */ done, /** @type {number} */ total) => postMessage({ id, done, total });
      const place = file ? `${IN}/${file.name}` : "";
      const found = run(python.toPy(words), place, name ?? "", recipe ?? "", progress);
      const [code, page, errors] = found.toJs();
      found.destroy();
      postMessage({ id, code, page, errors });
    } finally {
      if (file) python.FS.unmount(IN);
    }
  } catch (error) {
    postMessage({ id, code: 70, page: "", errors: String(error && /** @type {Error} */ (error).message || error) });
  }
};
started.catch((error) => postMessage({ failed: String(error && error.message || error) }));
