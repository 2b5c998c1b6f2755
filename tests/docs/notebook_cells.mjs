// Runs the code cells of notebooks in Pyodide, as JupyterLite does: node notebook_cells.mjs READY SRC SITE NOTEBOOK...
// READY holds node_modules/pyodide and wheels: msgspec, and pandas with numpy where an index has them for WebAssembly.
// SITE has the packages of Python alone.
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { join, resolve } from "node:path";

const [ready, src, site, ...notebooks] = process.argv.slice(2).map((path) => resolve(path));
const home = createRequire(join(ready, "here.js")).resolve("pyodide/pyodide.mjs");
const { loadPyodide } = await import(pathToFileURL(home).href);
const python = await loadPyodide({ stdout: () => {} });
const wheels = readdirSync(ready).filter((name) => name.endsWith(".whl"));
for (const wheel of wheels) await python.unpackArchive(new Uint8Array(readFileSync(join(ready, wheel))), "wheel");
python.mountNodeFS("/src", src);
python.mountNodeFS("/site", site);
python.runPython("import sys; sys.path[:0] = ['/src']; sys.path.append('/site')");
// The one in SITE is for another machine.
if (!wheels.some((name) => name.startsWith("pandas-"))) python.runPython("sys.modules['pandas'] = None");
const run = python.runPython(`
import ast

def run(cells):
    """Run cells in one namespace as a notebook does; return for each the length of the HTML that it shows.

    Without a wheel of pandas the first cell that needs it ends the run.
    """
    names, shown = {"__name__": "__main__"}, []
    for cell in cells:
        tree = ast.parse(cell)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        try:
            exec(compile(tree, "cell", "exec"), names)
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names) if last else None
        except ModuleNotFoundError as error:
            if error.name != "pandas":
                raise
            break
        bundle = getattr(type(value), "_repr_mimebundle_", None)
        shown.append(len(bundle(value)["text/html"]) if bundle else 0)
    return shown
run`);
const told = {};
try {
  for (const path of notebooks) {
    const cells = JSON.parse(readFileSync(path, "utf8")).cells.filter((cell) => cell.cell_type === "code");
    told[path] = run(python.toPy(cells.map((cell) => cell.source.join("")))).toJs();
  }
  console.log(JSON.stringify(told));
} catch (error) {
  // Without its stack, which would be the whole of Pyodide.
  console.error(String(error.message).slice(-2000));
  process.exit(1);
}
