"""Truncation at any byte and flipped bits anywhere: one clear error or a partial answer, never anything else."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from damage import archives, changes
from hypothesis import given, settings
from hypothesis import strategies as st
from whole import use_everything

from imagepeel import forge
from imagepeel.errors import ImagepeelError

KINDS = ("docker-archive", "oci-archive", "docker-save-25", "crane", "docker-v1.0", "docker-containerd", "rootfs")
ARCHIVES = {kind: forge.to_bytes(forge.build("zoo"), kind) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_archives_are_readable(kind: str) -> None:
    use_everything(ARCHIVES[kind])


def cuts(size: int) -> Iterator[int]:
    yield from range(0, min(size, 2048), 97)
    yield from range(0, size, max(1, size // 40))
    yield from (size - 1, size - 511, size - 1025)


@pytest.mark.parametrize("kind", KINDS)
def test_truncation_is_an_error_or_a_partial_answer(kind: str) -> None:
    data = ARCHIVES[kind]
    for cut in cuts(len(data)):
        try:
            use_everything(data[:cut])
        except ImagepeelError as error:
            assert error.what and error.exit_code in (10, 11, 12, 13, 14, 15)


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(KINDS), st.lists(st.tuples(st.integers(0, 1 << 30), st.integers(0, 7)), min_size=1, max_size=6))
def test_flipped_bits_are_an_error_or_noticed(kind: str, flips: list[tuple[int, int]]) -> None:
    data = bytearray(ARCHIVES[kind])
    for at, bit in flips:
        data[at % len(data)] ^= 1 << bit
    try:
        use_everything(bytes(data))
    except ImagepeelError as error:
        assert error.what


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=3000))
def test_any_bytes_raise_only_our_errors(data: bytes) -> None:
    try:
        use_everything(data)
    except ImagepeelError as error:
        assert error.what


SMALLEST = archives()


@pytest.mark.parametrize("kind", SMALLEST)
def test_two_hundred_of_all_cuts_and_flips(kind: str) -> None:
    """2,000 of ten images together, the same in each run; `make soak` makes all of them."""
    data = SMALLEST[kind]
    step = 9 * len(data) // 200
    done = 0
    for changed in changes(data, step, Random(kind).randrange(step)):
        try:
            use_everything(changed)
        except ImagepeelError as error:
            assert error.what and error.exit_code in (10, 11, 12, 13, 14, 15)
        done += 1
    assert done >= 200
