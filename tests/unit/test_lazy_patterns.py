"""Patterns that are compiled on first use: the same answers as `re.compile`, and nothing compiled before."""

from __future__ import annotations

import re

import pytest

from imagepeel._lazy import late


def test_a_late_pattern_answers_as_a_compiled_one() -> None:
    source, data = rb"(?P<word>[a-z]+)=", b"key=value OTHER=x"
    pattern = late(source, re.IGNORECASE)
    compiled = re.compile(source, re.IGNORECASE)
    assert [found["word"] for found in pattern.finditer(data)] == [b"key", b"OTHER"]
    assert pattern.sub(b"-", data) == compiled.sub(b"-", data)
    assert pattern.fullmatch(b"key=") and not pattern.fullmatch(data)
    assert (pattern.pattern, pattern.flags, pattern.groups) == (compiled.pattern, compiled.flags, compiled.groups)


def test_a_late_pattern_is_compiled_when_it_is_used() -> None:
    broken = late("(")
    with pytest.raises(re.error):
        broken.match("x")
