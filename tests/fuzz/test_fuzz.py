"""Every find again, and a small seeded budget of each target: only errors of ours, in bounded steps and memory."""

from __future__ import annotations

from pathlib import Path
from random import Random

import mutation
import pytest
import targets

from effort import steps

FINDS = sorted(Path(__file__).with_name("finds").glob("*-*"))
STEPS = 6_000_000
"""Calls that one input may cost: images are made of it, opened, and asked."""
BUDGET, OF_IMAGES = 40, 8
"""Changed inputs of each target, and of those that make a whole image of each."""


@pytest.mark.parametrize("place", FINDS, ids=lambda place: place.name)
def test_a_find_is_mended(place: Path) -> None:
    name = max((name for name in targets.TARGETS if place.name.startswith(f"{name}-")), key=len)
    assert steps(targets.refused, name, place.read_bytes(), limit=STEPS) > 0


@pytest.mark.parametrize("name", targets.TARGETS)
def test_a_target_holds(name: str) -> None:
    seeds, words = targets.corpus(name)
    random, target = Random(name), targets.TARGETS[name]
    accepted = 0
    for data in random.sample(seeds, min(4, len(seeds))):
        accepted += not targets.refused(name, data)
    assert accepted, "no seed is read: the target tests nothing"
    for _ in range(OF_IMAGES if target.makes_images else BUDGET):
        data = target.mutate(random.choice(seeds), random, words)[: mutation.MOST]
        targets.refused(name, data)
    assert steps(targets.refused, name, data, limit=STEPS) > 0


@pytest.mark.parametrize("mutate", ["octets", "numbers", "lines", "document", "tarball"])
def test_inputs_are_changed_and_repeat(mutate: str) -> None:
    change = getattr(mutation, mutate)
    for data in (b"", b"{}", b'{"a": [1, 2, {"b": null}]}\nx y\n', targets.TARGETS["tar"].seeds()[0]):
        made = {change(data, Random(seed), (b"word",)) for seed in range(40)}
        assert len(made) > 10
        assert change(data, Random(7), (b"word",)) == change(data, Random(7), (b"word",))


def test_a_changed_header_has_its_checksum() -> None:
    """A tar that is changed is still read, or nothing behind its first header is tested."""
    from imagepeel.formats.tar.scanner import scan

    data = targets.TARGETS["tar"].seeds()[0]
    read = [len(scan(mutation.tarball(data, Random(seed), ())).table) for seed in range(60)]
    assert sum(count > 5 for count in read) > 20
