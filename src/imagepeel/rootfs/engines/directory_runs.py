"""Which entries of a layer stand in a directory, and their names.

A million names as texts in a set or a dictionary take more memory than all columns of their layer: a directory of so
many is asked without a text of each.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, compress, count, pairwise

from imagepeel.formats.tar.table import EntryTable
from imagepeel.layers.columns import changes

_PILES = 256


class TooMany(Exception):
    """Too much else has the bytes of a name."""


class DirectoryRuns:
    """The entries of each directory, as runs of entries with equal directory id, sorted by that id.

    Directory d has the runs from `_first[d]` up to `_first[d + 1]`; run r has the entries from `_run_start[r]` up to
    `_run_end[r]`.  Most tars have one run a directory, since `tar` writes its members one after the other.
    """

    __slots__ = ("_first", "_run_end", "_run_start", "names", "table")

    def __init__(self, table: EntryTable) -> None:
        self.table: EntryTable = table
        self.names: bytes = table.names
        dirs = table.dir_ids
        starts = array("I", (0,) if dirs else ())
        starts.extend(compress(count(1), changes(dirs)))
        owners = array("I", map(dirs.__getitem__, starts))
        ends = array("I", starts[1:])
        if starts:
            ends.append(len(dirs))
        order = sorted(range(len(starts)), key=owners.__getitem__)
        self._run_start = array("I", map(starts.__getitem__, order))
        self._run_end = array("I", map(ends.__getitem__, order))
        runs = array("I", bytes(4 * (len(table.dirs) + 1)))
        for owner in owners:
            runs[owner + 1] += 1
        self._first = array("I", accumulate(runs))

    def of(self, directory: int) -> list[range]:
        """Return the entries that stand in a directory, in stream order, neighbours together."""
        return [
            range(self._run_start[r], self._run_end[r])
            for r in range(self._first[directory], self._first[directory + 1])
        ]

    def together(self, directories: Sequence[int]) -> range | None:
        """Return the entries of directories with sorted numbers as one range, None where they are no neighbours."""
        if not directories or directories[-1] - directories[0] >= len(directories):
            return None
        runs = slice(self._first[directories[0]], self._first[directories[-1] + 1])
        starts, ends = self._run_start[runs], self._run_end[runs]
        if not starts:
            return range(0)
        whole = range(min(starts), max(ends))
        return whole if len(whole) == sum(ends) - sum(starts) else None

    def indexes(self, directory: int) -> Iterator[int]:
        """Yield the entries that stand in a directory, in stream order."""
        for run in self.of(directory):
            yield from run

    def names_in(self, directory: int) -> list[bytes]:
        """Return the names of these entries, in the same order."""
        ends, names = self.table.name_ends, self.names
        out: list[bytes] = []
        for r in range(self._first[directory], self._first[directory + 1]):
            start, stop = self._run_start[r], self._run_end[r]
            bounds = [ends[start - 1] if start else 0, *ends[start:stop]]
            out += [names[begin:end] for begin, end in pairwise(bounds)]
        return out

    def each(self, most: int) -> Iterator[list[bytes] | None]:
        """Yield what `names_in` says of each directory in turn, None of one with at least `most` entries."""
        ends, names, starts, stops = self.table.name_ends, self.names, self._run_start, self._run_end
        for directory, (low, high) in enumerate(pairwise(self._first)):
            if high - low != 1 or stops[low] - starts[low] >= most:
                many = sum(stops[low:high]) - sum(starts[low:high]) >= most
                yield None if many else self.names_in(directory)
                continue
            start = starts[low]
            bounds = ends[start - 1 : stops[low]] if start else array("I", (0, *ends[: stops[low]]))
            yield [names[begin:end] for begin, end in pairwise(bounds)]

    def entries_in(self, directory: int) -> dict[bytes, int]:
        """Return name -> entry of these entries; of a name that comes twice, the last."""
        ends, names = self.table.name_ends, self.names
        out: dict[bytes, int] = {}
        for r in range(self._first[directory], self._first[directory + 1]):
            start, stop = self._run_start[r], self._run_end[r]
            begin = ends[start - 1] if start else 0
            for i, end in enumerate(ends[start:stop], start):
                out[names[begin:end]] = i
                begin = end
        return out

    def name(self, i: int) -> bytes:
        ends = self.table.name_ends
        return self.names[ends[i - 1] if i else 0 : ends[i]]


class Distinct:
    """Whether names are all different: 8 bytes a name are kept, its hash.

    Two names of one hash count as equal; there are none in practice, and nobody can make them.
    """

    def __init__(self) -> None:
        self._piles = [array("q") for _ in range(_PILES)]

    def add(self, name: bytes) -> None:
        number = hash(name)
        self._piles[number % _PILES].append(number)

    def holds(self) -> bool:
        """Say whether no name was added twice."""
        return all(len(set(pile)) == len(pile) for pile in self._piles)


def find(table: EntryTable, entries: range, name: bytes, most: int) -> int | None:
    """Return the entry with a basename among neighbours, None without one: a search in the bytes of all names.

    TooMany where `most` other places have the same bytes, within names and across their borders.
    """
    if not entries:
        return None
    names, ends = table.names, table.name_ends
    at, stop = (ends[entries.start - 1] if entries.start else 0), ends[entries.stop - 1]
    for _ in range(most):
        at = names.find(name, at, stop)
        if at < 0:
            return None
        i = bisect_right(ends, at, entries.start, entries.stop)
        if (ends[i - 1] if i else 0) == at and ends[i] - at == len(name):
            return i
        at += 1
    raise TooMany
