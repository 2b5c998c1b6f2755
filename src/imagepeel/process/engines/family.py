"""What the registry knows of an engine: its names, its versions, and which of them stand for the rest."""

from __future__ import annotations

import msgspec

from imagepeel.process.engines.engine import Engine


class EngineFamily(msgspec.Struct, frozen=True, kw_only=True):
    """An engine in all its versions, oldest first.

    `default` is the version that most people run today, `matrix` are those that `--matrix` shows, one of each kind
    that differs.
    """

    name: str
    versions: tuple[Engine, ...]
    default: tuple[int, ...]
    aliases: tuple[str, ...] = ()
    matrix: tuple[tuple[int, ...], ...] = ()
