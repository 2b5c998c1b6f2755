"""Write `docs/reference/engines.md`: `python -m imagepeel.cli.engine_page docs/reference/engines.md`.

Every row is made of a profile in `process/engines/`: what it decides, and which of it was seen in a start.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable
from pathlib import Path

from imagepeel.process.engines.basis import Area, Basis
from imagepeel.process.engines.engine import Engine
from imagepeel.process.engines.registry import FAMILIES, MATRIX_ENGINES, RUNTIMES
from imagepeel.process.spec.options import DEFAULT_ENGINE
from imagepeel.text import joined

_INTRO = """# Engines

This page is made by `python -m imagepeel.cli.engine_page docs/reference/engines.md`.

`--engine NAME[@VERSION]` chooses whose behaviour is predicted. The default is `{default}`, and the output names it.
`--runtime NAME[@VERSION]` replaces the runtime underneath. `--matrix` shows {matrix}.

A version that stops early is the newest of its series: `containerd@2` is `containerd@2.3` at its newest patch.
A version between two profiles behaves like the older one. A version that has no profile of its own (`docker@26`,
`docker@99`) is told as such in the notes of the prediction, with the profile that stands for it.

## Profiles

{profiles}

`k8s` is keyed by the versions of Kubernetes; its nodes run the containerd that the release names. `cri-containerd` is
the same by the versions of containerd, for nodes that run another one. `containerd` (or `ctr`) is the library's own
client.
`cri-o` is what OpenShift runs, before the rules of an SCC: its restricted SCC is
`--user 1000640000:0 --cap-drop ALL --no-new-privileges`.

With a terminal (`--tty`) every engine adds TERM=xterm. HOME is filled in by the runtime at the last moment, only where
it is absent. The grace of `docker@29.7` is 10 s unless dockerd has `--default-stop-timeout`.

## What a pod may ask for

| option | field of the pod | from |
|---|---|---|
{pod}

Elsewhere the option is told in the notes and changes nothing.

## Older patches

A profile stands for the newest patch of its series. These older patches behave otherwise:

| patch | an id out of range | an absolute link at /etc/passwd or /etc/group | runtime |
|---|---|---|---|
{patches}

`cri-containerd` has the same patches. An id out of range was looked up as a name until CVE-2026-46680 was mended.

## Large account files

Of /etc/passwd and /etc/group {bounded} reads 10 MiB and no line of group of 1 MiB, and refuses what is larger.
{whole} read all of both, and so do the older patches
above that look an id up as a name. Of the others it is not known, and a prediction says so.

## Exit codes

| what fails | docker | podman | containerd (`ctr`), nerdctl | Kubernetes |
|---|---|---|---|---|
| the engine refuses (no command, unknown user) | 125 | 125 or 126 | 1 | the container is not created |
| the runtime finds no such file | 127 | 127 | 1 | StartError, 128 |
| the runtime may not execute it | 126 | 126 | 1 | StartError, 128 |
| another error of the runtime | 125 | 126 | 1 | StartError, 128 |
| `execve` fails after the start | 1 with runc 1.1, 255 later | 1 | 1, 255 from runc 1.2 | the same, CrashLoopBackOff |
| loader, shell or program | its own | its own | its own | its own |

## Runtimes

{runtimes} are also engines: bundles that `imagepeel bundle` writes and that are started by hand, with docker's
capabilities and no engine above.

## Measured and read

*Measured* rules were compared with starts of the named version. *Read* rules come from the source or the
documentation of the named version, and nobody here has seen it do so. A prediction for a profile whose texts were not
measured says so in its notes.

| profile | measured | read | texts are those of |
|---|---|---|---|
{bases}

Which starts these were is told in [How the process prediction is judged](../explanation/process-deviations.md).

## Read and not offered

- **youki** refuses to start without PATH. It takes a file as executable by the x bit of others alone, so that mode 0750
  fails for its owner, too, and then calls `execvp`.
- **Kata Containers** starts the process inside a virtual machine, through an agent; a missing program is
  `the file X was not found`. Confidential guests, which unpack images inside, have shown `.wh.` files as files.
