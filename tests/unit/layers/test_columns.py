"""Columns are judged by their bytes as Python judges their numbers one by one."""

from __future__ import annotations

import tracemalloc
from array import array
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagepeel.layers.columns import below, changes, small, steps

RANGES = {"I": (0, 2**32 - 1), "i": (-(2**31), 2**31 - 1), "q": (-(2**63), 2**63 - 1), "Q": (0, 2**64 - 1)}
EDGES = (0, 1, 2, 3, 4, 255, 256, 257, 65_535, 65_536, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, -1)


@st.composite
def columns(draw: st.DrawFn) -> tuple[str, list[int]]:
    code = draw(st.sampled_from(sorted(RANGES)))
    low, high = RANGES[code]
    edges = st.sampled_from([edge for edge in EDGES if low <= edge <= high])
    near = st.integers(0, min(high, 1000))
    return code, draw(st.lists(edges | near | st.integers(low, high), max_size=40))


@given(columns(), st.sampled_from([*EDGES, 1000, 10**9]) | st.integers(0, 2**63))
def test_a_bound_is_kept_where_every_number_keeps_it(column: tuple[str, list[int]], bound: int) -> None:
    code, numbers = column
    bound = min(bound, RANGES[code][1] + 1)
    assert below(array(code, numbers), bound) == all(0 <= number < bound for number in numbers)


@given(st.lists(st.integers(0, 5) | st.integers(250, 260) | st.integers(0, 2**32 - 1)), st.integers(0, 256))
def test_small_numbers_are_found_where_they_are(numbers: list[int], bound: int) -> None:
    assert list(small(array("I", numbers), bound)) == [i for i, number in enumerate(numbers) if number < bound]


def test_a_column_full_of_the_byte_of_its_bound_is_judged_by_its_numbers() -> None:
    full = array("I", [0x1E00 + number % 0xAC for number in range(1000)])
    assert below(full, 0x1EAC)
    assert not below(full, 0x1EAB)


@given(columns())
def test_changes_are_where_a_number_is_not_the_one_before(column: tuple[str, list[int]]) -> None:
    code, numbers = column
    found = changes(array(code, numbers))
    assert [bool(mark) for mark in found] == [one != two for one, two in pairwise(numbers)]


@given(columns(), st.booleans())
def test_steps_are_differences_and_none_where_one_goes_down(column: tuple[str, list[int]], ascending: bool) -> None:
    code, numbers = column
    numbers = sorted(numbers) if ascending else numbers
    half = 1 << 8 * array(code).itemsize - 1
    if any(not 0 <= number < half for number in numbers):
        with pytest.raises(ValueError, match="too large"):
            steps(array(code, numbers))
        return
    differences = [two - one for one, two in pairwise((0, *numbers))]
    found = steps(array(code, numbers))
    assert found == (None if any(number < 0 for number in differences) else array(code, differences))


@given(st.lists(st.sampled_from((0, 1, 2, 2**31 - 2, 2**31 - 1))))
def test_steps_down_by_all_there_is_are_seen(numbers: list[int]) -> None:
    assert (steps(array("I", numbers)) is None) == (numbers != sorted(numbers))


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 131_072, 131_073])
def test_columns_of_many_parts_have_the_same_answers(size: int) -> None:
    numbers = [3 * number // 2 for number in range(size)]
    column = array("I", numbers)
    assert steps(column) == array("I", [two - one for one, two in pairwise((0, *numbers))])
    assert [bool(mark) for mark in changes(column)] == [one != two for one, two in pairwise(numbers)]
    for place in (1, 65_535, 65_536, size - 1):
        if 0 < place < size:
            wrong = array("I", numbers)
            wrong[place] = numbers[place - 1] - 1 if numbers[place - 1] else 0
            assert (steps(wrong) is None) == (list(wrong) != sorted(wrong))
            same = array("I", [7]) * size
            same[place] = 8
            marked = [i + 1 for i, mark in enumerate(changes(same)) if mark]
            assert marked == ([place, place + 1] if place + 1 < size else [place])


def test_a_large_column_is_judged_in_little_memory() -> None:
    column = array("I", range(1_000_000))
    tracemalloc.start()
    try:
        assert sum(map(bool, changes(column))) == 999_999
        assert tracemalloc.get_traced_memory()[1] < 6_000_000
        tracemalloc.reset_peak()
        steps(column)
        assert tracemalloc.get_traced_memory()[1] < 14_000_000
    finally:
        tracemalloc.stop()
