"""The page of a report: the plain document, and a viewer that draws what the commands say as JSON.

The viewer is one script and one style, both of this package and inside the page; the content security policy names them
by their hash and forbids everything else.  Without JavaScript the page is the plain document.
"""

from __future__ import annotations

from importlib.resources import files

from markupsafe import Markup

from imagepeel.present.document import Document
from imagepeel.render.html import environment, page_parts
from imagepeel.render.json import dumps
from imagepeel.results.report import ReportResult

SCRIPTS = ("format", "model", "dom", "layers", "tree", "life", "treemap", "drawing", "main")
"""The modules of the viewer in the order in which they are joined; each uses those before it."""


def report_html(document: Document, results: tuple[ReportResult, ...]) -> str:
    """Return the page: `document` is its text, `results` are what the viewer draws, one for each image."""
    data = [dumps("report", result, indent=None) for result in results]
    # In a script element nothing but this character could end the data.
    embedded = Markup("[" + ",".join(data).replace("<", "\\u003c") + "]")
    parts = page_parts(_read("viewer.css"), script())
    return (
        environment()
        .get_template("report.html")
        .render(title=document.title, document=document, receipts=False, data=embedded, **parts)
    )


def script() -> str:
    """Return the modules of the viewer as one script."""
    body = "\n".join(_read(f"{name}.js") for name in SCRIPTS)
    return f'"use strict";\n{body}'


def _read(name: str) -> str:
    return files("imagepeel.render").joinpath("viewer", name).read_text(encoding="utf-8")
