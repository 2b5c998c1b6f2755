"""The engines and runtimes as data: named, versioned, so that a prediction says whose behaviour it is.

A profile is what an engine adds and decides (environment defaults, capabilities, users, volumes); a runtime is
the program underneath that starts the process and words the errors.  Sources: the engines' code at the named
versions and measured starts; `docs/explanation/process-deviations.md` says which was which.
"""

from __future__ import annotations

import re

import msgspec

from imagepeel.errors import UsageError

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

DOCKER_CAPABILITIES = (
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
)
PODMAN_CAPABILITIES = tuple(name for name in DOCKER_CAPABILITIES if name not in {"AUDIT_WRITE", "MKNOD", "NET_RAW"})

# In the order of their numbers in linux/capability.h.
ALL_CAPABILITIES = (
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
)


class Runtime(msgspec.Struct, frozen=True, kw_only=True):
    """A runtime and its wording.

    `family` is `runc` or `crun`; `exec_exit` the exit code of a failing execve after the container has started;
    `init_infix` the words runc 1.2 put between prefix and cause; `lookup` the rule of its PATH search:
    `mode-bits` (Go before 1.20: any x bit), `access` (Go from 1.20: access of the user), `crun-1.8`, `crun`.
    """

    name: str
    family: str
    version: tuple[int, ...]
    exec_exit: int
    init_infix: str
    lookup: str


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """What an engine of a version does with an image; see the field names, each is one row of the comparison.

    `path_default`: `always`, `if-env-empty` or `never`; `explicit_group`: what happens to supplementary groups
    when USER names a group (`none`, `keep`, `drop-group`); `nonroot_effective`: whether a non-root user keeps
    capabilities until execve; `workdir`: who creates it (`create`, `create-chown`, `runtime`);
    `volumes`: `copy`, `ignore`, `host-copy`, `tmpfs`; `bad_stop_signal`: `sigterm`, `refuse`, `cannot-stop`,
    `ignored`; grace in seconds (0: the engine has none of its own).
    """

    name: str
    family: str
    version: tuple[int, ...]
    runtime: str
    path_default: str
    env: tuple[str, ...]
    tty_env: bool
    term_always: bool
    home: str
    user_lookup: str
    explicit_group: str
    primary_in_groups: bool
    root_in_groups: bool
    capabilities: tuple[str, ...]
    nonroot_effective: bool
    no_new_privileges: bool
    workdir: str
    volumes: str
    run_tmpfs: bool
    low_ports: bool
    healthcheck: bool
    bad_stop_signal: str
    grace: int
    init_argv: tuple[str, ...]
    injected: tuple[str, ...]
    note: str = ""

    @property
    def label(self) -> str:
        return f"{self.name}@{'.'.join(map(str, self.version))}"


def _runc(version: tuple[int, ...], *, exec_exit: int, init_infix: str, lookup: str) -> Runtime:
    name = f"runc@{'.'.join(map(str, version))}"
    return Runtime(name=name, family="runc", version=version, exec_exit=exec_exit, init_infix=init_infix, lookup=lookup)


_INIT = "error during container init: "
RUNTIMES: tuple[Runtime, ...] = (
    _runc((1, 1), exec_exit=1, init_infix="", lookup="mode-bits"),
    _runc((1, 2), exec_exit=255, init_infix=_INIT, lookup="access"),
    _runc((1, 3), exec_exit=255, init_infix=_INIT, lookup="access"),
    Runtime(name="crun@1.8", family="crun", version=(1, 8), exec_exit=1, init_infix="", lookup="crun-1.8"),
    Runtime(name="crun@1.28", family="crun", version=(1, 28), exec_exit=1, init_infix="", lookup="crun"),
)

_ETC = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf")

_DOCKER_28 = Engine(
    name="docker",
    family="docker",
    version=(28,),
    runtime="runc@1.3",
    path_default="always",
    env=("HOSTNAME",),
    tty_env=True,
    term_always=False,
    home="runtime",
    user_lookup="docker",
    explicit_group="none",
    primary_in_groups=True,
    root_in_groups=True,
    capabilities=DOCKER_CAPABILITIES,
    nonroot_effective=True,
    no_new_privileges=False,
    workdir="create",
    volumes="copy",
    run_tmpfs=False,
    low_ports=True,
    healthcheck=True,
    bad_stop_signal="sigterm",
    grace=10,
    init_argv=("/sbin/docker-init", "--"),
    injected=(*_ETC, "/.dockerenv"),
)
_DOCKER_24 = msgspec.structs.replace(_DOCKER_28, version=(24,), runtime="runc@1.1")
_DOCKER_23 = msgspec.structs.replace(_DOCKER_24, version=(23,), nonroot_effective=False)
_DOCKER_20 = msgspec.structs.replace(_DOCKER_23, version=(20, 10))
_DOCKER_29 = msgspec.structs.replace(_DOCKER_28, version=(29,))
_CTR_16 = msgspec.structs.replace(
    _DOCKER_28,
    name="containerd",
    family="containerd",
    version=(1, 6),
    runtime="runc@1.1",
    path_default="if-env-empty",
    env=(),
    user_lookup="containerd",
    explicit_group="keep",
    no_new_privileges=True,
    workdir="runtime",
    volumes="ignore",
    run_tmpfs=True,
    low_ports=False,
    healthcheck=False,
    bad_stop_signal="ignored",
    grace=0,
    init_argv=(),
    injected=(),
)
_CTR_2 = msgspec.structs.replace(_CTR_16, version=(2,), runtime="runc@1.3")
_K8S = msgspec.structs.replace(
    _DOCKER_28,
    name="k8s",
    family="k8s",
    version=(2,),
    user_lookup="containerd",
    explicit_group="drop-group",
    workdir="runtime",
    volumes="host-copy",
    healthcheck=False,
    bad_stop_signal="cannot-stop",
    grace=30,
    init_argv=(),
    injected=(*_ETC, "/dev/termination-log", "/var/run/secrets/kubernetes.io/serviceaccount"),
    note="Kubernetes with CRI-containerd 2",
)
_K8S_16 = msgspec.structs.replace(
    _K8S, version=(1, 6), runtime="runc@1.1", low_ports=False, note="Kubernetes with CRI-containerd 1.6"
)
_PODMAN_58 = msgspec.structs.replace(
    _DOCKER_28,
    name="podman",
    family="podman",
    version=(5, 8),
    runtime="crun@1.28",
    env=("container=podman", "HOSTNAME"),
    home="engine",
    root_in_groups=False,
    capabilities=PODMAN_CAPABILITIES,
    nonroot_effective=False,
    workdir="create-chown",
    bad_stop_signal="refuse",
    init_argv=("/run/podman-init", "--"),
    injected=(*_ETC, "/run/.containerenv"),
)
_PODMAN_43 = msgspec.structs.replace(_PODMAN_58, version=(4, 3), runtime="runc@1.1", term_always=True)


