"""The files of the package that the course is made of."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent


def page(name: str) -> str:
    """Return a page of the course as Markdown."""
    return (_HERE / "pages" / f"{name}.md").read_text("utf-8")


def starter(name: str) -> str:
    """Return a file that learners start from, or a solution."""
    return (_HERE / "files" / name).read_text("utf-8")


def starters(folder: str) -> list[str]:
    """Return the names of the files in a folder of starters, sorted."""
    return sorted(path.name for path in (_HERE / "files" / folder).iterdir())
