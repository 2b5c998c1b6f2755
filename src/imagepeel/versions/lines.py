"""Which lines two texts have in common, and their difference as a patch, in bounded time.

The greedy search of Myers ("An O(ND) Difference Algorithm", 1986) finds a few edits in texts of any length.  Where
there are more of them, lines that occur once in both texts are anchors (patience diff, Bram Cohen), and the search goes
on between those.  Work is paid from a budget that grows with the texts and with nothing else: where it is spent, what
is left counts as replaced as a whole, and the result says so.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from operator import lt

import msgspec

CONTEXT = 3
"""Lines around a change that a patch shows, as diff -u does."""
_FEW_EDITS, _MOST_EDITS = 130, 250
"""Lines that a window may differ in for the greedy search, which is quadratic in it: before anchors are looked for, and
where there are none."""
_WORK_PER_LINE = 24
_MOST_WORK = 8_000_000
"""Lines looked at for all texts of one question: some seconds."""

Lines = Sequence[bytes]
Match = tuple[int, int, int]
"""A run of equal lines: where it begins in both texts, and how long it is."""
Window = tuple[int, int, int, int]
"""A part of both texts, as two half-open ranges of lines."""


class Matches(msgspec.Struct, frozen=True, kw_only=True):
    """The runs of lines that two texts have in common, in order.

    exact: False where the search was cut short, so that more lines may be in common.
    """

    runs: tuple[Match, ...]
    exact: bool = True


def split(data: bytes) -> list[bytes]:
    """Return the lines of a text, each with its newline; other separators are part of a line."""
    if b"\r" not in data:
        return data.splitlines(keepends=True)
    parts = data.split(b"\n")
    last = parts.pop()
    lines = [part + b"\n" for part in parts]
    if last:
        lines.append(last)
    return lines


class Work:
    """What may still be spent on the comparisons of one question."""

    def __init__(self, left: int = _MOST_WORK) -> None:
        self.left = left


def matches(old: Lines, new: Lines, work: Work | None = None) -> Matches:
    """Return which lines of two texts are the same; time grows with their length alone, and ends with `work`."""
    work = work or Work()
    search = _Search(old, new, work.left)
    found = search.run()
    work.left -= search.given - search.budget
    return found


class _Search:
    def __init__(self, old: Lines, new: Lines, left: int) -> None:
        self.old, self.new = old, new
        self.runs: list[Match] = []
        self.given = self.budget = min(left, _WORK_PER_LINE * (len(old) + len(new)) + 1000)
        self.exact = True

    def run(self) -> Matches:
        todo = [(0, len(self.old), 0, len(self.new))]
        while todo:
            a, a_end, b, b_end = todo.pop()
            same = _alike(self.old, self.new, (a, a_end, b, b_end))
            self.add(a, b, same)
            a, b = a + same, b + same
            same = _alike_at_end(self.old, self.new, (a, a_end, b, b_end))
            a_end, b_end = a_end - same, b_end - same
            self.add(a_end, b_end, same)
            if a == a_end or b == b_end:
                continue
            size = a_end - a + b_end - b
            if self.budget < size:
                self.exact = False
                continue
            self.budget -= size
            window = a, a_end, b, b_end
            if self.greedy(window, _FEW_EDITS):
                continue
            anchors = self.anchors(*window)
            if anchors:
                todo += self.between(anchors, window)
            elif not self.greedy(window, _MOST_EDITS):
                self.exact = False
        return Matches(runs=tuple(_merged(sorted(self.runs))), exact=self.exact)

    def add(self, a: int, b: int, count: int) -> None:
        if count:
            self.runs.append((a, b, count))

    def anchors(self, a: int, a_end: int, b: int, b_end: int) -> list[tuple[int, int]]:
        """Return the longest list of lines in the same order that occur once on each side."""
        old, new = self.old[a:a_end], self.new[b:b_end]
        places = dict(zip(new, range(b, b_end), strict=True))
        if len(places) < len(new):
            places = {line: places[line] for line, count in Counter(new).items() if count == 1}
        if len(set(old)) < len(old):
            places = {line: places[line] for line, count in Counter(old).items() if count == 1 and line in places}
        return _ascending([(at, places[line]) for at, line in enumerate(old, a) if line in places])

    def between(self, anchors: list[tuple[int, int]], window: Window) -> Iterator[Window]:
        """Take the anchors, and yield what lies between them."""
        a, a_end, b, b_end = window
        start_a, start_b, length = a, b, 0
        for one, two in anchors:
            if one == a and two == b:
                length += 1
            else:
                self.add(start_a, start_b, length)
                yield a, one, b, two
                start_a, start_b, length = one, two, 1
            a, b = one + 1, two + 1
        self.add(start_a, start_b, length)
        yield a, a_end, b, b_end

    def greedy(self, window: Window, most: int) -> bool:
        """Take the longest common lines of a window that differs in at most so many, and say whether it does."""
        a, a_end, b, b_end = window
        rows, columns = a_end - a, b_end - b
        if abs(rows - columns) > most:
            return False
        furthest = {1: 0}
        trail: list[dict[int, int]] = []
        for edits in range(most + 1):
            trail.append(dict(furthest))
            for k in range(-edits, edits + 1, 2):
                down = k == -edits or (k != edits and furthest[k - 1] < furthest[k + 1])
                x = furthest[k + 1] if down else furthest[k - 1] + 1
                y = x - k
                if 0 <= y < columns and x < rows and self.old[a + x] == self.new[b + y]:
                    same = _alike(self.old, self.new, (a + x, a_end, b + y, b_end))
                    self.budget -= same
                    x += same
                furthest[k] = x
                if x >= rows and x - k >= columns:
                    self.walk_back(trail, k, (a, b), rows)
                    return True
            self.budget -= edits
            if self.budget < 0:
                break
        return False

    def walk_back(self, trail: list[dict[int, int]], k: int, origin: tuple[int, int], x: int) -> None:
        """Collect the runs of equal lines on the way that the greedy search found, from its end."""
        a, b = origin
        for edits in range(len(trail) - 1, -1, -1):
            furthest = trail[edits]
            down = k == -edits or (k != edits and furthest[k - 1] < furthest[k + 1])
            before = k + 1 if down else k - 1
            start = furthest[before] if down else furthest[before] + 1
            self.add(a + start, b + start - k, x - start)
            x, k = furthest[before], before


def _alike(old: Lines, new: Lines, window: Window) -> int:
    """Return how many lines are the same from the start of two windows; slices are compared, which is quick."""
    a, a_end, b, b_end = window
    low, high = 0, min(a_end - a, b_end - b)
    step = 1
    while low < high:
        count = min(step, high - low)
        if old[a + low : a + low + count] == new[b + low : b + low + count]:
            low += count
            step *= 2
        elif count == 1:
            break
        else:
            high, step = low + count - 1, 1 if count < 4 else count // 2
    return low


def _alike_at_end(old: Lines, new: Lines, window: Window) -> int:
    """Return how many lines are the same up to the end of two windows."""
    a, a_end, b, b_end = window
    low, high = 0, min(a_end - a, b_end - b)
    step = 1
    while low < high:
        count = min(step, high - low)
        if old[a_end - low - count : a_end - low] == new[b_end - low - count : b_end - low]:
            low += count
            step *= 2
        elif count == 1:
            break
        else:
            high, step = low + count - 1, 1 if count < 4 else count // 2
    return low


def _ascending(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest part of pairs, which ascend in the first place, that ascends in the second one too."""
    if len(pairs) < 2:
        return pairs
    second = [two for _, two in pairs]
    if all(map(lt, second, second[1:])):
        return pairs
    tails: list[int] = []
    ends: list[int] = []
    before: list[int] = []
    for at, two in enumerate(second):
        place = bisect_left(tails, two)
        before.append(ends[place - 1] if place else -1)
        if place == len(tails):
            tails.append(two)
            ends.append(at)
        else:
            tails[place], ends[place] = two, at
    out = []
    at = ends[-1]
    while at >= 0:
        out.append(pairs[at])
        at = before[at]
    return out[::-1]


