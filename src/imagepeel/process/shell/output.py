"""What commands write whose output follows from their words: to standard error, or into a substitution."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

from imagepeel._lazy import late
from imagepeel.errors import Malformed
from imagepeel.formats.shell.lexer import here_document, parse_word
from imagepeel.formats.shell.tree import Redirection, Simple
from imagepeel.process.shell.expand import expand_one
from imagepeel.process.shell.scope import Field
from imagepeel.process.shell.state import State

_STANDARD = late(r"/dev/(stderr|fd/2)|/proc/self/fd/2")


def to_errors(command: Simple, state: State) -> bool:
    """Whether a command's standard output goes to standard error, and nowhere else."""
    one = command.redirections[0] if len(command.redirections) == 1 else None
    if one is None or one.target is None or one.descriptor not in (None, 1):
        return False
    if one.operator == ">&":
        return one.target.source == "2"
    # A pipe belongs to root: another user cannot open it once more.
    by_name = one.operator in (">", ">>") and _STANDARD.fullmatch(one.target.source) is not None
    return by_name and state.scope.uid == 0


_ESCAPE = late(r"\\([ntr\\\"]|.)|%(.)")


def formatted(template: str, words: Sequence[str]) -> str | None:
    """What `printf` writes for a template of text, `%s` and simple escapes; None for any other."""
    left = list(words)
    out: list[str] = []
    for _ in range(100):
        used = len(left)
        for piece in _pieces(template, left):
            if piece is None:
                return None
            out.append(piece)
        if not left or len(left) == used:
            return "".join(out)
    return None


