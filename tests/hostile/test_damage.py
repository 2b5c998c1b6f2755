"""Truncation at any byte and flipped bits anywhere: one clear error or a partial answer, never anything else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import imagepeel
from imagepeel import forge
from imagepeel.archive.source import MemorySource
from imagepeel.errors import ImagepeelError
from imagepeel.limits import Limits

KINDS = ("docker-archive", "oci-archive", "docker-save-25", "crane", "docker-v1.0", "docker-containerd", "rootfs")
SMALL = Limits(entries=5000, layer_bytes=1 << 26, archive_members=5000, spool_bytes=1 << 28)
ARCHIVES = {kind: forge.to_bytes(forge.build("zoo"), kind) for kind in KINDS}


def use_everything(data: bytes) -> None:
    """Do with an archive what people do."""
    with imagepeel.open(MemorySource(data, "damaged.tar"), limits=SMALL) as archive:
        for record in archive.records:
            assert record.kind
        for image in archive.images():
            for layer in image.layers:
                assert layer.verified in (True, False, None)
                list(layer.entries)
            assert image.anomalies is not None
            for view in ("runtime", "spec", "sequential"):
                rootfs = image.view(view)
                for path, node in rootfs.walk():
                    assert path.startswith(b"/")
                    if node.is_file and node.size < 1000:
                        try:
                            rootfs.read(node)
                        except ImagepeelError:
                            pass
            image.process()


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
