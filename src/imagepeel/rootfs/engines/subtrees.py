"""What lies below a directory of a layer, as few ranges of entries, without a look at each.

All paths below `d` follow each other in the order of bytes, from `d/` up to `d0`, because `0` comes next after `/`.  So
of sorted directories a search finds those below one, and the runs of entries in them are what lies below.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain, islice, repeat
from operator import attrgetter

from imagepeel.rootfs.engines.directory_runs import DirectoryRuns

_MOST = 50_000
"""Entries in one range."""
_AT_ONCE = 10_000
"""Runs among which neighbours are found."""
_start = attrgetter("start")


class Below(Iterable[int]):
    """The entry of each path below a directory, and -1 for each directory that no entry describes."""

    def __init__(self, runs: DirectoryRuns, directories: Sequence[int], root: int | None, implied: int) -> None:
        """`directories` are the numbers of those whose entries lie below, sorted."""
        self._runs = runs
        self._directories = directories
        self._root = root
        self.implied: int = implied
        """How many directories no entry describes."""

    def ranges(self) -> Iterator[range]:
        """Yield the entries, neighbours together, but no more than a caller may copy columns of."""
        together = self._runs.together(self._directories)
        if together is not None:
            yield from self._pieces(together)
            return
        runs = chain.from_iterable(map(self._runs.of, self._directories))
        joined = range(0)
        while some := sorted(islice(runs, _AT_ONCE), key=_start):
            for run in some:
                if run.start == joined.stop and len(joined) < _MOST:
                    joined = range(joined.start, run.stop)
                else:
                    yield from self._pieces(joined)
                    joined = run
        yield from self._pieces(joined)

    def _pieces(self, run: range) -> Iterator[range]:
        if self._root is not None and self._root in run:
            yield from self._pieces(range(run.start, self._root))
            run = range(self._root + 1, run.stop)
        for at in range(0, len(run), _MOST):
            yield run[at : at + _MOST]

    def __iter__(self) -> Iterator[int]:
        return chain(chain.from_iterable(self.ranges()), repeat(-1, self.implied))


class Subtrees:
    """What lies below each directory of a regular layer that has no whiteouts."""

    def __init__(self, runs: DirectoryRuns, implied: Mapping[bytes, Sequence[bytes]], root: int | None) -> None:
        """`implied` names directories that no entry describes, by their parent; `root` is the entry of the root."""
        self._runs = runs
        self._root = root
        self._path_of = runs.table.dirs.__getitem__
        self._count = len(runs.table.dirs)
        self._sorted: array[int] | None = None
        self._parents = sorted(implied)
        self._sums = array("I", accumulate((len(implied[path]) for path in self._parents), initial=0))

    def below(self, path: bytes, number: int | None) -> Below:
        """Return what lies below a directory; `number` is its place in the table, None where no entry stands in it."""
        if not path:
            return Below(self._runs, range(self._count), self._root, self._sums[-1])
        if self._sorted is None:
            self._sorted = array("I", sorted(range(self._count), key=self._path_of))
        edges = path + b"/", path + b"0"
        first, behind = (bisect_left(self._sorted, edge, key=self._path_of) for edge in edges)
        # Numbers were given in stream order, in which most neighbours stand together.
        inside = sorted(self._sorted[first:behind] if number is None else (number, *self._sorted[first:behind]))
        first, behind = (bisect_left(self._parents, edge) for edge in edges)
        implied = self._sums[behind] - self._sums[first]
        own = bisect_left(self._parents, path)
        if self._parents[own : own + 1] == [path]:
            implied += self._sums[own + 1] - self._sums[own]
        return Below(self._runs, array("I", inside), None, implied)
