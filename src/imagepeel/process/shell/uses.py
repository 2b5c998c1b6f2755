"""Which positional parameters the text of a shell uses, as far as the text alone tells."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import msgspec

from imagepeel._lazy import late
from imagepeel.errors import Malformed
from imagepeel.formats.shell.parser import parse_shell
from imagepeel.formats.shell.tree import Compound, Part, Simple
from imagepeel.text import decimal

_MENTION = late(r"\$(?:([0-9@*#])|\{[#!]?([0-9]+|[@*]|#(?=\})))")
"""Text that may read a positional parameter, wherever it stands: in quotes and comments, too."""
_ELSEWHERE = late(r"\$\{!|BASH_ARG|/proc|cmdline")
"""Other ways to the words of a command line."""
_PARAMETER = late(r"#?([0-9]+|[@*])(?![A-Za-z_])")
_HIDING = frozenset({"eval", ".", "source", "getopts", "alias", "command", "builtin"})
"""Commands that read positional parameters, or run text that is not looked at here."""


class Uses(msgspec.Struct, frozen=True, kw_only=True):
    """Which positional parameters a shell text uses (POSIX XCU 2.5.1, 2.5.2)."""

    numbers: frozenset[int]
    every: bool
    """`$@` or `$*`."""
    sure: bool
    """Whether the parameters are those of the command line in the whole text, and no other use is possible."""


@lru_cache(maxsize=16)
def uses(text: str) -> Uses:
    """Return which positional parameters a shell text uses; not `sure` where it was not understood to the end."""
    found: set[str] = set()
    moved, sure = False, _ELSEWHERE.search(text) is None
    try:
        for node in _nodes(parse_shell(text), 0):
            if isinstance(node, Simple) and node.words:
                name = node.words[0].literal
                sure = sure and name is not None and name not in _HIDING
                moved = moved or name == "shift" or (name == "set" and not _only_options(node))
            elif isinstance(node, Compound):
                sure = sure and node.words is not None
                moved = moved or node.kind == "function"
            elif isinstance(node, Part) and node.kind == "parameter" and (used := _PARAMETER.match(node.text)):
                found.add(used[1])
    except Malformed:
        sure = False
    mentioned = {one or other for one, other in _MENTION.findall(text)}
    sure = sure and mentioned <= found and not (moved and mentioned)
    numbers = frozenset(value for one in found if (value := decimal(one)) is not None)
    return Uses(numbers=numbers, every=bool(found & {"@", "*"}), sure=sure)


def _only_options(command: Simple) -> bool:
    """Whether `set` changes options of the shell and leaves the parameters alone."""
    words = [word.literal for word in command.words[1:]]
    return all(
        word is not None
        and (re.fullmatch("[-+][a-zA-Z]+", word) is not None or (at > 0 and (words[at - 1] or "")[-1:] == "o"))
        for at, word in enumerate(words)
    )


def _nodes(node: object, depth: int) -> Iterator[Simple | Compound | Part]:
    """Yield the commands and parts of a tree, those of command substitutions too."""
    if isinstance(node, tuple):
        for one in node:
            yield from _nodes(one, depth)
    elif isinstance(node, msgspec.Struct):
        if isinstance(node, Simple | Compound | Part):
            yield node
        if isinstance(node, Part):
            if node.kind in {"command", "process"}:
                if depth > 20:
                    raise Malformed("substitutions are nested too deeply")
                yield from _nodes(parse_shell(node.text), depth + 1)
        else:
            for name in node.__struct_fields__:
                yield from _nodes(getattr(node, name), depth)
