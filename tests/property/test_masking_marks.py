"""A pattern of the masking is asked only about texts with one of its words: no match is without one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagepeel import masking

# Big counts are long to draw and say no more of what a match must hold.
_COUNT = re.compile(r"\{(\d+),(\d+)\}")
MARKED = [
    *[(what, marks, pattern, True) for what, marks, pattern in masking._PLACED],
    *[(marks, marks, pattern, False) for marks, pattern in (*masking._NAMED, *masking._AS_VALUES)],
    *[(what, marks, pattern, False) for what, marks, pattern in masking.TOKENS],
]


@pytest.mark.parametrize(("what", "marks", "pattern", "small"), MARKED, ids=lambda value: str(value)[:30])
def test_a_match_has_one_of_the_words_without_which_a_pattern_is_not_asked(
    what: str, marks: str, pattern: re.Pattern[str], small: bool
) -> None:
    short = re.compile(
        _COUNT.sub(lambda m: f"{{{m[1]},{min(int(m[2]), int(m[1]) + 3)}}}", pattern.pattern), pattern.flags
    )

    @settings(max_examples=25, deadline=None)
    @given(st.from_regex(short))
    def each(words: str) -> None:
        assert masking._stands(marks, words, *([words.lower()] if small else [])), f"{what}: {words!r}"

    each()
