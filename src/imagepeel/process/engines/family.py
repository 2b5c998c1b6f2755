"""What the registry knows of an engine: its versions, and which of them stand for the rest."""

from __future__ import annotations

import msgspec

from imagepeel.process.engines.engine import Engine


class EngineFamily(msgspec.Struct, frozen=True, kw_only=True):
    """An engine in all its versions, oldest first.

    `default` is the newest, `matrix` are those that `--matrix` shows, one of each kind that differs.  A version of
    `versions` stands for its newest patch; `patches` are older ones that behave otherwise.
    """

    name: str
    versions: tuple[Engine, ...]
    default: tuple[int, ...]
    matrix: tuple[tuple[int, ...], ...] = ()
    patches: tuple[Engine, ...] = ()
