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
    *[(what, line.mark, pattern, False) for what, line, pattern in masking._LINES if line.mark],
    ("a name", masking._NAME_MARKS, masking._SECRET_NAME, None),
    ("a name that may be one", masking._NAME_MARKS, masking._MAYBE_SECRET_NAME, None),
]


@pytest.mark.parametrize(("what", "marks", "pattern", "small"), MARKED, ids=lambda value: str(value)[:30])
def test_a_match_has_one_of_the_words_without_which_a_pattern_is_not_asked(
    what: str, marks: str, pattern: re.Pattern[str], small: bool | None
) -> None:
    short = re.compile(
        _COUNT.sub(lambda m: f"{{{m[1]},{min(int(m[2]), int(m[1]) + 3)}}}", pattern.pattern), pattern.flags
    )

    @settings(max_examples=25, deadline=None)
    @given(st.from_regex(short))
    def each(words: str) -> None:
        texts = [masking._folded(words)] if small is None else [words, words.lower()] if small else [words]
        assert masking._stands(marks, *texts), f"{what}: {words!r}"

    each()
