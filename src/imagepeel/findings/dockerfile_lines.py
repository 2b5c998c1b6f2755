"""Dockerfile lines that repair an image: what a fix is where a person can paste it.

A line is made of plain words only.  A builder expands variables and quotes in most instructions, and a shell reads RUN:
a path or a word that either of them would change gives no line, and the sentence of the fix stands alone.
RUN and COPY stand before USER: they are written for root.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from typing import TYPE_CHECKING

from imagepeel._lazy import late
from imagepeel.history.builders import json_list

if TYPE_CHECKING:
    from imagepeel.findings.subject import Subject
    from imagepeel.process.spec.values import Verdict

Lines = tuple[str, ...]

PATH_LINE = "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_LONGEST = 300
"""Characters of a word in a line that people paste."""
_PLAIN = late(r"[A-Za-z0-9_.,/:@%+=-]+")
_PROGRAM = late(r"(?!-)[A-Za-z0-9_./+-]+")


def is_plain(*words: str) -> bool:
    """Whether neither a builder nor a shell reads anything into these words."""
    return all(len(word) <= _LONGEST and _PLAIN.fullmatch(word) for word in words)


def setting(keyword: str, value: str) -> Lines:
    """`USER 1000`, `WORKDIR /srv`."""
    return (f"{keyword} {value}",) if is_plain(value) else ()


def run(*words: str) -> Lines:
    """`RUN chmod 0755 /srv/tool`."""
    return ("RUN " + " ".join(words),) if is_plain(*words) else ()


def exec_form(keyword: str, words: Sequence[str]) -> Lines:
    """`CMD ["app", "-x"]`: JSON takes every word."""
    return (f"{keyword} {json_list(words)}",) if keyword and words else ()


def copied(path: str, options: str) -> Lines:
    """`COPY --chmod=0755 tool /srv/tool`: a file of the build context, named as it is in the image."""
    name = posixpath.basename(path)
    return (f"COPY {options} {name} {path}",) if is_plain(path) and _PROGRAM.fullmatch(name) else ()


def plain_command(line: str) -> list[str]:
    """The words of a shell line that is one plain command, without a leading `exec`; [] for all others."""
    words = line.split()
    if words[:1] == ["exec"]:
        words = words[1:]
    return words if words and is_plain(*words) and "=" not in words[0] else []


def command_keyword(subject: Subject) -> str:
    """The instruction that a repaired command stands in, "" where both hold words."""
    entrypoint, cmd = subject.run.entrypoint or (), subject.run.cmd or ()
    return "" if entrypoint and cmd else "ENTRYPOINT" if entrypoint else "CMD"


# ---- what a failed start needs ----------------------------------------------------------------------------------


def opened(subject: Subject, verdict: Verdict) -> Lines:
    """Bring a program with the bits that it lacks."""
    path = verdict.where.path if verdict.where is not None else None
    node = subject.node(path) if path else None
    if node is None or path is None:
        return ()
    if node.is_file and node.mode & 0o555 != 0o555:
        return copied(path, "--chmod=0755")
    return ()


def commanded(fix: str) -> Lines:
    """A fix that is one chmod already, as the RUN line that does it."""
    words = fix.split(" ")  # one path: a space in its name would make it two
    return run(*words) if words[0] == "chmod" and len(words) == 3 else ()


def edited(subject: Subject, verdict: Verdict, expression: str) -> Lines:
    """A line that runs `sed -i EXPRESSION` on the file that a verdict is about."""
    path = verdict.where.path if verdict.where is not None else None
    node = subject.node(path) if path else None
    if path is None or node is None or not node.is_file or not is_plain(path):
        return ()
    return (f"RUN sed -i '{expression}' {path}",)
