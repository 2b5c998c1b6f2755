"""The page `docs/reference/survey.md`, made of the types of the tables.

`python -m imagepeel.fleet.docs > docs/reference/survey.md` writes it anew.
"""

from __future__ import annotations

import ast
import inspect
import sys
from typing import get_type_hints

from imagepeel.fleet import tables

_INTRO = """# Tables of a survey

This page is made from the types of the tables: `python -m imagepeel.fleet.docs > docs/reference/survey.md`.

`imagepeel survey SOURCES --out facts/` writes each table as a folder of parts, `facts/TABLE/*.parquet` or
`facts/TABLE/*.jsonl`. A part is there whole or not at all; the names of parts mean nothing. Read all parts of a table
together: `read_parquet('facts/files/*.parquet')` in DuckDB, `pandas.read_parquet('facts/files')`. What lies in
`facts/.survey/` is the state of the survey and the index of layers: it makes a second run short, and nobody else needs
it.

A column is null for the reason that stands with it and for no other. An image that could not be examined has a row in
`images`, with the error, and none in the tables of what was found: absent rows say nothing of it, so a share needs the
number of images with `examined`, and for what may lie in a missing layer those with `complete`.

Secrets are masked in every column, as in every other output. Names, digests and paths are text; bytes that are not
UTF-8 stand as `\\xNN`.
"""


def page() -> str:
    """Return the page."""
    out = [_INTRO]
    for name, kind in tables.TABLES.items():
        out.append(f"## {name}\n\n{inspect.cleandoc(kind.__doc__ or '')}\n\n| column | type | meaning |\n|---|---|---|")
        told = _meanings(kind)
        for column, hint in get_type_hints(kind).items():
            out.append(f"| `{column}` | {_type(hint)} | {told[column]} |")
        out.append("")
    return "\n".join(out)


def _type(hint: object) -> str:
    nullable = type(None) in getattr(hint, "__args__", ())
    base = next(one for one in hint.__args__ if one is not type(None)) if nullable else hint  # type: ignore[attr-defined]
    words = {str: "text", int: "integer", bool: "boolean", list[str]: "list of texts"}[base]  # type: ignore[index]
    return f"{words} or null" if nullable else words


def _meanings(kind: type) -> dict[str, str]:
    """Return the sentence below each field of a class."""
    body = ast.parse(inspect.getsource(kind)).body[0]
    assert isinstance(body, ast.ClassDef)
    out: dict[str, str] = {}
    for field, below in zip(body.body, body.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            assert isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant), field.target.id
            out[field.target.id] = " ".join(str(below.value.value).split()).replace("|", "\\|")
    return out


if __name__ == "__main__":
    sys.stdout.write(page())
