"""History steps in the words of the Dockerfile, as far as the line that the builder wrote still shows them."""

from __future__ import annotations

import re

_BLANKS = re.compile(r"[ \t\r\n]+")
_ARGS = re.compile(r"\|\d+ (?:[^ ]+ )*?(?=/bin/(?:ba)?sh -c )")
_SHELLS = ("/bin/sh -c ", "/bin/bash -c ", "/bin/ash -c ", "sh -c ", "bash -c ", "/bin/bash -o pipefail -c ")
_INSTRUCTIONS = frozenset(
    (
        *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK", "LABEL", "MAINTAINER"),
        *("ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
    )
)


def instruction(created_by: str) -> str:
    """Return a history line as a Dockerfile instruction: `RUN apt-get update`, `COPY . /srv`.

    The classic builder wrote `/bin/sh -c #(nop) CMD [...]` and `/bin/sh -c apt-get ...`, BuildKit writes
    `RUN /bin/sh -c apt-get ... # buildkit`.  Lines of other tools stay as they are.
    """
    line = _BLANKS.sub(" ", created_by).strip().removesuffix("# buildkit").rstrip()
    verb, _, rest = line.partition(" ")
    if verb == "RUN":
        return "RUN " + _without_shell(_ARGS.sub("", rest))
    bare = _ARGS.sub("", line)
    command = _without_shell(bare)
    if command == bare:
        return line
    if command.startswith("#(nop)"):
        return instruction(command.removeprefix("#(nop)").strip())
    return "RUN " + command


def _without_shell(command: str) -> str:
    for shell in _SHELLS:
        if command.startswith(shell):
            return command[len(shell) :].strip()
    return command


def verb(line: str) -> str:
    """Return the instruction word of a line from `instruction`, "" where it has none."""
    word = line.partition(" ")[0].upper()
    return word if word in _INSTRUCTIONS else ""