def _merged(runs: list[Match]) -> Iterator[Match]:
    """Join runs that follow each other on both sides."""
    known: Match | None = None
    for run in runs:
        if known is not None and (known[0] + known[2], known[1] + known[2]) == run[:2]:
            known = (known[0], known[1], known[2] + run[2])
            continue
        if known is not None:
            yield known
        known = run
    if known is not None:
        yield known


# ---- patches ----------------------------------------------------------------------------------------------


class Hunk(msgspec.Struct, frozen=True, kw_only=True):
    """One place where two texts differ, with the lines around it, as half-open ranges of both.

    runs: (sign, start, end): " " and "-" are lines of the old text, "+" of the new one.
    """

    old: tuple[int, int]
    new: tuple[int, int]
    runs: tuple[tuple[str, int, int], ...]

    @property
    def head(self) -> str:
        """Its line in a unified diff (POSIX diff, -u)."""
        return f"@@ -{_range(*self.old)} +{_range(*self.new)} @@"


def _range(start: int, end: int) -> str:
    count = end - start
    first = start + 1 if count else start
    return str(first) if count == 1 else f"{first},{count}"


def hunks(found: Matches, old: int, new: int) -> Iterator[Hunk]:
    """Yield the hunks of a unified diff of two texts with so many lines."""
    ends = (*found.runs, (old, new, 0))
    gaps: list[Window] = []
    a = b = 0
    for one, two, count in ends:
        if one > a or two > b:
            gaps.append((a, one, b, two))
        a, b = one + count, two + count
    group: list[Window] = []
    for gap in gaps:
        if group and gap[0] - group[-1][1] > 2 * CONTEXT:
            yield _hunk(group, old)
            group = []
        group.append(gap)
    if group:
        yield _hunk(group, old)


def _hunk(gaps: list[Window], old: int) -> Hunk:
    first, last = gaps[0], gaps[-1]
    lead = min(CONTEXT, first[0])
    tail = min(CONTEXT, old - last[1])
    runs: list[tuple[str, int, int]] = [(" ", first[0] - lead, first[0])]
    for gap, later in pairwise([*gaps, (last[1] + tail, 0, 0, 0)]):
        runs += [("-", gap[0], gap[1]), ("+", gap[2], gap[3]), (" ", gap[1], later[0])]
    return Hunk(
        old=(first[0] - lead, last[1] + tail),
        new=(first[2] - lead, last[3] + tail),
        runs=tuple(run for run in runs if run[1] < run[2]),
    )
