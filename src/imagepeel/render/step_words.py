"""A history step in the words of a Dockerfile, as far as builders leave them."""

from __future__ import annotations

import re

_NOP = re.compile(r"^/bin/sh -c #\(nop\)\s*")
_SHELL = re.compile(r"^(?:\|\d+ (?:\S+=\S*\s+)*)?/bin/(?:ba|da|a)?sh -c\s+")
_BUILDKIT = re.compile(r"\s*# buildkit\s*$")
_SPACE = re.compile(r"\s+")


def step_words(created_by: str) -> str:
    """Return `RUN apt-get update` for `/bin/sh -c apt-get update`, and so on; text that nobody knows stays.

    Builders write a step as they ran it: the classic builder marks paperwork with `#(nop)`, BuildKit ends a line
    with `# buildkit` and keeps `RUN |1 ARG=value /bin/sh -c`.
    """
    text = _SPACE.sub(" ", created_by).strip()
    text = _BUILDKIT.sub("", text)
    if _NOP.match(text):
        return _NOP.sub("", text)
    if text.startswith("RUN "):
        return "RUN " + _SHELL.sub("", text[4:])
    if _SHELL.match(text):
        return "RUN " + _SHELL.sub("", text)
    return text
