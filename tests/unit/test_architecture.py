"""The folder tree is the architecture: a folder imports only folders above it, libraries live where they belong."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "src" / "imagepeel"
MODULES = sorted(PACKAGE.rglob("*.py"))

# From the bottom to the top.  Modules of the package itself are listed by name.
ORDER = (
    ("evidence",),
    ("errors",),
    ("limits",),
    ("serialization",),
    ("oci",),
    ("formats",),
    ("store",),
    ("layers",),
    ("rootfs",),
    ("process",),
    ("forge",),
    ("findings",),
    ("explain",),
    ("render",),
    ("export",),
    ("interop",),
    ("archive", "image"),
    ("cli",),
)
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}
# The facade hands out what stands above it, but only inside functions, so that it loads on first use.
LAZY_FACADE = {"archive", "image", "layers", "rootfs"}
LIBRARIES = {
    "click": ("cli/",),
    "rich": ("render/terminal", "cli/"),
    "zstandard": ("store/codec.py", "forge/compress.py"),
    "magic": ("interop/",),
    "pylibmagic": ("interop/",),
    "jinja2": ("render/",),
    "elftools": ("formats/elf.py",),
    "tarfile": (),
    "pickle": (),
    "ctypes": ("interop/",),
}


def part_of(module: Path) -> str:
    relative = module.relative_to(PACKAGE)
    return relative.parts[0].removesuffix(".py")


def imports(module: Path) -> list[tuple[str, int, bool, bool]]:
    """Return (imported module, line, inside a function, only for type checking) of a file."""
    tree = ast.parse(module.read_text())
    found: list[tuple[str, int, bool, bool]] = []

    def visit(node: ast.AST, inside: bool, typing_only: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                found.extend((alias.name, child.lineno, inside, typing_only) for alias in child.names)
            elif isinstance(child, ast.ImportFrom) and child.module:
                found.append((child.module, child.lineno, inside, typing_only))
            is_typing = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)
            is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            visit(child, inside or is_function, typing_only or is_typing)

    visit(tree, False, False)
    return found


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(PACKAGE)))
def test_a_folder_imports_only_what_stands_above_it(module: Path) -> None:
    own = part_of(module)
    if own in ("__init__", "__main__"):
        return
    for name, line, inside, typing_only in imports(module):
        if not name.startswith("imagepeel.") or typing_only:
            continue
        other = name.split(".")[1]
        # Objects show themselves in terminals and notebooks; how is loaded when somebody looks.
        shows_itself = inside and other == "render"
        allowed = RANK[other] <= RANK[own] or shows_itself or (inside and own in LAZY_FACADE)
        assert allowed, f"{module.relative_to(PACKAGE)}:{line} imports {name}"


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(PACKAGE)))
def test_libraries_are_used_where_they_belong(module: Path) -> None:
    relative = str(module.relative_to(PACKAGE))
    for name, line, _, typing_only in imports(module):
        places = LIBRARIES.get(name.split(".")[0])
        if places is not None and not typing_only:
            assert relative.startswith(places) if places else False, f"{relative}:{line} imports {name}"


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
    allowed = ("store/", "export/", "cli/", "forge/", "interop/")
    for module in MODULES:
        relative = str(module.relative_to(PACKAGE))
        if relative.startswith(allowed):
            continue
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("open", "eval", "exec", "__import__"), f"{relative}:{node.lineno}"
