// What imagepeel costs as WebAssembly: node tab.mjs READY PACKAGES ARCHIVE; prints JSON with seconds of CPU.
// READY holds node_modules/pyodide, PACKAGES is the packages.zip of `make site`.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [ready, packages, archive] = process.argv.slice(2).map((path) => resolve(path));
const seconds = () => {
  const used = process.cpuUsage();
  return (used.user + used.system) / 1e6;
};
const started = seconds();
const home = createRequire(join(ready, "here.js")).resolve("pyodide/pyodide.mjs");
const { loadPyodide } = await import(pathToFileURL(home).href);
const python = await loadPyodide({ stdout: () => {}, stderr: () => {} });
const boot = seconds() - started;
await python.unpackArchive(new Uint8Array(readFileSync(packages)), "zip", { extractDir: "/packages" });
python.mountNodeFS("/in", dirname(archive));
python.runPython("import sys; sys.path.insert(0, '/packages')");
const run = python.pyimport("imagepeel_tab").run;
run(python.toPy(["process", "--json"]), "", "hello", "", () => {});
const verdict = seconds() - started;
const before = seconds();
const found = run(python.toPy(["explain", "--json"]), `/in/${basename(archive)}`, "", "", () => {});
const explain = seconds() - before;
console.log(JSON.stringify({ boot, verdict, explain, code: found.toJs()[0] }));
