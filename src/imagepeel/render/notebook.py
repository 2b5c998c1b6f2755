"""Notebook cards: the document of a value as plain text and HTML.

Pure HTML with `<details>`, no script; where a viewer strips the style, tables and headings still read.  The style
names its class three times, since the rules of JupyterLab for tables name three.
"""

from __future__ import annotations

from imagepeel.present.cards import card
from imagepeel.render.html import document_body

_RULES = {
    "": "font-size:.95em;line-height:1.45",
    "h1": "font-size:1.15em;font-weight:600;margin:.2em 0",
    "h2": "font-size:1.05em;font-weight:600;margin:.9em 0 .2em",
    "p": "margin:.2em 0",
    ".facts span": "opacity:.65;margin-right:1.2em",
    "table": "border-collapse:collapse;margin:.3em 0;width:auto;table-layout:auto",
    "th": "font-weight:normal;opacity:.65",
    "th,td": "text-align:left;padding:.1em .9em .1em 0;vertical-align:top;border:0;background:none;max-width:none",
    "th.right,td.right": "font-variant-numeric:tabular-nums",
    "td.keep": "white-space:nowrap",
    "td.keep code": "white-space:pre",
    "td.words": "min-width:16ch",
    "td.bar": "width:26em;min-width:26em",
    "svg": "vertical-align:middle",
    ".sample": "margin-right:1em;white-space:nowrap",
    "code,pre": "font-family:monospace;white-space:pre-wrap;overflow-wrap:anywhere;background:none;padding:0",
    ".dim,.note,.place,.label": "opacity:.65",
    ".label": "margin-right:.5em",
    ".claim": "display:flex;flex-wrap:wrap;align-items:baseline;gap:0 1em;margin:.3em 0",
    ".claim > p,.claim > pre": "flex:1 1 0;min-width:70%;margin:0",
    ".claim > .bytes,.claim > details[open]": "flex-basis:100%",
    ".claim details": "font-size:.9em",
    "ul.items ul,ul.tree ul": "list-style:none;padding-left:1.2em;margin:0",
    "ul.items,ul.tree": "list-style:none;padding-left:0;margin:.3em 0",
    ".try": "display:flex;gap:.7em;align-items:baseline",
    ".try pre": "flex:1;min-width:0;margin:.3em 0",
    "summary": "cursor:pointer",
    ".number": "opacity:.65",
}
_ALL = ".imagepeel.imagepeel.imagepeel"


def _rule(names: str, style: str) -> str:
    return ",".join(f"{_ALL} {name}".rstrip() for name in names.split(",")) + "{" + style + "}"


_STYLE = "<style>" + "".join(_rule(names, style) for names, style in _RULES.items()) + "</style>"


def bundle(value: object) -> dict[str, str]:
    """Return `text/plain` and `text/html` of a value.  TypeError for one that has no card."""
    body = document_body(card(value), inline=True)
    return {"text/plain": repr(value), "text/html": f'<div class="imagepeel">{_STYLE}{body}</div>'}
