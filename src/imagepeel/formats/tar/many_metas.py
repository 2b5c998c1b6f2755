"""What entries share, for a layer whose entries share next to nothing: columns of numbers where others have objects.

A million owners as objects would take several times the memory of their entries.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import get_args, overload

from imagepeel.formats.tar.header import HeaderFormat
from imagepeel.formats.tar.metas import Meta

_FORMATS: tuple[HeaderFormat, ...] = get_args(HeaderFormat)


class ManyMetas(Sequence[Meta]):
    """A list of `Meta` that takes some 50 bytes and the names of owners for each, and makes them when asked."""

    def __init__(self, metas: Iterable[Meta]) -> None:
        self._kinds = bytearray()
        self._formats = bytearray()
        self._numbers = array("q")
        """Five of each: mode, user, group, major and minor."""
        self._names = bytearray()
        self._name_ends = array("Q")
        """Two of each: where the name of the user ends in `_names`, and that of the group behind it."""
        for meta in metas:
            self.append(meta)

    def append(self, meta: Meta) -> None:
        """Add one at the end."""
        self._kinds += meta.type
        self._formats.append(_FORMATS.index(meta.format))
        self._numbers.extend((meta.mode, meta.uid, meta.gid, meta.major, meta.minor))
        for name in (meta.uname, meta.gname):
            self._names += name
            self._name_ends.append(len(self._names))

    def types(self) -> Iterator[bytes]:
        """Yield the type of each."""
        one_of = [bytes((kind,)) for kind in range(256)]
        return map(one_of.__getitem__, self._kinds)

    def __len__(self) -> int:
        return len(self._kinds)

    def __iter__(self) -> Iterator[Meta]:
        return map(self._made, range(len(self)))

    @overload
    def __getitem__(self, index: int) -> Meta: ...
    @overload
    def __getitem__(self, index: slice) -> list[Meta]: ...
    def __getitem__(self, index: int | slice) -> Meta | list[Meta]:
        if isinstance(index, slice):
            return [self._made(i) for i in range(*index.indices(len(self)))]
        return self._made(range(len(self))[index])

    def _made(self, i: int) -> Meta:
        begin = self._name_ends[2 * i - 1] if i else 0
        between, end = self._name_ends[2 * i], self._name_ends[2 * i + 1]
        names = self._names
        mode, uid, gid, major, minor = self._numbers[5 * i : 5 * i + 5]
        return Meta(
            bytes(self._kinds[i : i + 1]),
            mode,
            uid,
            gid,
            major,
            minor,
            bytes(names[begin:between]),
            bytes(names[between:end]),
            _FORMATS[self._formats[i]],
        )
