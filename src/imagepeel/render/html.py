"""One self-contained HTML page: its style is inside, nothing is loaded, no script runs.

Every text passes `escape.visible` and jinja2's autoescape; a content security policy forbids the rest.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from imagepeel._version import __version__
from imagepeel.evidence import Evidence, Location, Receipt
from imagepeel.present.document import Bars, Document, DocumentBlock
from imagepeel.render.escape import visible

_LONGEST = 12
"""Receipts shown below one table: one for each row would be a wall."""


def document_html(document: Document, *, receipts: bool = False) -> str:
    """Return a document as one HTML page; with `receipts`, the proofs are unfolded."""
    template = environment().get_template("page.html")
    return template.render(title=document.title, document=document, receipts=receipts, **page_parts())


def page_parts(style: str = "", script: str = "") -> dict[str, Any]:
    """Return what a page holds and its content security policy names: the style of documents, `style`, and `script`."""
    style = _read("page.css") + style
    return {
        "version": __version__,
        "style": Markup(style),
        "style_hash": _hash(style),
        "script": Markup(script),
        "script_hash": _hash(script),
    }


def document_slides(document: Document) -> str:
    """Return a document as one HTML page of slides: one block a slide, its proof as the notes of the speaker.

    The page has one script, its own, which the content security policy names by its hash; without it, and in print, all
    slides stand below each other.
    """
    sections = document.sections
    slides = [msgspec.structs.replace(part, blocks=(block,), id="") for part in sections for block in part.blocks]
    opening = msgspec.structs.replace(document, sections=())
    pages = [opening, *(Document(title="", headline=(), sections=(slide,)) for slide in slides)]
    bodies = [Markup(document_body(page)) for page in pages]
    parts = page_parts(_read("slides.css"), _read("slides.js"))
    return environment().get_template("slides.html").render(title=document.title, slides=bodies, **parts)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def document_body(document: Document, *, receipts: bool = False, inline: bool = False) -> str:
    """Return only the content of that page, for a place that has its own style.

    With `inline` the sides of table cells are named in each, for a notebook that is not trusted: it drops the rest.
    """
    return environment().get_template("body.html").render(document=document, receipts=receipts, inline=inline)


@cache
def environment() -> Environment:
    """Return what fills the templates: every text that is not the template's own passes `escape.visible`."""
    made = Environment(
        loader=FunctionLoader(_read),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=False,
    )
    made.globals["kind_of"] = _kind
    made.globals["joined"] = _joined
    made.globals["scale"] = _scale
    made.globals["share"] = _share
    made.globals["inline"] = False
    return made


def _read(name: str) -> str:
    return files("imagepeel.render").joinpath("templates", name).read_text(encoding="utf-8")


def _finalize(value: Any) -> Any:
    """Make every text visible before autoescape sees it; the template's own markup passes."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value)
    return value


def _kind(block: DocumentBlock) -> str:
    return str(block.__struct_config__.tag)


def _scale(block: Bars) -> int:
    """Return the bytes that are as long as the drawing is wide."""
    return max((max(bar.stored, bar.content or 0) for bar in block.bars), default=0) or 1


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f}%"


def _joined(rows: Iterable[Any]) -> Evidence:
    """The receipts of all rows as one proof, each once."""
    receipts: dict[str, Receipt] = {}
    places: list[Location] = []
    for row in rows:
        for receipt in row.evidence.receipts[:1]:
            receipts.setdefault(receipt.command, receipt)
    return Evidence(locations=tuple(places), receipts=tuple(list(receipts.values())[:_LONGEST]))
