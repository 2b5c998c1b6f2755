"""Words of a command line that mean numbers: sizes, moments, users."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import click

from imagepeel.cli.common import NumberType
from imagepeel.errors import ImagepeelError, UsageError
from imagepeel.text import decimal, in_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from imagepeel.rootfs.view import Rootfs


class Size(NumberType):
    """`4096`, `1.5M`, `2GB`: K, M, G, T are powers of 1,024 as in find and dd, kB, MB, GB, TB of 1,000."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = in_bytes(value)
        if found is None:
            self.fail(f"{value!r} is no size: write bytes, or 10K, 1.5M, 2G (1,024) or 10kB, 1.5MB (1,000)", param, ctx)
        return found


Sign = Literal["", "+", "-"]
"""Exactly so many, more, or fewer."""


class Units(NumberType):
    """`+10M`, `-1k`, `5c`: a number of units as find -size counts them, in powers of 1,024; without a unit, bytes."""

    name = "size"

    class Asked(NamedTuple):
        """What is asked of a size: `sign` is "", + or -, `number` counts units of `unit` bytes."""

        sign: Sign
        number: int
        unit: int

        def holds(self, size: int) -> bool:
            """Whether a size in bytes, rounded up to whole units, is that many, more or fewer."""
            units = -(-size // self.unit)
            if not self.sign:
                return units == self.number
            return units > self.number if self.sign == "+" else units < self.number

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, self.Asked):
            return value
        sign: Sign = "+" if value[:1] == "+" else "-" if value[:1] == "-" else ""
        digits = value[len(sign) :].rstrip("ckMG")
        unit = value[len(sign) + len(digits) :]
        count = decimal(digits)
        if count is None or unit not in self.UNITS:
            self.fail(f"{value!r} is no size: write 4096, +10M or -1k", param, ctx)
        return self.Asked(sign, count, self.UNITS[unit])

    UNITS: ClassVar = {"": 1, "c": 1, "k": 1 << 10, "M": 1 << 20, "G": 1 << 30}


class Moment(NumberType):
    """A date or time of ISO 8601 (UTC unless it says otherwise), or `@SECONDS` since 1970."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            if value.startswith("@"):
                return float(value[1:])
            moment = datetime.fromisoformat(value)
            return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no time: write 2024-05-01, 2024-05-01T12:30:00Z or @1714521600", param, ctx)


def owner_ids(rootfs: Rootfs, words: str) -> tuple[int | None, int | None]:
    """Return (uid, gid) of `USER`, `USER:GROUP` or `:GROUP`; names are looked up in the image's own passwd and group.

    UsageError for a name that the image does not have.
    """
    user, _, group = words.partition(":")
    from imagepeel.formats.passwd import parse_group, parse_passwd  # start time

    def users(data: bytes) -> dict[str, int]:
        # The first line of a name counts, so it goes into the dictionary last.
        return {entry.name: entry.uid for entry in reversed(parse_passwd(data))}

    def groups(data: bytes) -> dict[str, int]:
        return {entry.name: entry.gid for entry in reversed(parse_group(data))}

    return _number(user, "user", "/etc/passwd", users, rootfs), _number(group, "group", "/etc/group", groups, rootfs)


def _number(word: str, what: str, path: str, parse: Callable[[bytes], dict[str, int]], rootfs: Rootfs) -> int | None:
    if not word:
        return None
    if word.isascii() and word.isdigit() and len(word) < 12:
        return int(word)
    try:
        names = parse(rootfs.read(path))
    except ImagepeelError:
        names = {}
    if word not in names:
        raise UsageError(f"{path} of the image has no {what} {word!r}", hint="give the number")
    return names[word]
