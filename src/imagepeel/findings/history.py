"""What history says: the instruction of each step, as far as its text shows one.

`created_by` is free text.  The classic builder writes `/bin/sh -c #(nop)  ENV A=b` for settings and
`|1 ARG=value /bin/sh -c command` for RUN with build arguments, BuildKit `RUN |1 ARG=value /bin/sh -c command`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from imagepeel.oci.config import HistoryStep

_NOP = re.compile(r"^(?:/bin/sh -c )?#\(nop\)\s+")
_WORDS = frozenset(
    [
        "ADD",
        "ARG",
        "CMD",
        "COPY",
        "ENTRYPOINT",
        "ENV",
        "EXPOSE",
        "FROM",
        "HEALTHCHECK",
        "LABEL",
        "MAINTAINER",
        "ONBUILD",
        "RUN",
        "SHELL",
        "STOPSIGNAL",
        "USER",
        "VOLUME",
        "WORKDIR",
    ]
)
_ARGS = re.compile(r"^\|(\d+) ")


class Instruction(msgspec.Struct, frozen=True, kw_only=True):
    """One step: `word` is the Dockerfile word, "" where none can be told; `text` what stands behind it."""

    step: int
    word: str
    text: str
    empty: bool


def instructions(history: Sequence[HistoryStep]) -> tuple[Instruction, ...]:
    """Return the instruction of each step, in order."""
    return tuple(_one(index, step) for index, step in enumerate(history))


def _one(index: int, step: HistoryStep) -> Instruction:
    line = step.created_by[:100_000].strip()
    plain = _NOP.sub("", line)
    first, _, rest = plain.partition(" ")
    if first in _WORDS:
        return Instruction(step=index, word=first, text=rest.strip(), empty=step.empty_layer)
    if _ARGS.match(line) or line.startswith("/bin/sh -c "):
        return Instruction(step=index, word="RUN", text=line, empty=step.empty_layer)
    return Instruction(step=index, word="", text=line, empty=step.empty_layer)


def build_arguments(text: str) -> tuple[str, ...]:
    """The `NAME=value` words of `|2 A=b C=d e /bin/sh -c ...`; a value runs until the next name or the shell."""
    found = _ARGS.match(text)
    if found is None or int(found[1]) > 200:
        return ()
    rest = text[found.end() :]
    end = rest.find(" /bin/sh -c ")
    rest = rest if end < 0 else rest[:end]
    words: list[str] = []
    for piece in rest.split(" "):
        if re.match(r"[A-Za-z_][A-Za-z0-9_]*=", piece) and len(words) < int(found[1]):
            words.append(piece)
        elif words:
            words[-1] += " " + piece
    return tuple(words)
