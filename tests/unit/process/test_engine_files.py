"""An engine is one file and one line: no other code of the prediction knows an engine or a runtime by name."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from imagepeel.process.engines import registry
from imagepeel.process.spec.options import DEFAULT_ENGINE

PROCESS = Path(registry.__file__).parents[1]
KNOWN = {type(one).__module__ for one in (*registry.ENGINES, *registry.RUNTIMES)}
ENGINE_FILES = {PROCESS / "engines" / f"{name.rpartition('.')[2]}.py" for name in KNOWN} | {Path(registry.__file__)}
SHARED = sorted(set(PROCESS.rglob("*.py")) - ENGINE_FILES)
NAMES = {name for engine, (_, *others) in registry._ENGINES.items() for name in (engine, *others)}
NAMES |= {name for runtime, (_, *others) in registry._RUNTIMES.items() for name in (runtime, *others)} | {"dockerd"}
# A program in an image may be called docker-init or docker-entrypoint.sh: that is no engine.
WORD = re.compile(rf"(?<![\w-])({'|'.join(sorted(NAMES))})(?![\w-])", re.IGNORECASE)


def words(module: Path) -> Iterator[tuple[int, str]]:
    """All names and texts of a module that are code: no comments, no docstrings, not the modules that it imports."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    prose = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in prose:
            yield node.lineno, node.value
        for word in spoken(node):
            yield getattr(node, "lineno", 0), word


def spoken(node: ast.AST) -> list[str]:
    """The identifiers of a node as words: docker_rules, DockerRules and docker.rules are all two."""
    return [re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_.]", " ", name) for name in identifiers(node)]


def identifiers(node: ast.AST) -> list[str]:
    """The names that a node spells: of what it reads, defines, takes, passes or imports."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str(name)):
            return [name]
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.ExceptHandler(name=str(name)):
            return [name]
        case ast.ImportFrom(module=module, names=names):
            return [module or "", *(part for one in names for part in (one.name, one.asname or ""))]
        case ast.Import(names=names):
            return [part for one in names for part in (one.name, one.asname or "")]
    return []


def test_the_test_sees_what_it_looks_for() -> None:
    found = {match for _, word in words(PROCESS / "engines" / "podman.py") for match in WORD.findall(word)}
    assert "podman" in found
    for spelled in (
        "def f(docker): ...",
        "def f(*, old_podman=1): ...",
        "lambda crun: crun",
        "f(containerd_rules=1)",
        "class DockerRules: ...",
        "def of_runc(): ...",
        "from a import b as podman",
        "one.is_docker",
    ):
        assert any(WORD.search(word) for node in ast.walk(ast.parse(spelled)) for word in spoken(node)), spelled
    assert WORD.search('engine.family == "podman"') and not WORD.search("/sbin/docker-init")


@pytest.mark.parametrize("module", SHARED, ids=lambda module: str(module.relative_to(PROCESS)))
def test_shared_code_knows_no_engine_by_name(module: Path) -> None:
    found = [(line, word) for line, word in words(module) if WORD.search(word)]
    if module.name == "options.py":  # the one place that says which engine is meant when none is named
        assert [word for _, word in found] == [DEFAULT_ENGINE]
        registry.find_engine(DEFAULT_ENGINE)
        return
    assert found == []


def test_every_engine_is_in_the_registry() -> None:
    bases = {"Engine", "Runtime"}
    with_classes = {
        path
        for path in (PROCESS / "engines").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and bases & {base.id for base in node.bases if isinstance(base, ast.Name)}
    }
    assert with_classes and with_classes <= ENGINE_FILES


def test_every_engine_and_runtime_says_what_its_base_leaves_to_it() -> None:
    from imagepeel.process.engines.engine import Engine
    from imagepeel.process.engines.registry import ENGINES, RUNTIMES
    from imagepeel.process.engines.runtime import Runtime

    for base, known in ((Engine, ENGINES), (Runtime, RUNTIMES)):
        left = {
            name
            for name, function in vars(base).items()
            if hasattr(function, "__code__")
            and {"NotImplementedError", "_unsaid"} & set(function.__code__.co_names)
            and name != "_unsaid"
        }
        assert left, base
        for one in known:
            for name in left:
                assert getattr(type(one), name) is not getattr(base, name), f"{type(one).__name__}.{name}"
