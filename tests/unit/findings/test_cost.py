"""All rules together cost less than a third of the scan that they stand on, in processor time."""

from __future__ import annotations

import time

import pytest

from imagepeel import forge
from imagepeel.archive import open as open_archive
from imagepeel.findings import examine
from imagepeel.findings.recipes.parts import add, app
from imagepeel.store.source import MemorySource


@pytest.mark.slow
def test_rules_cost_less_than_a_third_of_the_scan() -> None:
    base = [
        forge.file(f"usr/share/pkg{n // 1000}/mod{n // 50}/File-{n}.txt", b"x" * (n % 997), 0o644)
        for n in range(60_000)
    ]
    upper = [
        forge.file(f"usr/share/pkg{n // 1000}/mod{n // 50}/File-{n}.txt", b"y", 0o644) for n in range(0, 60_000, 6)
    ]
    folders = [forge.directory(f"usr/share/pkg{n}") for n in range(60)]
    folders += [forge.directory(f"usr/share/pkg{n // 20}/mod{n}") for n in range(1200)]
    data = forge.to_bytes(app(add(*folders, *base, compression="gzip"), add(*folders, *upper)), "docker-archive")
    with open_archive(MemorySource(data)) as archive:
        image = archive.images()[0]
        started = time.process_time()
        image.scan()
        scanned = time.process_time()
        assert image.rootfs.refusal is None
        built = time.process_time()
        found = examine(image)
        done = time.process_time()
    assert found == ()
    assert done - built < (scanned - started) / 3 + 0.3  # the five predictions cost the same for every image
