"""Who predicts for whom: engine, runtime and architecture of one call, resolved once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from imagepeel.errors import UsageError
from imagepeel.process.engines.engine import Engine
from imagepeel.process.engines.registry import find_engine, find_runtime
from imagepeel.process.engines.runtime import Runtime
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.process_spec import ProcessSpec
from imagepeel.tables import MACHINES, known_architecture

if TYPE_CHECKING:
    from imagepeel.oci.config import ImageConfig


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One start to be predicted.

    `label` is the full name of the profile, `architecture` that of the host, with a note where it was assumed.
    """

    engine: Engine
    runtime: Runtime
    label: str
    architecture: str
    architecture_note: str
    wanted: ProcessSpec
    options: ProcessOptions


def settle(
    config: ImageConfig | ProcessSpec | None, options: ProcessOptions, architecture: str | None = None
) -> Scenario:
    """Resolve engine, runtime and architecture; raises UsageError for names nobody knows."""
    wanted = ProcessSpec.of(config)
    engine, label = find_engine(options.engine)
    runtime = find_runtime(options.runtime or engine.runtime)
    if options.runtime is not None:
        label = f"{label} over {options.runtime}"
    if options.host_arch is not None and known_architecture(options.host_arch) not in MACHINES:
        raise UsageError(
            f"there is no architecture {options.host_arch!r} here", hint="known are " + ", ".join(sorted(MACHINES))
        )
    asked = options.host_arch or architecture or wanted.architecture
    note = ""
    if not asked:
        asked, note = "amd64", "the config names no architecture: amd64 is assumed"
    version = options.engine.partition("@")[2].lstrip("v")
    if version and not f"{version}.".startswith(".".join(map(str, engine.version)) + "."):
        borrowed = f"the rules of {engine.label} stand for {label}, which has none of its own here"
        note = f"{borrowed}; {note}" if note else borrowed
    return Scenario(
        engine=engine,
        runtime=runtime,
        label=label,
        architecture=asked,
        architecture_note=note,
        wanted=wanted,
        options=options,
    )
