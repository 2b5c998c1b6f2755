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
from imagepeel.layers.columns import changes, low_bytes

_PILES = 256


class TooMany(Exception):
    """Too much else has the bytes of a name."""


class DirectoryRuns:
    """The entries of each directory, as runs of entries with equal directory id.

    Run r has the entries from `_starts[r]` up to `_starts[r + 1]`, which stand in directory `_owners[r]`.  Most tars
    have one run a directory, since `tar` writes its members one after the other.  The runs are sorted by directory
    when so much is asked that it pays: a look at one path asks for a few directories.
    """

    __slots__ = ("_first", "_low", "_order", "_owners", "_patience", "_starts", "names", "table")

    def __init__(self, table: EntryTable) -> None:
        self.table: EntryTable = table
        self.names: bytes = table.names
        dirs = table.dir_ids
        starts = array("I", (0,) if dirs else ())
        starts.extend(compress(count(1), changes(dirs)))
        self._owners = array("I", map(dirs.__getitem__, starts))
        starts.append(len(dirs))
        self._starts = starts
        self._low: bytes = low_bytes(self._owners)
        """The least byte of each owner."""
        self._patience: int = len(self._owners) // 4
        """Looks at runs before they are sorted."""
        self._order = array("I")
        """The runs sorted by directory: those of directory d from `_first[d]` up to `_first[d + 1]`."""
        self._first = array("I")

    def _sort(self) -> None:
        if not self._first:
            owners = self._owners
            self._order = array("I", sorted(range(len(owners)), key=owners.__getitem__))
            runs = array("I", bytes(4 * (len(self.table.dirs) + 1)))
            for owner in owners:
                runs[owner + 1] += 1
            self._first = array("I", accumulate(runs))

    def _runs(self, directory: int) -> Sequence[int]:
        """Return the numbers of a directory's runs, ascending."""
        if not self._first:
            found = self._look(directory)
            if found is not None:
                return found
            self._sort()
        return self._order[self._first[directory] : self._first[directory + 1]]

    def _look(self, directory: int) -> list[int] | None:
        """Return them without sorting all, None where that pays no more."""
        owners, low, found = self._owners, self._low, []
        self._patience -= len(low) // 1024
        at = low.find(directory & 0xFF)
        while at >= 0:
            self._patience -= 1
            if self._patience < 0:
                return None
            if owners[at] == directory:
                found.append(at)
            at = low.find(directory & 0xFF, at + 1)
        return found

    def of(self, directory: int) -> list[range]:
        """Return the entries that stand in a directory, in stream order, neighbours together."""
        starts = self._starts
        return [range(starts[run], starts[run + 1]) for run in self._runs(directory)]

    def together(self, directories: Sequence[int]) -> range | None:
        """Return the entries of directories with sorted numbers as one range, None where they are no neighbours."""
        if not directories or directories[-1] - directories[0] >= len(directories):
            return None
        self._sort()
        runs = self._order[self._first[directories[0]] : self._first[directories[-1] + 1]]
        if not runs:
            return range(0)
        first, last = min(runs), max(runs)
        return range(self._starts[first], self._starts[last + 1]) if last - first < len(runs) else None

    def indexes(self, directory: int) -> Iterator[int]:
        """Yield the entries that stand in a directory, in stream order."""
        for run in self.of(directory):
            yield from run

    def names_in(self, directory: int) -> list[bytes]:
        """Return the names of these entries, in the same order."""
        ends, names = self.table.name_ends, self.names
        out: list[bytes] = []
        for run in self.of(directory):
            bounds = [ends[run.start - 1] if run.start else 0, *ends[run.start : run.stop]]
            out += [names[begin:end] for begin, end in pairwise(bounds)]
        return out

    def each(self, most: int) -> Iterator[list[bytes] | None]:
        """Yield what `names_in` says of each directory in turn, None of one with at least `most` entries."""
        self._sort()
        ends, names, starts, order = self.table.name_ends, self.names, self._starts, self._order
        for directory, (low, high) in enumerate(pairwise(self._first)):
            run = order[low] if low < high else 0
            if high - low != 1 or starts[run + 1] - starts[run] >= most:
                many = sum(starts[run + 1] - starts[run] for run in order[low:high]) >= most
                yield None if many else self.names_in(directory)
                continue
            start, stop = starts[run], starts[run + 1]
            bounds = ends[start - 1 : stop] if start else array("I", (0, *ends[:stop]))
            yield [names[begin:end] for begin, end in pairwise(bounds)]

    def entries_in(self, directory: int) -> dict[bytes, int]:
        """Return name -> entry of these entries; of a name that comes twice, the last."""
        ends, names = self.table.name_ends, self.names
        out: dict[bytes, int] = {}
        for run in self.of(directory):
            begin = ends[run.start - 1] if run.start else 0
            for i, end in enumerate(ends[run.start : run.stop], run.start):
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
