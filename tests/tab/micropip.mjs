// Installs the wheel of imagepeel with micropip from an index of this machine: node micropip.mjs READY WHEELS.
// READY holds node_modules/pyodide, WHEELS the wheel and those of its dependencies.
import { readFileSync, readdirSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { join, resolve } from "node:path";
const [ready, wheels] = process.argv.slice(2).map((path) => resolve(path));
const files = readdirSync(wheels).filter((name) => name.endsWith(".whl"));
const server = createServer((request, answer) => {
  const path = new URL(request.url, "http://x").pathname;
  if (path.startsWith("/simple/")) {
    const name = path.split("/")[2].replace(/[-_.]+/g, "-").toLowerCase();
    const found = files.filter((file) => file.split("-")[0].replace(/[-_.]+/g, "-").toLowerCase() === name);
    if (!found.length) return answer.writeHead(404).end();
    answer.writeHead(200, { "content-type": "text/html" });
    return answer.end(found.map((file) => `<a href="/files/${file}">${file}</a>`).join("\n"));
  }
  answer.writeHead(200, { "content-type": "application/zip" });
  answer.end(readFileSync(join(wheels, path.slice(7))));
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const home = createRequire(join(ready, "here.js")).resolve("pyodide/pyodide.mjs");
const { loadPyodide } = await import(pathToFileURL(home).href);
const python = await loadPyodide();
for (const name of ["micropip", "packaging"]) {
  const wheel = files.find((file) => file.startsWith(`${name}-`));
  await python.unpackArchive(new Uint8Array(readFileSync(join(wheels, wheel))), "wheel");
}
const index = `http://127.0.0.1:${server.address().port}/simple/{package_name}/`;
try {
  const out = await python.runPythonAsync(`
import io, json
import micropip
await micropip.install("imagepeel", index_urls=[${JSON.stringify(index)}])
import imagepeel
from imagepeel import forge
with imagepeel.open(io.BytesIO(forge.to_bytes([forge.build("shop")], "oci-archive", compression="zstd"))) as archive:
    image = archive.image()
    told = [image.process().pid1.argv[0], len(image.layers), sorted(micropip.list())]
json.dumps(told)
`);
  console.log(out);
} catch (error) {
  console.error(String(error.message).slice(-2000));
  process.exitCode = 1;
}
server.close();
process.exit();