def _bare(runtime: Runtime) -> Engine:
    """A bundle written by imagepeel and started by hand: no engine above the runtime."""
    return msgspec.structs.replace(
        _DOCKER_28,
        name=runtime.family,
        family="bundle",
        version=runtime.version,
        runtime=runtime.name,
        env=(),
        workdir="runtime",
        volumes="ignore",
        low_ports=False,
        healthcheck=False,
        bad_stop_signal="ignored",
        grace=0,
        init_argv=(),
        injected=(),
        note="a bundle with docker's capabilities, started by hand",
    )


ENGINES: tuple[Engine, ...] = (
    _DOCKER_20,
    _DOCKER_23,
    _DOCKER_24,
    _DOCKER_28,
    _DOCKER_29,
    _CTR_16,
    _CTR_2,
    _K8S_16,
    _K8S,
    _PODMAN_43,
    _PODMAN_58,
    *(_bare(runtime) for runtime in RUNTIMES),
)

# Without a version: what most people run today.
_DEFAULTS = {
    "docker": (28,),
    "containerd": (2,),
    "k8s": (2,),
    "podman": (5, 8),
    "runc": (1, 3),
    "crun": (1, 28),
}
_ALIASES = {
    "ctr": "containerd",
    "nerdctl": "containerd",
    "kubernetes": "k8s",
    "kubelet": "k8s",
    "moby": "docker",
    "cri": "k8s",
}
_VERSION = re.compile(r"v?(\d{1,4}(?:\.\d{1,6}){0,3})(?:[-+~].{0,40})?")

MATRIX_ENGINES = ("docker@20.10", "docker@28", "containerd@2", "k8s@2", "podman@4.3", "podman@5.8")
"""The rows of `--matrix`: one of each kind that differs."""


def _pick(name: str, wanted: str, table: dict[tuple[int, ...], int]) -> int:
    match = _VERSION.fullmatch(wanted)
    if match is None:
        raise UsageError(f"{wanted!r} is no version", hint="write a number, such as docker@28 or runc@1.1.5")
    version = tuple(int(part) for part in match.group(1).split("."))
    older = [known for known in table if known <= version]
    return table[max(older) if older else min(table)]


def engine(spec: str) -> tuple[Engine, str]:
    """The profile for `NAME[@VERSION]` and its full label.

    A version between two known ones is the older of them: behaviour changes at the named versions only.
    Raises UsageError for an unknown name or a malformed version.
    """
    name, _, version = spec.partition("@")
    name = _ALIASES.get(name.lower(), name.lower())
    table = {known.version: index for index, known in enumerate(ENGINES) if known.name == name}
    if not table:
        names = sorted({known.name for known in ENGINES} | set(_ALIASES))
        raise UsageError(f"no engine is called {name!r}", hint="known: " + ", ".join(names))
    if not version:
        found = ENGINES[table[_DEFAULTS[name]]]
        return found, found.label
    found = ENGINES[_pick(name, version, table)]
    return found, f"{name}@{version}"


def runtime(spec: str) -> Runtime:
    """The runtime for `runc[@VERSION]` or `crun[@VERSION]`; raises UsageError for another name."""
    name, _, version = spec.partition("@")
    table = {known.version: index for index, known in enumerate(RUNTIMES) if known.family == name.lower()}
    if not table:
        raise UsageError(f"no runtime is called {name!r}", hint="known: runc, crun (with @VERSION)")
    return RUNTIMES[_pick(name, version, table) if version else max(table.items())[1]]


def capability_names(names: tuple[str, ...]) -> frozenset[str]:
    """Capability options without prefix, upper case; `ALL` stands for all of them. Unknown names raise UsageError."""
    found: set[str] = set()
    for name in names:
        short = name.upper().removeprefix("CAP_")
        if short == "ALL":
            found.update(ALL_CAPABILITIES)
        elif short in ALL_CAPABILITIES:
            found.add(short)
        else:
            raise UsageError(f"no capability is called {name!r}", hint="such as NET_ADMIN or ALL")
    return frozenset(found)


def bounding(profile: Engine, add: tuple[str, ...], drop: tuple[str, ...]) -> tuple[str, ...]:
    """The bounding set after `--cap-add` and `--cap-drop`, sorted."""
    added, dropped = capability_names(add), capability_names(drop)
    if any(name.upper().removeprefix("CAP_") == "ALL" for name in drop):
        return tuple(sorted(added))
    return tuple(sorted((set(profile.capabilities) | added) - dropped))
