"""$NAME and ${NAME...} in a compose file.

Source: docs.docker.com, "Interpolation" of the compose file reference: `$VAR`, `${VAR}`, `:-` and `-` for a default,
`:?` and `?` for an error, `:+` and `+` for a replacement, each of which may hold variables again; `$$` is one
dollar sign.
"""

from __future__ import annotations

from collections.abc import Mapping

from imagepeel.deploy.place import Place, malformed, too_much

_MOST_DEPTH = 20
_MOST_TEXT = 100_000
_FIRST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_NAME = _FIRST | frozenset("0123456789")


class Interpolation:
    """The variables of one file: `missing` are those that it refers to without a default, in order."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.variables: Mapping[str, str] = variables
        self.missing: dict[str, Place] = {}

    def fill(self, text: str, place: Place, depth: int = 0) -> str:
        """Return the text with its variables replaced; one that nobody gives is empty, as compose has it.

        Malformed for a reference without an end or name, and where the file itself asks for an error.
        """
        if depth > _MOST_DEPTH:
            raise too_much(place, f"variables are nested more than {_MOST_DEPTH} levels deep")
        out: list[str] = []
        size = at = 0
        while at < len(text):
            found = text.find("$", at)
            if found < 0:
                out.append(text[at:])
                break
            out.append(text[at:found])
            value, at = self._one(text, found, place, depth)
            size += len(value)
            if size > _MOST_TEXT:
                raise too_much(place, "the text is too long once its variables are filled in")
            out.append(value)
        return "".join(out)

    def _one(self, text: str, at: int, place: Place, depth: int) -> tuple[str, int]:
        """The value of the reference that begins at a dollar sign, and where the text goes on."""
        following = text[at + 1 : at + 2]
        if following == "$":
            return "$", at + 2
        if following == "{":
            end = _end(text, at + 2)
            if end < 0:
                raise malformed(place, f"invalid interpolation format: {text[at : at + 40]!r} has no }}")
            return self._braced(text[at + 2 : end], place, depth), end + 1
        if following not in _FIRST or not following:
            what = f"invalid interpolation format: {text[at : at + 40]!r}"
            raise malformed(place, what, "write $$ for a dollar sign")
        end = at + 1
        while end < len(text) and text[end] in _NAME:
            end += 1
        return self._value(text[at + 1 : end], place), end

    def _braced(self, inner: str, place: Place, depth: int) -> str:
        end = 0
        while end < len(inner) and inner[end] in _NAME:
            end += 1
        name, rest = inner[:end], inner[end:]
        if not name or name[0] not in _FIRST:
            raise malformed(place, f"invalid interpolation format: ${{{inner[:40]}}}")
        if not rest:
            return self._value(name, place)
        empty_counts = rest[0] != ":"
        operator, word = (rest[0], rest[1:]) if empty_counts else (rest[1:2], rest[2:])
        if operator not in ("-", "?", "+") or not operator:
            raise malformed(place, f"invalid interpolation format: ${{{inner[:40]}}}")
        value = self.variables.get(name)
        given = value is not None and (bool(value) or empty_counts)
        if operator == "+":
            return self.fill(word, place, depth + 1) if given else ""
        if given:
            return value or ""
        if operator == "?":
            raise malformed(place, f"required variable {name} is missing a value: {self.fill(word, place, depth + 1)}",
                            "give it with --env NAME=VALUE")  # fmt: skip
        return self.fill(word, place, depth + 1)

    def _value(self, name: str, place: Place) -> str:
        value = self.variables.get(name)
        if value is None:
            self.missing.setdefault(name, place)
        return value or ""


def _end(text: str, at: int) -> int:
    """Where the brace closes that was opened before `at`; -1 where none does."""
    depth = 1
    while at < len(text):
        if text.startswith("${", at):
            depth, at = depth + 1, at + 2
            continue
        if text[at] == "}":
            depth -= 1
            if not depth:
                return at
        at += 1
    return -1
