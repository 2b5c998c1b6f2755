"""Who predicts for whom: engine, runtime and architecture of one call, resolved once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from imagepeel.errors import UsageError
from imagepeel.process.engines.engine import Engine
from imagepeel.process.engines.registry import find_engine, find_runtime, parse_version
from imagepeel.process.engines.runtime import Runtime
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.process_spec import ProcessSpec
from imagepeel.process.spec.volume import VolumeMount, parse_elsewhere, parse_tmpfs, parse_volume
from imagepeel.tables import MACHINES, known_architecture

if TYPE_CHECKING:
    from imagepeel.oci.config import ImageConfig


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One start to be predicted.

    `label` is the full name of the profile, `architecture` that of the host.  `notes` say what was assumed, and what
    of the profile nobody has seen.
    """

    engine: Engine
    runtime: Runtime
    label: str
    architecture: str
    notes: tuple[str, ...]
    wanted: ProcessSpec
    options: ProcessOptions
    mounted: tuple[VolumeMount, ...] = ()
    """What the caller mounts."""

    asked: dict[VolumeMount, str] = {}
    """The mounts from elsewhere below which something was looked up, each with the first such path."""

    def note(self, path: str) -> None:
        """Keep that something was looked up at a path, where no image tells what is there."""
        for mount in self.mounted:
            if mount.depends and _below(path, mount.path):
                self.asked.setdefault(mount, path)

    def closes(self, path: str) -> bool:
        """Whether a path lies on something read-only: the caller's mount there, else the root filesystem."""
        held = [mount for mount in self.mounted if _below(path, mount.path)]
        return max(held, key=lambda mount: len(mount.path)).read_only if held else self.options.read_only

    def volume_at(self, path: str) -> VolumeMount | None:
        """The volume that a normalized path lies in: one of the command line, or one that the image declares.

        An engine that ignores what the image declares makes none of it.
        """
        held = [mount for mount in self.mounted if _below(path, mount.path)]
        if self.engine.volumes != "ignore":
            declared = (VolumeMount(path=place.rstrip("/")) for place in self.wanted.volumes if place != "/")
            held += [mount for mount in declared if _below(path, mount.path)]
        return max(held, key=lambda mount: len(mount.path), default=None)


def _below(path: str, top: str) -> bool:
    return path == top or path.startswith(top + "/")


def _not_known(options: ProcessOptions, engine: Engine) -> Iterator[str]:
    """What the caller asks for and this engine has no word for."""
    asked = (
        ("supplementalGroupsPolicy", bool(options.supplemental_groups_policy), engine.knows_groups_policy),
        ("a user namespace on request", options.user_namespace, engine.knows_user_namespaces),
        ("a stop signal on request", options.stop_signal is not None, engine.knows_stop_signal),
    )
    for what, given, known in asked:
        if given and not known:
            yield f"{engine.label} knows no {what.removeprefix('a ')}: the option changes nothing"


def settle(
    config: ImageConfig | ProcessSpec | None, options: ProcessOptions, architecture: str | None = None
) -> Scenario:
    """Resolve engine, runtime and architecture; raises UsageError for names nobody knows."""
    wanted = ProcessSpec.of(config)
    engine, asked_engine = find_engine(options.engine)
    label = asked_engine
    runtime = find_runtime(options.runtime or engine.runtime)
    if options.runtime is not None:
        label = f"{label} over {options.runtime}"
    if options.host_arch is not None and "wasm" in options.host_arch.lower():
        raise UsageError(
            f"{options.host_arch} is no machine of a host: what runs a WebAssembly module runs on one",
            hint="name that machine, such as amd64",
        )
    if options.host_arch is not None and known_architecture(options.host_arch) not in MACHINES:
        raise UsageError(
            f"there is no architecture {options.host_arch!r} here", hint="known are " + ", ".join(sorted(MACHINES))
        )
    asked = options.host_arch or architecture or wanted.architecture
    notes = []
    for profile, name, wished in ((engine, engine.label, asked_engine), (runtime, runtime.name, options.runtime or "")):
        version = wished.partition("@")[2]
        if version and not profile.stands_for(parse_version(version)):
            notes.append(f"the rules of {name} stand for {wished}, which has none of its own here")
    if not asked:
        asked = "amd64"
        notes.append("the config names no architecture: amd64 is assumed")
    notes.extend(_not_known(options, engine))
    caution = engine.basis.caution(engine.label) or runtime.basis.caution(runtime.name)
    if caution:
        notes.append(caution)
    return Scenario(
        engine=engine,
        runtime=runtime,
        label=label,
        architecture=asked,
        notes=tuple(notes),
        wanted=wanted,
        options=options,
        mounted=(
            *map(parse_volume, options.volumes),
            *map(parse_tmpfs, options.tmpfs),
            *map(parse_elsewhere, options.elsewhere),
        ),
    )
