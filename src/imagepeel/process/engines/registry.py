"""The engines and runtimes that imagepeel knows: one line each.

To add one: a file beside this, with its class and its versions, and its line here.
"""

from __future__ import annotations

from collections.abc import Iterator

from imagepeel._lazy import late
from imagepeel.errors import UsageError
from imagepeel.process.engines import (
    by_hand,
    containerd,
    cri_containerd,
    crio,
    crun,
    docker,
    kube_play,
    kubernetes,
    nerdctl,
    podman,
    runc,
    runsc,
)
from imagepeel.process.engines.engine import Engine
from imagepeel.process.engines.family import EngineFamily
from imagepeel.process.engines.runtime import Runtime

RUNTIMES: tuple[Runtime, ...] = (*runc.VERSIONS, *crun.VERSIONS, *runsc.VERSIONS)
FAMILIES = (
    docker.FAMILY,
    containerd.FAMILY,
    nerdctl.FAMILY,
    kubernetes.FAMILY,
    cri_containerd.FAMILY,
    crio.FAMILY,
    podman.FAMILY,
    kube_play.FAMILY,
    by_hand.family(runc.VERSIONS),
    by_hand.family(crun.VERSIONS),
    by_hand.family(runsc.VERSIONS, aliases=("gvisor",)),
)

ENGINES: tuple[Engine, ...] = tuple(engine for family in FAMILIES for engine in family.versions)
MATRIX_ENGINES = tuple(
    f"{family.name}@{'.'.join(map(str, version))}" for family in FAMILIES for version in family.matrix
)
"""The rows of `--matrix`: one of each kind that differs."""


def layer_limit() -> tuple[str, int]:
    """The engine that stacks the fewest layers, and how many."""
    limits = ((version.max_layers, family.name) for family in FAMILIES for version in family.versions)
    most, name = min((limit, name) for limit, name in limits if limit is not None)
    return name, most


def newest(family: EngineFamily) -> str:
    """The name of a family's default profile."""
    return f"{family.name}@{'.'.join(map(str, family.default))}"


DOCKER, CONTAINERD = newest(docker.FAMILY), newest(containerd.FAMILY)
KUBERNETES, PODMAN = newest(kubernetes.FAMILY), newest(podman.FAMILY)
"""The newest profile of each engine that findings and stories name."""

_VERSION = late(r"v?(\d{1,4}(?:\.\d{1,6}){0,3})(?:[-+~].{0,40})?")
_DATE = late(r"(\d{4})(\d{2})(\d{2})(?:\.\d+)?")


def engine_names() -> Iterator[str]:
    """Yield what can be asked for: each engine, alone and with the versions that have a profile of their own."""
    for family in FAMILIES:
        yield family.name
        yield from (version.label for version in family.versions)


def runtime_names() -> Iterator[str]:
    """Yield each runtime, alone and with its versions."""
    yield from dict.fromkeys(runtime.program for runtime in RUNTIMES)
    yield from (f"{runtime.program}@{'.'.join(map(str, runtime.version))}" for runtime in RUNTIMES)


def parse_version(wanted: str) -> tuple[int, ...]:
    """The numbers of a version; a date of eight digits has three.  UsageError for anything else."""
    dated = _DATE.fullmatch(wanted)
    if dated is not None:
        return tuple(map(int, dated.groups()))
    match = _VERSION.fullmatch(wanted)
    if match is None:
        raise UsageError(f"{wanted!r} is no version", hint="write a number, such as docker@29.7 or runc@1.1.5")
    return tuple(int(part) for part in match.group(1).split("."))


def _pick(version: tuple[int, ...], main: list[tuple[int, ...]], patches: list[tuple[int, ...]]) -> tuple[int, ...]:
    """The known version that stands for another: itself, the newest of a series, the last one before it, the first."""
    known = [*main, *patches]
    if version in known:
        return version
    series = [one for one in main if one[: len(version)] == version]
    older = [one for one in known if one < version]
    return max(series) if series else max(older) if older else min(known)


def find_engine(spec: str) -> tuple[Engine, str]:
    """The profile for `NAME[@VERSION]` and its full label.

    A version that stops early is the newest of its series, one between two known ones the older of them: behaviour
    changes at the named versions only.  `Engine.stands_for` tells whether the profile is that version's own.
    Raises UsageError for an unknown name or a malformed version.
    """
    name, at, version = spec.partition("@")
    family = next((one for one in FAMILIES if name.lower() in (one.name, *one.aliases)), None)
    if family is None:
        names = sorted({alias for one in FAMILIES for alias in (one.name, *one.aliases)})
        raise UsageError(f"no engine is called {name.lower()!r}", hint="choose one with --engine: " + ", ".join(names))
    known = {engine.version: engine for engine in (*family.versions, *family.patches)}
    if not at:
        found = known[family.default]
        return found, found.label
    main, patches = ([engine.version for engine in some] for some in (family.versions, family.patches))
    return known[_pick(parse_version(version), main, patches)], f"{family.name}@{version}"


def find_runtime(spec: str) -> Runtime:
    """The runtime for `NAME[@VERSION]`, the newest without a version; raises UsageError for an unknown name."""
    name, at, version = spec.partition("@")
    known = {runtime.version: runtime for runtime in RUNTIMES if runtime.program == name.lower()}
    if not known:
        names = ", ".join(dict.fromkeys(runtime.program for runtime in RUNTIMES))
        raise UsageError(f"no runtime is called {name!r}", hint=f"choose one with --runtime: {names} (with @VERSION)")
    return known[_pick(parse_version(version), [*known], []) if at else max(known)]
