"""The pages that explain the code name files, folders and classes that there are."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "imagepeel"
PAGE = (ROOT / "docs" / "explanation" / "architecture.md").read_text()
GLOSSARY = (ROOT / "docs" / "reference" / "glossary.md").read_text()
_QUOTED = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"[\w./]*(?:/|\.py)")
_CLASS = re.compile(r"([a-z_]+)\.([A-Z]\w+)")

# A paragraph, and of the table each row: a name may be said from a folder or file that is named before it there.
PARAGRAPHS = [part for part in re.split(r"\n\n|\n(?=\|)", PAGE) if _QUOTED.search(part)]
WORDS = re.findall(r"^\| `(\w+)` \| `([\w./]+\.py)` \| (.+?) \|", GLOSSARY, re.MULTILINE)


def missing(paragraph: str) -> list[str]:
    """Return the paths of a paragraph that lead to nothing, in the order of the text."""
    bases = [PACKAGE, PACKAGE.parent, ROOT]
    lost: list[str] = []
    for name in _QUOTED.findall(paragraph):
        if not _PATH.fullmatch(name):
            continue
        found = next((base / name for base in bases if (base / name).exists()), None)
        if found is None:
            lost.append(name)
        else:
            bases.append(found if found.is_dir() else found.parent)
    return lost


def classes(module: Path) -> set[str]:
    return {node.name for node in ast.parse(module.read_text()).body if isinstance(node, ast.ClassDef)}


@pytest.mark.parametrize("paragraph", PARAGRAPHS, ids=lambda text: text[:40])
def test_every_path_of_the_page_exists(paragraph: str) -> None:
    assert missing(paragraph) == []


def test_a_path_that_is_gone_is_noticed() -> None:
    assert missing("`rootfs/` has `tree/` and `columns.py`; see `store/`") == ["columns.py", "store/"]


def test_every_class_of_the_page_exists() -> None:
    named = [match.groups() for match in map(_CLASS.fullmatch, _QUOTED.findall(PAGE)) if match]
    assert named
    for module, name in named:
        assert name in classes(PACKAGE / f"{module}.py"), f"{module}.{name}"


def test_the_table_names_every_folder_and_module() -> None:
    rows = " ".join(line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `"))
    named = {name.rstrip("/") for name in _QUOTED.findall(rows)}
    there = {path.name for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert named == there - {"__init__.py", "__main__.py"}


@pytest.mark.parametrize(("name", "module"), [word[:2] for word in WORDS], ids=[word[0] for word in WORDS])
def test_the_glossary_says_where_a_class_is(name: str, module: str) -> None:
    assert name in classes(PACKAGE / module)


def test_the_glossary_says_each_word_once() -> None:
    terms = re.findall(r"^\| ([^|]+?) \|", GLOSSARY, re.MULTILINE)
    terms = [term for term in terms if term not in ("---", "term", "name")]
    assert len(WORDS) > 40
    assert sorted(terms) == sorted(set(terms))
