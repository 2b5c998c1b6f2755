"""The engines and runtimes that imagepeel knows: one line each.

To add one: a file beside this, with its class and its versions, and its line here.  A file is loaded when somebody asks
for its engine: most starts are asked of one or of a few.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any

from imagepeel._lazy import late
from imagepeel.errors import UsageError
from imagepeel.process.engines.engine import Engine
from imagepeel.process.engines.family import EngineFamily
from imagepeel.process.engines.runtime import Runtime

_ENGINES: dict[str, tuple[str, ...]] = {
    "docker": ("docker", "moby"),
    "containerd": ("containerd", "ctr"),
    "nerdctl": ("nerdctl",),
    "k8s": ("kubernetes", "kubernetes", "kubelet"),
    "cri-containerd": ("cri_containerd", "cri"),
    "cri-o": ("crio", "crio", "openshift"),
    "podman": ("podman",),
    "kube-play": ("kube_play", "podman-kube"),
}
"""Name of an engine -> its file, and the other names that people give it."""
_RUNTIMES: dict[str, tuple[str, ...]] = {"runc": ("runc",), "crun": ("crun",), "runsc": ("runsc", "gvisor")}
_KNOWN_AS = {alias: one for one, (_, *others) in (_ENGINES | _RUNTIMES).items() for alias in (one, *others)}
"""The same of the runtimes, each of which can be started by hand, too."""

FAMILIES: tuple[EngineFamily, ...]
ENGINES: tuple[Engine, ...]
RUNTIMES: tuple[Runtime, ...]
MATRIX_ENGINES: tuple[str, ...]
"""The rows of `--matrix`: one of each kind that differs."""
DOCKER: str
CONTAINERD: str
KUBERNETES: str
PODMAN: str
"""The newest profile of each engine that findings and stories name."""

_NEWEST = {"DOCKER": "docker", "CONTAINERD": "containerd", "KUBERNETES": "k8s", "PODMAN": "podman"}


def __getattr__(name: str) -> Any:
    """What takes more files than one is made when somebody asks for it."""
    match name:
        case "FAMILIES":
            return _families()
        case "ENGINES":
            return tuple(engine for family in _families() for engine in family.versions)
        case "RUNTIMES":
            return tuple(runtime for program in _RUNTIMES for runtime in _runtimes(program))
        case "MATRIX_ENGINES":
            return tuple(
                f"{family.name}@{'.'.join(map(str, version))}" for family in _families() for version in family.matrix
            )
        case _ if name in _NEWEST:
            return newest(_family(_NEWEST[name]))
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@cache
def _family(name: str) -> EngineFamily:
    """An engine in all its versions; those of a runtime that is started by hand go by its name."""
    if name in _RUNTIMES:
        from imagepeel.process.engines import by_hand  # start time

        return by_hand.family(_runtimes(name))
    family: EngineFamily = _file(_ENGINES[name]).FAMILY
    return family


def _runtimes(program: str) -> tuple[Runtime, ...]:
    """The versions of a runtime, oldest first."""
    versions: tuple[Runtime, ...] = _file(_RUNTIMES[program]).VERSIONS
    return versions


def _file(names: tuple[str, ...]) -> Any:
    return import_module(f"imagepeel.process.engines.{names[0]}")


def _families() -> tuple[EngineFamily, ...]:
    return tuple(map(_family, (*_ENGINES, *_RUNTIMES)))


def layer_limit() -> tuple[str, int]:
    """The engine that stacks the fewest layers, and how many."""
    limits = ((version.max_layers, family.name) for family in _families() for version in family.versions)
    most, name = min((limit, name) for limit, name in limits if limit is not None)
    return name, most


def newest(family: EngineFamily) -> str:
    """The name of a family's default profile."""
    return f"{family.name}@{'.'.join(map(str, family.default))}"


_VERSION = late(r"v?(\d{1,4}(?:\.\d{1,6}){0,3})(?:[-+~].{0,40})?")
_DATE = late(r"(\d{4})(\d{2})(\d{2})(?:\.\d+)?")


def engine_names() -> Iterator[str]:
    """Yield what can be asked for: each engine, alone and with the versions that have a profile of their own."""
    for family in _families():
        yield family.name
        yield from (version.label for version in family.versions)


def runtime_names() -> Iterator[str]:
    """Yield each runtime, alone and with its versions."""
    yield from _RUNTIMES
    for program in _RUNTIMES:
        yield from (f"{program}@{'.'.join(map(str, runtime.version))}" for runtime in _runtimes(program))


def parse_version(wanted: str) -> tuple[int, ...]:
    """The numbers of a version; a date of eight digits has three.  UsageError for anything else."""
    numbers = wanted.split(".")
    if len(numbers) <= 4 and all(one.isascii() and one.isdecimal() and len(one) <= 4 for one in numbers):
        return tuple(map(int, numbers))  # as nearly all are, without a pattern
    dated = _DATE.fullmatch(wanted) if len(wanted) >= 8 else None
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
    found_name = _KNOWN_AS.get(name.lower())
    if found_name is None:
        names = ", ".join(sorted(_KNOWN_AS))
        raise UsageError(f"no engine is called {name.lower()!r}", hint=f"choose one with --engine: {names}")
    family = _family(found_name)
    known = {engine.version: engine for engine in (*family.versions, *family.patches)}
    if not at:
        found = known[family.default]
        return found, found.label
    main, patches = ([engine.version for engine in some] for some in (family.versions, family.patches))
    return known[_pick(parse_version(version), main, patches)], f"{family.name}@{version}"


def find_runtime(spec: str) -> Runtime:
    """The runtime for `NAME[@VERSION]`, the newest without a version; raises UsageError for an unknown name."""
    name, at, version = spec.partition("@")
    if name.lower() not in _RUNTIMES:
        names = ", ".join(_RUNTIMES)
        raise UsageError(f"no runtime is called {name!r}", hint=f"choose one with --runtime: {names} (with @VERSION)")
    known = {runtime.version: runtime for runtime in _runtimes(name.lower())}
    return known[_pick(parse_version(version), [*known], []) if at else max(known)]
