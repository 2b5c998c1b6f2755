"""The engines and runtimes that imagepeel knows: one line each.

To add one: a file beside this, with its class and its versions, and its line here.
"""

from __future__ import annotations

import re

from imagepeel.errors import UsageError
from imagepeel.process.engines import by_hand, containerd, crun, docker, kubernetes, podman, runc
from imagepeel.process.engines.engine import Engine
from imagepeel.process.engines.runtime import Runtime

RUNTIMES: tuple[Runtime, ...] = (*runc.VERSIONS, *crun.VERSIONS)
FAMILIES = (
    docker.FAMILY,
    containerd.FAMILY,
    kubernetes.FAMILY,
    podman.FAMILY,
    by_hand.family(runc.VERSIONS),
    by_hand.family(crun.VERSIONS),
)

ENGINES: tuple[Engine, ...] = tuple(engine for family in FAMILIES for engine in family.versions)
MATRIX_ENGINES = tuple(
    f"{family.name}@{'.'.join(map(str, version))}" for family in FAMILIES for version in family.matrix
)
"""The rows of `--matrix`: one of each kind that differs."""

_VERSION = re.compile(r"v?(\d{1,4}(?:\.\d{1,6}){0,3})(?:[-+~].{0,40})?")


def _pick(name: str, wanted: str, known: list[tuple[int, ...]]) -> int:
    match = _VERSION.fullmatch(wanted)
    if match is None:
        raise UsageError(f"{wanted!r} is no version", hint="write a number, such as docker@28 or runc@1.1.5")
    version = tuple(int(part) for part in match.group(1).split("."))
    older = [one for one in known if one <= version]
    return known.index(max(older) if older else min(known))


def find_engine(spec: str) -> tuple[Engine, str]:
    """The profile for `NAME[@VERSION]` and its full label.

    A version between two known ones is the older of them: behaviour changes at the named versions only.
    Raises UsageError for an unknown name or a malformed version.
    """
    name, _, version = spec.partition("@")
    family = next((one for one in FAMILIES if name.lower() in (one.name, *one.aliases)), None)
    if family is None:
        names = sorted({alias for one in FAMILIES for alias in (one.name, *one.aliases)})
        raise UsageError(f"no engine is called {name.lower()!r}", hint="known: " + ", ".join(names))
    known = [engine.version for engine in family.versions]
    if not version:
        found = family.versions[known.index(family.default)]
        return found, found.label
    return family.versions[_pick(name, version, known)], f"{family.name}@{version}"


def find_runtime(spec: str) -> Runtime:
    """The runtime for `NAME[@VERSION]`, the newest without a version; raises UsageError for an unknown name."""
    name, _, version = spec.partition("@")
    known = [runtime for runtime in RUNTIMES if runtime.program == name.lower()]
    if not known:
        names = ", ".join(dict.fromkeys(runtime.program for runtime in RUNTIMES))
        raise UsageError(f"no runtime is called {name!r}", hint=f"known: {names} (with @VERSION)")
    return known[_pick(name, version, [runtime.version for runtime in known])] if version else known[-1]
