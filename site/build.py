"""Build the folder that runs imagepeel in a browser tab: Pyodide, the packages, and a page.

    python site/build.py READY OUT     # READY is what `make pyodide` prepared
    python site/build.py READY OUT --pin

What comes from elsewhere is pinned: a file of Pyodide or a wheel whose SHA-256 is not in pins.json is refused; `--pin`
writes pins.json anew.  Any web server can serve the folder, such as `python -m http.server`; as a file its
index.html opens too.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import html
import json
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from imagepeel.process.engines.registry import engine_names

HERE = Path(__file__).parent
ROOT = HERE.parent
SCRIPTS = ("pyodide.asm.mjs", "pyodide.js")
"""Scripts of Pyodide that stand in the worker's file before ours."""
PYODIDE = ("pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json")
CARRIED = ("worker.js", "packages.zip", *(f"pyodide/{name}" for name in PYODIDE))
"""What carried.js holds for a page that was opened as a file."""
PURE = ("click", "jinja2", "markupsafe", "elftools")
"""Packages of Python alone; markupsafe goes without its C part."""
COMMANDS = (
    *("report", "explain", "layers", "tree", "process", "wtf", "waste"),
    *("anatomy", "operate", "loadable", "views", "du"),
)
PINS = HERE / "pins.json"
STAMP = (1980, 1, 1, 0, 0, 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ready", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pin", action="store_true", help="write pins.json for what is there now")
    options = parser.parse_args()
    pyodide = options.ready / "node_modules" / "pyodide"
    wheels = sorted(options.ready.glob("msgspec-*.whl"))
    if not wheels:
        sys.exit(f"{options.ready} has no wheel of msgspec: run make pyodide")
    foreign = [*(pyodide / name for name in (*SCRIPTS, *PYODIDE)), wheels[-1]]
    check(foreign, anew=options.pin)
    shutil.rmtree(options.out, ignore_errors=True)
    (options.out / "pyodide").mkdir(parents=True)
    for name in PYODIDE:
        shutil.copy(pyodide / name, options.out / "pyodide" / name)
    packages(wheels[-1], options.out / "packages.zip")
    for name in ("folder.js", "tab.js", "tab.css"):
        shutil.copy(HERE / name, options.out / name)
    shutil.copy(ROOT / "src" / "imagepeel" / "render" / "templates" / "page.css", options.out / "page.css")
    (options.out / "worker.js").write_text(worker(pyodide), encoding="utf-8")
    (options.out / "index.html").write_text(index(), encoding="utf-8")
    carried(options.out)
    offline(options.out)


def check(files: list[Path], *, anew: bool) -> None:
    """Compare the files with pins.json, and end where one is another than the pinned one."""
    found = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    if anew:
        PINS.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    pinned = json.loads(PINS.read_text(encoding="utf-8"))
    wrong = [name for name, digest in found.items() if pinned.get(name) != digest]
    if wrong:
        sys.exit(f"not what pins.json names: {', '.join(wrong)}; see --pin")


def packages(wheel: Path, place: Path) -> None:
    """Write one zip with all Python code, in one order and with one time: the same tree gives the same bytes."""
    files: dict[str, bytes] = {"imagepeel_tab.py": (HERE / "imagepeel_tab.py").read_bytes()}
    for name in ("imagepeel", *PURE):
        spec = find_spec(name)
        assert spec is not None and spec.origin is not None
        top = Path(spec.origin).parent
        for file in top.rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts and file.suffix not in (".so", ".pyi", ".c"):
                files[f"{name}/{file.relative_to(top)}"] = file.read_bytes()
    with zipfile.ZipFile(wheel) as zipped:
        files.update({name: zipped.read(name) for name in zipped.namelist() if not name.endswith("/")})
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as out:
        for name, data in sorted(files.items()):
            out.writestr(zipfile.ZipInfo(name, STAMP), data, zipfile.ZIP_DEFLATED)


def worker(pyodide: Path) -> str:
    """Return the worker: the scripts of Pyodide as plain ones, which every page may start, and ours."""
    module, loader = ((pyodide / name).read_text(encoding="utf-8") for name in SCRIPTS)
    for found, instead in (("import.meta.url", "self.location.href"), ("export default _createPyodideModule;", "")):
        assert found in module, found
        module = module.replace(found, instead)
    loader = loader.partition("//# sourceMappingURL")[0]
    # Pyodide takes a worker that can import scripts for one that it does not support.
    return "\n".join(
        ("self.importScripts = undefined;", module, loader, (HERE / "worker.js").read_text(encoding="utf-8"))
    )


def carried(out: Path) -> None:
    """Write the script that holds what a page of `file:` cannot fetch; gzip's checksum notices a damaged one."""
    with (out / "carried.js").open("w", encoding="ascii") as script:
        for name in CARRIED:
            packed = gzip.compress((out / name).read_bytes(), mtime=0)
            script.write(f"carry({json.dumps(name)}, {json.dumps(base64.b64encode(packed).decode())});\n")


def own(*words: str) -> str:
    """Return what a command of imagepeel prints."""
    command = [sys.executable, "-m", "imagepeel", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def index() -> str:
    """Return the page; its policy names the script and the styles of the pages that imagepeel writes, by their hash."""
    scripts: set[str] = set()
    styles: set[str] = set()
    with tempfile.TemporaryDirectory() as folder:
        image = str(Path(folder) / "hello.tar")
        own("forge", "hello", image)
        for command in COMMANDS:
            page = own(command, image, *(("-o", "-") if command == "report" else ("--html", "-")))
            policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
            assert policy is not None
            for part in policy[1].split(";"):
                name, *words = part.split()
                hashes = {word for word in words if word.startswith("'sha256-")}
                (scripts if name == "script-src" else styles).update(hashes)
    images = json.loads(own("forge", "--list", "--json"))["result"]["images"]
    given = {
        "scripts": " ".join(sorted(scripts)),
        "styles": " ".join(sorted(styles)),
        "commands": options((name, name) for name in COMMANDS),
        "engines": options((one, one) for one in engine_names()),
        "images": options((one["name"], f"{one['name']}: {one['description']}") for one in images),
        "recipe": html.escape((ROOT / "examples" / "recipe.json").read_text(encoding="utf-8")),
    }
    page = (HERE / "index.html").read_text(encoding="utf-8")
    for key, value in given.items():
        page = page.replace("{{ " + key + " }}", value)
    return page


def options(pairs: Iterable[tuple[str, str]]) -> str:
    """Return the choices of a list, value and words each."""
    return "".join(f'<option value="{html.escape(value)}">{html.escape(words)}</option>' for value, words in pairs)


def offline(out: Path) -> None:
    """Write the service worker, which knows all files that a server is asked for, and one hash over them."""
    files = (file for file in out.rglob("*") if file.is_file() and file.name != "carried.js")
    names = sorted(str(file.relative_to(out)) for file in files)
    digest = hashlib.sha256()
    for name in names:
        digest.update(name.encode() + b"\0" + (out / name).read_bytes())
    text = (HERE / "offline.js").read_text(encoding="utf-8")
    text = text.replace("{{ version }}", digest.hexdigest()[:16]).replace('["{{ files }}"]', json.dumps([".", *names]))
    (out / "offline.js").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
