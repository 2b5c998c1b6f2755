"""The environment of a process: variables while an engine merges them, and those that come of it."""

from __future__ import annotations

from abc import abstractmethod
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

import msgspec

from imagepeel.process.spec.trace import config_place
from imagepeel.process.spec.values import EnvVar, Origin


class Variable(msgspec.Struct, kw_only=True, gc=False):
    """One entry of an environment list, `NAME=value` or not, and where it comes from."""

    text: str
    origin: Origin
    why: str = ""
    overrides: tuple[Origin, ...] = ()
    index: int = -1
    """Of an entry of the image: where it stands in its Env."""

    @property
    def name(self) -> str:
        end = self.text.find("=")
        return self.text if end < 0 else self.text[:end]


class Later(Sequence[Any]):
    """A sequence that keeps less than its items, which may be hundreds of thousands; it equals a tuple of them."""

    @abstractmethod
    def _at(self, index: int) -> Any:
        """Return the item of an index that is not negative."""

    def __getitem__(self, index: int | slice) -> Any:
        places = range(len(self))[index]
        return self._at(places) if isinstance(places, int) else tuple(map(self._at, places))

    def __iter__(self) -> Iterator[Any]:
        return map(self._at, range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Later | tuple):
            return NotImplemented
        return len(self) == len(other) and all(own == one for own, one in zip(self, other, strict=True))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))

    def kept(self) -> tuple[Any, ...]:
        """Return these items as a prediction keeps them: as they are.  `Image.process` has a tuple of them."""
        return cast("tuple[Any, ...]", self)


class Variables(Later):
    """The variables of a process in the order that execve gets; those of the image are made when they are asked for.

    `env` is the image's Env.  A number is the index of an entry there or, where it is negative, of one of `others`,
    from its end.  `placed` says that the variables of the image tell their place in it.
    """

    def __init__(
        self, env: tuple[str, ...], numbers: Iterable[int], others: Sequence[EnvVar] = (), *, placed: bool = True
    ) -> None:
        self._env = env
        self._numbers = array("i", numbers)
        self._others = others
        self._placed = placed

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[EnvVar]:
        return map(self._made, self._numbers)

    def _at(self, index: int) -> EnvVar:
        return self._made(self._numbers[index])

    def _made(self, number: int) -> EnvVar:
        if number < 0:
            return self._others[number]
        name, _, value = self._env[number].partition("=")
        where = config_place(f"/config/Env/{number}") if self._placed else None
        return EnvVar(name=name, value=value, origin="image", where=where)

    def all(self, known: dict[int, EnvVar]) -> tuple[EnvVar, ...]:
        """Return all variables; those of the image, by their index, are taken from `known` and kept there."""
        for number in self._numbers:
            if number >= 0 and number not in known:
                known[number] = self._made(number)
        return tuple(self._others[number] if number < 0 else known[number] for number in self._numbers)

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield name and value of each variable."""
        for number in self._numbers:
            if number < 0:
                yield self._others[number].name, self._others[number].value
            else:
                name, _, value = self._env[number].partition("=")
                yield name, value

    def named(self, name: str) -> EnvVar | None:
        """Return the variable of a name; None where there is none."""
        start, env = name + "=", self._env
        for number in self._numbers:
            if self._others[number].name == name if number < 0 else env[number].startswith(start):
                return self._made(number)
        return None

    def with_last(self, variable: EnvVar, replaced: EnvVar | None) -> Variables:
        """Return these variables without the one that is `replaced`, and a variable behind them."""
        numbers = self._numbers
        if replaced is not None:
            numbers = array("i", (number for number in numbers if self._made(number) != replaced))
        behind = -1 - len(self._others)
        return Variables(self._env, (*numbers, behind), (variable, *self._others), placed=self._placed)


def replace_or_append(base: Sequence[Variable], over: Sequence[Variable], notes: list[str]) -> list[Variable]:
    """Merge as engines do: known names are replaced in place, an entry without `=` removes.

    Names that `over` itself repeats are appended twice, as the engines do; the runtime keeps the last.
    """
    # One of the two lists is the image's and may be long: names are kept of the other one.
    known = {item.name for item in over} if len(over) < len(base) else None
    places = {item.name: index for index, item in enumerate(base) if known is None or item.name in known}
    result: list[Variable | None] = list(base)
    for item in over:
        index = places.get(item.name)
        if "=" not in item.text:
            notes.append(f"the entry {item.name!r} has no =: it removes that variable")
            if index is not None:
                result[index] = None
            continue
        if index is not None:
            old = result[index]
            if old is not None:
                item.overrides = (*old.overrides, old.origin)
            result[index] = item
        else:
            result.append(item)
    return [item for item in result if item is not None]


def given_first(
    base: Sequence[Variable], image: Sequence[Variable], given: Sequence[Variable], notes: list[str]
) -> list[Variable]:
    """Merge as Docker does: the caller's entries stand before those of the image that they do not replace."""
    names = {item.name for item in given}
    return replace_or_append(base, [*given, *(item for item in image if item.name not in names)], notes)
