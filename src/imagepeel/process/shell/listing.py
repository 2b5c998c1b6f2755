"""What `find` and `ls` list of the image, and the order in which `sort` puts it.

Measured: findutils 4.9 and coreutils 9.1 in the C locale, and busybox 1.35, as Debian builds them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from imagepeel._lazy import late
from imagepeel.evidence import raw
from imagepeel.process.shell.patterns import pattern_regex
from imagepeel.process.shell.scope import Scope

_MAX_ENTRIES = 2000
_MAX_DEPTH = 40


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What a command writes to its output and to standard error, and its exit code."""

    text: str
    code: int = 0
    said: str = ""
    ordered: bool = True
    """Whether the lines come in this order; if not, only the running system knows their order, or which one it is."""


def in_byte_order(scope: Scope) -> bool:
    """Whether tools compare words by their bytes: no other locale is asked for (locale(7))."""
    given = (scope.get(name) for name in ("LC_ALL", "LC_COLLATE", "LANG"))
    value = next((one for one in given if one), "")
    return isinstance(value, str) and value.lower().replace("-", "") in ("", "c", "posix", "c.utf8")


def has_curly_quotes(scope: Scope) -> bool:
    """Whether messages may have the quotes of another locale than C."""
    return any(scope.get(name) not in (None, "", "C", "POSIX") for name in ("LC_ALL", "LC_CTYPE", "LANG"))


def kind_of(path: str, scope: Scope, *, follow: bool) -> str | None:
    """The letter of `find -type` for a path, "" where nothing is there; None where that is not known."""
    if scope.test is None:
        return None
    is_link = scope.test("L", path)
    if is_link is None:
        return None
    if is_link and not follow:
        return "l"
    for letter in "fdp":
        answer = scope.test(letter, path)
        if answer is None:
            return None
        if answer:
            return letter
    there = scope.test("e", path)
    return None if there is None else "?" if there else "l" if is_link else ""


class _Search(msgspec.Struct, kw_only=True):
    """One call of `find`, as far as its words are understood."""

    tops: list[str] = []
    follow: bool = False
    least: int = 0
    most: int = _MAX_DEPTH
    tests: list[tuple[bool, str, str]] = []
    """In their order: whether the answer is to be no, the test, and its word."""
    ends: str = "\n"
    first_only: bool = False
    runs: tuple[str, ...] = ()
    """The words behind `-exec`, with the `;` or `+` that ends them."""


def _understood(words: Sequence[str]) -> _Search | None:
    asked = _Search()
    rest = list(words)
    while rest and rest[0] in ("-L", "-P"):
        asked.follow = rest.pop(0) == "-L"
    while rest and not rest[0].startswith(("-", "!", "(")):
        asked.tops.append(rest.pop(0))
    asked.tops = asked.tops or ["."]
    refuses = acts = False
    while rest:
        word = rest.pop(0)
        if word in ("!", "-not"):
            refuses = not refuses
            continue
        if word in _ACTIONS:
            if not _acts(asked, word, rest, again=acts):
                return None
            acts = True
        elif not _limits(asked, word, rest, refuses=refuses):
            return None
        refuses = False
    return asked


_ACTIONS = frozenset(("-print", "-print0", "-quit", "-exec"))


def _acts(asked: _Search, word: str, rest: list[str], *, again: bool) -> bool:
    """Take an action of `find`; False where it is not understood."""
    if word == "-quit":
        asked.first_only = True
        return again and not asked.runs
    if word == "-exec":
        stop = next((at for at, one in enumerate(rest) if one in (";", "+")), -1)
        asked.runs = tuple(rest[: stop + 1])
        del rest[: stop + 1]
        return stop > 0 and not again
    asked.ends = "\n" if word == "-print" else "\0"
    return not again


def _limits(asked: _Search, word: str, rest: list[str], *, refuses: bool) -> bool:
    """Take a test or an option of `find`; False where it is not understood."""
    if word in ("-follow", "-a", "-and"):
        asked.follow = asked.follow or word == "-follow"
    elif word == "-executable":
        asked.tests.append((refuses, word, ""))
    elif word in ("-type", "-name") and rest:
        asked.tests.append((refuses, word, rest.pop(0)))
    elif word in ("-maxdepth", "-mindepth") and rest and re.fullmatch(r"[0-9]{1,3}", rest[0]):
        depth = int(rest.pop(0))
        asked.most, asked.least = (depth, asked.least) if word == "-maxdepth" else (asked.most, depth)
    else:
        return False
    return True


def _fits(asked: _Search, path: str, kind: str, scope: Scope) -> bool | None:
    for refuses, test, word in asked.tests:
        answer: bool | None = kind in word.split(",")
        if test == "-name":
            compiled = pattern_regex([(word, False)])
            answer = None if compiled is None else compiled.fullmatch(path.rstrip("/").rsplit("/", 1)[-1]) is not None
        elif test == "-executable":
            answer = scope.test("x", path) if scope.test is not None else None
        if answer is None:
            return None
        if answer is refuses:
            return False
    return True


