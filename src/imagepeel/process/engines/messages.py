"""What an operator sees of a failure, as one value, and the words that engines share."""

from __future__ import annotations

import msgspec

MOUNT = "<mount>"
"""Stands for the temporary directory where an engine mounted the rootfs on the host."""


class EngineMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One failure in the words of an engine.

    `text` is what the operator sees, `exit_code` what the engine's command line returns (None: it does not return
    one), `state_exit_code` what the engine records for the container (None: there is none).
    """

    text: str
    exit_code: int | None = None
    state_exit_code: int | None = None