def _pieces(template: str, left: list[str]) -> list[str | None]:
    found: list[str | None] = []
    at = 0
    for match in _ESCAPE.finditer(template):
        found.append(template[at : match.start()])
        at = match.end()
        if match[2] is not None:
            found.append("%" if match[2] == "%" else (left.pop(0) if left else "") if match[2] == "s" else None)
        else:
            found.append({"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"'}.get(match[1]))
    return [*found, template[at:]]


def written_to_errors(name: str, rest: Sequence[Field], command: Simple, state: State) -> str | None:
    """What `echo words >&2` or `printf ... >&2` writes there, without the last newline; None where it is not known."""
    words = [item for item in rest if isinstance(item, str)]
    if name not in ("echo", "printf") or len(words) < len(rest) or not to_errors(command, state):
        return None
    if name == "printf":
        said = formatted(words[0], words[1:]) if words else None
        return said.removesuffix("\n") if said else None
    return None if any(word.startswith("-") or "\\" in word for word in words) else " ".join(words)


DOCUMENT = ("<<", "<<-")
"""Operators of a here-document."""


def document_to_errors(text: str, command: Simple, state: State) -> str | None:
    """The here-document that `cat >&2 << END` writes; None where it is not known."""
    documents = [item for item in command.redirections if item.operator in DOCUMENT]
    others = [item for item in command.redirections if item not in documents]
    if len(documents) != 1 or len(command.words) != 1 or command.words[0].literal != "cat":
        return None
    rest = Simple(assignments=(), words=command.words, redirections=tuple(others), at=command.at)
    return document(text, documents[0], state) if to_errors(rest, state) else None


def document(text: str, item: Redirection, state: State) -> str | None:
    """What a here-document holds; None where it is not known."""
    target = item.target
    if target is None:
        return None
    delimiter = "".join(part.text for part in target.parts)
    body = here_document(text, target.at, delimiter, strip=item.operator == "<<-")
    if body is None or any(part.quoted for part in target.parts):
        return body
    try:
        word = parse_word(re.sub(r'"', r'\\"', body))
    except Malformed:
        return None
    value = expand_one(word, state.scope)
    return value if isinstance(value, str) else None


def filtered(value: str, argv: Sequence[str]) -> str | None:
    """What a filter makes of text: `cut`, `tr`, `head`, `tail` and `sed` in their simplest forms; None for others."""
    name, words = argv[0], list(argv[1:])
    lines = value.removesuffix("\n").split("\n")
    if name == "cat" and not words:
        return value
    if name == "uniq" and not words:
        return "".join(f"{line}\n" for line, _ in groupby(lines))
    if name == "grep" and words:
        return _kept(lines, words)
    if name == "cut" and words:
        return _cut(lines, words)
    if name == "tr" and len(words) == 2:
        return _translated(value, *words)
    if name in ("head", "tail") and words in (["-n1"], ["-n", "1"], ["-1"]):
        return (lines[0] if name == "head" else lines[-1]) + "\n"
    if name == "sed" and len(words) in (1, 2) and words[:-1] in ([], ["-e"]):
        plain = re.fullmatch(r"s([/|,#:])([A-Za-z0-9_ -]*|\\\\)\1([A-Za-z0-9_ /-]*)\1(g?)", words[-1])
        if plain is not None and plain[2]:
            old = "\\" if plain[2] == "\\\\" else plain[2]
            return "".join(line.replace(old, plain[3], -1 if plain[4] else 1) + "\n" for line in lines)
    return None


_KEPT = late(r"(\^?)((?:[A-Za-z0-9_/ :=@,-]|\\\.)+)(\$?)")


def _kept(lines: Sequence[str], words: Sequence[str]) -> str | None:
    """The lines that `grep` keeps for an expression of plain characters."""
    plain = _KEPT.fullmatch(words[-1]) if not words[-1].startswith("-") else None
    if plain is None or set(words[:-1]) - {"-v", "-E"}:
        return None
    bare = plain[2].replace("\\.", ".")
    fits = [
        line == bare if plain[1] and plain[3] else line.startswith(bare) if plain[1] else
        line.endswith(bare) if plain[3] else bare in line
        for line in lines
    ]  # fmt: skip
    return "".join(f"{line}\n" for line, fit in zip(lines, fits, strict=True) if fit is not ("-v" in words))


def _cut(lines: Sequence[str], words: Sequence[str]) -> str | None:
    found = re.fullmatch(r"-c ?([0-9]{1,9})(?:-([0-9]{1,9}))?", " ".join(words))
    if found is not None:
        first, last = int(found[1]), int(found[2] or found[1])
        return "".join(line[first - 1 : last] + "\n" for line in lines) if first else None
    found = re.fullmatch(r"-d ?(.) -f ?([0-9]{1,9})|-f ?([0-9]{1,9}) -d ?(.)", " ".join(words))
    if found is None:
        return None
    sign, number = found[1] or found[4], int(found[2] or found[3])
    fields = [line.split(sign) for line in lines]
    picked = [one[0] if len(one) == 1 else one[number - 1] if number <= len(one) else "" for one in fields]
    return "".join(f"{one}\n" for one in picked) if number else None


def _translated(value: str, before: str, after: str) -> str | None:
    upper, lower = ("A-Z", "[:upper:]"), ("a-z", "[:lower:]")
    if before in upper and after in lower:
        return value.lower() if value.isascii() else None
    if before in lower and after in upper:
        return value.upper() if value.isascii() else None
    if before == "-d" and re.fullmatch(r"[^\\\[\]-]+", after):
        return "".join(char for char in value if char not in after)
    if len(before) == len(after) == 1 and "\\" not in (before, after):
        return value.replace(before, after)
    return None


def hides_errors(redirections: Sequence[Redirection]) -> bool:
    """Whether redirections send standard error somewhere else than to the operator; `2>&1` follows what 1 is then."""
    away = False
    for item in redirections:
        if item.operator == ">&" and item.descriptor == 2 and item.target is not None and item.target.source == "1":
            if away:
                return True
        elif item.operator in (">", ">>", ">|") and item.descriptor in (None, 1) and item.target is not None:
            away = not item.target.source.startswith(("/dev/std", "/dev/fd", "/proc/"))
        elif _hides_errors(item):
            return True
    return False


def _hides_errors(item: Redirection) -> bool:
    if item.target is None:
        return False
    both = item.operator in ("&>", "&>>")
    closed = item.operator == ">&" and item.target.source == "-"
    return both or (item.descriptor == 2 and (closed or item.operator in (">", ">>", ">|")))