def _below(asked: _Search, top: str, scope: Scope) -> list[str] | None:
    """The paths that fit, from one start on; None where something on the way is not known."""
    found: list[str] = []
    waiting = [(top, 0)]
    seen = 0
    while waiting:
        path, depth = waiting.pop()
        seen += 1
        kind = kind_of(path, scope, follow=asked.follow or (not depth and path.endswith("/")))
        if seen > _MAX_ENTRIES or kind is None or (kind == "" and depth):
            return None
        fits = depth >= asked.least and _fits(asked, path, kind, scope)
        if fits is None:
            return None
        if fits:
            found.append(path)
        if kind != "d" or depth >= asked.most:
            continue
        if scope.test is None or scope.names is None or not (scope.test("r", path) and scope.test("x", path)):
            return None
        names = scope.names(path)
        if names is None or (asked.follow and depth >= _MAX_DEPTH - 1):
            return None
        waiting += [(f"{path.rstrip('/') if path != '/' else ''}/{name}", depth + 1) for name in reversed(names)]
    return found


def found(words: Sequence[str], scope: Scope) -> Written | None:
    """What `find` writes; None where that is not known, or where it starts programs."""
    asked = _understood(words[1:])
    return None if asked is None or asked.runs else _listed(asked, scope)


def runs_on(words: Sequence[str], scope: Scope) -> tuple[tuple[str, ...], Written] | None:
    """What `find -exec` starts, its `{}` as written and the `;` or `+` at its end, and the paths for it."""
    asked = _understood(words[1:])
    listed = None if asked is None or not asked.runs else _listed(asked, scope)
    return None if asked is None or listed is None else (asked.runs, listed)


def _listed(asked: _Search, scope: Scope) -> Written | None:
    paths: list[str] = []
    missing: list[str] = []
    for top in asked.tops:
        kind = kind_of(top, scope, follow=True)
        if kind is None:
            return None
        if kind == "":
            missing.append(top)
            continue
        one = _below(asked, top, scope)
        if one is None:
            return None
        paths += one
    if asked.first_only and missing:
        return None
    busybox = scope.family is not None and scope.family("find") == "busybox"
    if missing and not busybox and has_curly_quotes(scope):
        return None
    quote = "" if busybox else "'"
    said = [f"find: {quote}{top}{quote}: No such file or directory" for top in missing]
    ordered = len(paths) < 2
    paths = paths[:1] if asked.first_only else paths
    text = "".join(f"{path}{asked.ends}" for path in paths)
    return Written(text=text, code=int(bool(missing)), said="\n".join(said), ordered=ordered)


def listed(words: Sequence[str], scope: Scope) -> Written | None:
    """What `ls` writes where its output is no terminal: a name a line; None where that is not known."""
    options = [word for word in words[1:] if word.startswith("-") and word != "--"]
    operands = [word for word in words[1:] if not word.startswith("-")]
    if set(options) - {"-1", "-A", "-1A", "-A1"} or not in_byte_order(scope):
        return None
    kinds = [kind_of(path, scope, follow=True) for path in operands or ["."]]
    if kinds == ["d"]:
        path = operands[0] if operands else "."
        if scope.names is None or scope.test is None or not scope.test("r", path):
            return None
        names = scope.names(path)
        shown = None if names is None else [name for name in names if name[:1] != "." or any("A" in o for o in options)]
    else:
        plain = all(kind == "f" for kind in kinds)
        shown = sorted(operands, key=raw) if plain else None
    return None if shown is None else Written(text="".join(f"{name}\n" for name in shown))


_DIGITS = late(r"([0-9]+)")


def in_order(text: str, words: Sequence[str], scope: Scope) -> str | None:
    """What `sort` makes of text, for a few options and where only bytes count; None for all others."""
    letters = "".join(word[1:] for word in words if word.startswith("-"))
    if set(letters) - set("Vuzr") or any(not word.startswith("-") for word in words) or not in_byte_order(scope):
        return None
    ends = "\0" if "z" in letters else "\n"
    lines = text.removesuffix(ends).split(ends) if text else []
    ranked = sorted(lines, key=raw)
    if "V" in letters:
        by_number = sorted(lines, key=lambda line: [(0, int(p)) if p.isdigit() else (1, p) for p in _parts(line)])
        if by_number != ranked:
            return None
    if "u" in letters:
        ranked = list(dict.fromkeys(ranked))
    return "".join(f"{line}{ends}" for line in (reversed(ranked) if "r" in letters else ranked))


def _parts(line: str) -> list[str]:
    return [part for part in _DIGITS.split(line)[:200] if part]
