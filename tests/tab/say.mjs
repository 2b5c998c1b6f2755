// Runs command lines of imagepeel in Python under node: node say.mjs READY PACKAGES FOLDER, with the words as JSON on stdin.
// READY holds node_modules/pyodide, PACKAGES is the packages.zip of `make site`, FOLDER the archives; prints JSON.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [ready, packages, folder] = process.argv.slice(2).map((path) => resolve(path));
const asked = JSON.parse(readFileSync(0, "utf8"));
const home = createRequire(join(ready, "here.js")).resolve("pyodide/pyodide.mjs");
const { loadPyodide } = await import(pathToFileURL(home).href);
const python = await loadPyodide({ stdout: () => {}, stderr: () => {} });
await python.unpackArchive(new Uint8Array(readFileSync(packages)), "zip", { extractDir: "/packages" });
python.mountNodeFS("/in", folder);
python.runPython("import sys; sys.path.insert(0, '/packages')");
const run = python.pyimport("imagepeel_tab").run;
const said = asked.map(([name, ...words]) => run(python.toPy(words), `/in/${name}`, "", "", () => {}).toJs());
console.log(JSON.stringify(said.map(([code, out, errors]) => ({ code, out, errors }))));