"""


_COLUMNS = (
    "profile",
    "end of life",
    "runtime",
    "view",
    "default PATH",
    "further variables",
    "supplementary groups of USER `u:g`",
    "capabilities (bounding, non-root until execve)",
    "no_new_privs",
    "seccomp refuses with",
    "VOLUME",
    "grace",
)


def _head(columns: tuple[str, ...]) -> tuple[str, str]:
    return f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"


def page() -> str:
    """The whole page."""
    shown = [engine for family in FAMILIES for engine in family.versions if not engine.by_hand]
    older = [engine for family in FAMILIES for engine in family.patches if family.name == "containerd"]
    based: list[tuple[str, Basis]] = [(engine.label, engine.basis) for engine in shown]
    based += [(runtime.name, runtime.basis) for runtime in RUNTIMES]
    return _INTRO.format(
        default=DEFAULT_ENGINE,
        matrix=", ".join(f"`{name}`" for name in MATRIX_ENGINES),
        profiles="\n".join((*_head(_COLUMNS), *(_profile(engine) for engine in shown))),
        pod="\n".join(_pod(shown)),
        bounded=_readers(shown, "bounded"),
        whole=_readers(shown, "whole"),
        patches="\n".join(_patch(engine) for engine in older),
        runtimes=", ".join(f"`{runtime.name}`" for runtime in RUNTIMES),
        bases="\n".join(_basis(label, basis) for label, basis in based),
    )


def _readers(engines: Iterable[Engine], how: str) -> str:
    return joined([f"`{engine.label}`" for engine in engines if engine.reads_accounts == how])


def _basis(label: str, basis: Basis) -> str:
    left = [area for area in Area if area not in basis.measured]
    measured = f"{basis.started}: {_areas(basis.measured)}" if basis.measured else "-"
    read = f"{basis.read}: {_areas(left)}" if left else "-"
    return f"| `{label}` | {measured} | {read} | {basis.texts or 'its own'} |"


def _areas(some: Collection[Area]) -> str:
    return "everything" if len(some) == len(Area) else ", ".join(area for area in Area if area in some)


def _profile(engine: Engine) -> str:
    variables = [entry.partition("=")[0] for entry in engine.env]
    variables += ["HOME"] if engine.home == "engine" else []
    variables += ["TERM"] if engine.term_always else []
    variables += ["services"] if engine.name in {"k8s", "cri-containerd", "cri-o"} else []
    path = {"always": "always", "if-env-empty": "only where Env is empty", "never": "never"}[engine.path_default]
    groups = {
        "moby": "none",
        "containerd": "kept",
        "cri": "the group itself is dropped",
        "cri-moby": "the group itself is dropped",
    }
    nonroot = len(engine.capabilities) if engine.nonroot_effective else 0
    volumes = {"copy": "copied into a volume", "host-copy": "copied into a host directory", "ignore": "ignored"}
    cells = [
        f"`{engine.label}`",
        f"since {engine.end_of_life}" if engine.end_of_life else "-",
        engine.runtime.replace("@", " "),
        f"`{engine.view}`",
        path,
        ", ".join(variables) or "none",
        groups[engine.user_rules],
        f"{len(engine.capabilities)}, {nonroot}",
        "on" if engine.no_new_privileges else "off",
        engine.seccomp_errno or "none",
        volumes[engine.volumes],
        f"{engine.grace} s" if engine.grace else "none",
    ]
    return f"| {' | '.join(cells)} |"


def _pod(engines: Iterable[Engine]) -> Iterable[str]:
    releases = [engine for engine in engines if engine.name == "k8s"]
    rows = (
        ("--supplemental-groups-policy Strict", "`supplementalGroupsPolicy`: drops the image's groups",
         [engine for engine in releases if engine.knows_groups_policy]),
        ("--user-namespace", "`hostUsers: false`: 65,536 ids of its own",
         [engine for engine in releases if engine.knows_user_namespaces]),
        ("--stop-signal", "`lifecycle.stopSignal`", [engine for engine in releases if engine.knows_stop_signal]),
    )  # fmt: skip
    for option, field, known in rows:
        yield f"| `{option}` | {field} | `{known[0].label}` |"


def _patch(engine: Engine) -> str:
    ids = "refused" if engine.strict_ids else "looked up as a name"
    links = {
        "all": "followed",
        "last": "followed, but not in a directory before it",
        "none": "refused: `path escapes from parent`",
    }
    return f"| `{engine.label}` | {ids} | {links[engine.account_links]} | {engine.runtime.replace('@', ' ')} |"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
