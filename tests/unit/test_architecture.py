"""The folder tree is the architecture: a folder imports only folders below it, libraries live where they belong."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from imagepeel.evidence import layer_label

PACKAGE = Path(__file__).parents[2] / "src" / "imagepeel"
MODULES = sorted(PACKAGE.rglob("*.py"))

# From the bottom to the top.  Every module belongs to the longest name here that it begins with.  A folder imports only
# folders above it in this list: at top level, inside functions and for types alike.
ORDER = (
    "imagepeel._display",
    "imagepeel._lazy",
    "imagepeel._version",
    "imagepeel._zstd",
    "imagepeel.evidence",
    "imagepeel.errors",
    "imagepeel.limits",
    "imagepeel.tables",
    "imagepeel.masking",
    "imagepeel.text",
    "imagepeel.serialization",
    "imagepeel.formats.field",
    "imagepeel.formats.tar",
    "imagepeel.formats.elf",
    "imagepeel.formats.shell",
    "imagepeel.formats",
    "imagepeel.oci",
    "imagepeel.forge",
    "imagepeel.archive",
    "imagepeel.layers",
    "imagepeel.history",
    "imagepeel.rootfs.tree",
    "imagepeel.rootfs.engines",
    "imagepeel.rootfs",
    "imagepeel.versions",
    "imagepeel.image",
    "imagepeel.packages",
    "imagepeel.loading",
    "imagepeel.process.spec",
    "imagepeel.process.engines",
    "imagepeel.process.kernel",
    "imagepeel.process.loader",
    "imagepeel.process.shell",
    "imagepeel.process.wrappers",
    "imagepeel.process",
    "imagepeel.deploy",
    "imagepeel.findings.semantics",
    "imagepeel.findings",
    "imagepeel.decoding",
    "imagepeel.export",
    "imagepeel.receipts",
    "imagepeel.anatomy",
    "imagepeel.results",
    "imagepeel.present",
    "imagepeel.render",
    "imagepeel.verbs",
    "imagepeel.sources",
    "imagepeel.api",
    "imagepeel.starting",
    "imagepeel.fleet",
    "imagepeel.interop",
    "imagepeel.judge",
    "imagepeel.workshop",
    "imagepeel.browse",
    "imagepeel.cli",
    "imagepeel",
)
LIBRARIES = {
    "click": ("cli/",),
    "rich": ("render/terminal", "browse/", "cli/"),
    "textual": ("browse/",),
    "zstandard": ("_zstd.py",),
    "magic": ("interop/",),
    "pylibmagic": ("interop/",),
    "jinja2": ("render/",),
    "elftools": ("formats/elf/",),
    "yaml": ("deploy/",),
    "pyarrow": ("fleet/",),
    "tarfile": (),
    "pickle": (),
    "ctypes": ("interop/",),
}


def name_of(module: Path) -> str:
    parts = module.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(module): module for module in MODULES}


def rank(name: str) -> int:
    """The place in the order of the folder that a module belongs to."""
    while name not in ORDER:
        name = name.rpartition(".")[0]
    return ORDER.index(name)


class Nodes(NamedTuple):
    """What the tests ask of a module, read once for all of them."""

    imports: list[ast.Import | ast.ImportFrom]
    late: list[int]
    """The lines of imports inside functions."""
    calls: list[tuple[str, int]]
    """The last word of what is called, and the line."""
    functions: list[tuple[str, int]]
    """The same of calls of a bare name."""


@functools.cache
def nodes(module: Path) -> Nodes:
    found = Nodes([], [], [], [])
    todo: list[tuple[ast.AST, bool]] = [(ast.parse(module.read_text()), False)]
    while todo:
        node, inside = todo.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.imports.append(node)
            found.late.extend([node.lineno] if inside else [])
        elif isinstance(node, ast.Call):
            called = node.func
            word = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            found.calls.append((word, node.lineno))
            found.functions.extend([(word, node.lineno)] if isinstance(called, ast.Name) else [])
        inside = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        todo.extend((child, inside) for child in ast.iter_child_nodes(node))
    return found


def imports(module: Path) -> list[tuple[str, int]]:
    """Return (imported module, line) of every import of a file, wherever it stands.

    `from package import name` imports the module `package.name` where there is one.
    """
    found: list[tuple[str, int]] = []
    for node in nodes(module).imports:
        if isinstance(node, ast.Import):
            found.extend((alias.name, node.lineno) for alias in node.names)
        else:
            assert node.level == 0 and node.module, f"{module}:{node.lineno}: name the module whole"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            found.extend((name if name in NAMES else node.module, node.lineno) for name in inner)
    return found


@pytest.mark.parametrize("name", sorted(NAMES))
def test_a_folder_imports_only_folders_below_it(name: str) -> None:
    for other, line in imports(NAMES[name]):
        if other in NAMES:
            assert rank(other) <= rank(name), f"{name}:{line} imports {other}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name: {other for other, _ in imports(path) if other in NAMES} for name, path in NAMES.items()}
    # Modules that import nothing which is left are taken away until none is left, or only circles are.
    while graph:
        free = {name for name, others in graph.items() if not (others - {name}) & graph.keys()}
        assert free, f"these import each other in a circle: {sorted(graph)}"
        for name in free:
            del graph[name]


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(PACKAGE)))
def test_libraries_are_used_where_they_belong(module: Path) -> None:
    relative = str(module.relative_to(PACKAGE))
    for name, line in imports(module):
        places = LIBRARIES.get(name.split(".")[0])
        if places is not None:
            assert relative.startswith(places) if places else False, f"{relative}:{line} imports {name}"


def test_the_label_of_a_layer_is_made_in_one_place() -> None:
    assert layer_label(0) == "L1" and layer_label(2, 5) == "L3, step 6" and layer_label(0, 0) == "L1, step 1"
    places = {str(module.relative_to(PACKAGE)) for module in MODULES if re.search(r"\bL\{", module.read_text())}
    assert places == {"evidence.py"}, "imagepeel.evidence.layer_label makes it"


def test_shell_commands_are_made_in_receipts_alone() -> None:
    """Nobody else makes a `Receipt`, or bends the bytes of a `Stream` into a command."""
    for name, module in NAMES.items():
        if name.startswith("imagepeel.receipts"):
            continue
        for word, line in nodes(module).calls:
            assert word not in ("Receipt", "through"), f"{name}:{line} makes a receipt"


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(PACKAGE)))
def test_an_import_inside_a_function_says_that_it_is_for_start_time(module: Path) -> None:
    lines = module.read_text().splitlines()
    for line in nodes(module).late:
        assert "start time" in lines[line - 1], f"{module.relative_to(PACKAGE)}:{line}"


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(PACKAGE)))
def test_modules_stay_small(module: Path) -> None:
    assert len(module.read_text().splitlines()) <= 620


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = ("click", "rich", "zstandard", "magic", "tarfile", "jinja2", "msgspec", "elftools", "json", "dataclasses")
    code = f"import sys, imagepeel; print([name for name in {heavy!r} if name in sys.modules])"
    nothing = f"import sys; print([name for name in {heavy!r} if name in sys.modules])"
    bare = subprocess.run([sys.executable, "-c", nothing], capture_output=True, text=True, check=True).stdout
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded == bare == "[]\n"


def test_every_public_name_loads() -> None:
    import imagepeel

    for name in imagepeel.__all__:
        assert getattr(imagepeel, name) is not None
    with pytest.raises(AttributeError):
        imagepeel.nothing_of_that_name  # noqa: B018


def test_nothing_opens_files_outside_the_edge() -> None:
    allowed = ("archive/", "export/", "fleet/", "cli/", "forge/", "interop/", "sources/credentials.py")
    for module in MODULES:
        relative = str(module.relative_to(PACKAGE))
        if relative.startswith(allowed):
            continue
        for word, line in nodes(module).functions:
            assert word not in ("open", "eval", "exec", "__import__"), f"{relative}:{line}"


def test_no_two_modules_of_the_tests_share_a_name() -> None:
    modules = (PACKAGE.parents[1] / "tests").rglob("*.py")
    names = [path.name for path in modules if path.name not in ("conftest.py", "__init__.py")]
    assert sorted(names) == sorted(set(names))
