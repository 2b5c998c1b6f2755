"""Entries of a list that are made when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, overload

from imagepeel.present.document import Item


class Entries(Sequence[Item]):
    """An entry for each of some values, made when it is asked for: there may be hundreds of thousands."""

    def __init__(self, values: Sequence[Any], make: Callable[[Any], Item]) -> None:
        self._values = values
        self._make = make

    def __len__(self) -> int:
        return len(self._values)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | Sequence[Item]:
        if isinstance(index, slice):
            return Entries(self._values[index], self._make)
        return self._make(self._values[index])
