"""Which starts a run of the tests makes for real: a seeded sample, or with `--all-starts` each of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

import pytest

Thing = TypeVar("Thing")


def add_options(parser: pytest.Parser) -> None:
    parser.addoption("--all-starts", action="store_true", help="start every recorded scenario, not a sample of them")
    parser.addoption("--seed", type=int, default=1, help="which sample of the scenarios is started (default: 1)")


def sample(config: pytest.Config, things: Sequence[Thing], most: int) -> list[Thing]:
    """Return `most` of the things, in their order, the same ones for one seed; all of them with `--all-starts`."""
    if config.getoption("--all-starts") or len(things) <= most:
        return list(things)
    chosen = random.Random(config.getoption("--seed")).sample(range(len(things)), most)
    return [things[index] for index in sorted(chosen)]
