"""podman.

Sources: podman and containers/storage at the named versions (libpod/oci_util.go words the runtime's failures), and
measured starts.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from imagepeel.evidence import Location
from imagepeel.formats.passwd import go_quote
from imagepeel.process.engines.basis import EVERYTHING, Area, Basis
from imagepeel.process.engines.capabilities import USUAL_CAPABILITIES
from imagepeel.process.engines.engine import HOST_FILES, Engine
from imagepeel.process.engines.family import EngineFamily
from imagepeel.process.engines.messages import MOUNT, EngineMessage
from imagepeel.process.engines.mount_point import MountPoint
from imagepeel.process.engines.runtime import Runtime
from imagepeel.process.engines.workdir import FIX, Made, WorkdirTrouble
from imagepeel.process.spec.failure import Failure, FailureCode, Judge
from imagepeel.process.spec.trace import config_place
from imagepeel.process.spec.values import Addition, Credentials

_NOT_FOUND, _DENIED = frozenset({"ENOENT"}), frozenset({"EACCES", "EPERM"})
_SYSTEMD = ("/sbin/init", "/usr/sbin/init", "/usr/local/sbin/init")


def systemd_mode(argv: Sequence[str]) -> bool:
    """Whether podman takes this command for an init system (its `--systemd=true` rule)."""
    words = tuple(argv)
    if len(argv) >= 3 and argv[0] == "/bin/sh" and argv[1] == "-c":
        words = tuple(argv[2].split()) or words
    return bool(words) and (words[0] in _SYSTEMD or words[0].rsplit("/", 1)[-1] == "systemd")


class Podman(Engine, frozen=True, kw_only=True):
    """podman with its own client."""

    def refusal(self, failure: Failure) -> EngineMessage:
        return EngineMessage(text=f"Error: {failure.message}", exit_code=126 if failure.created else 125)

    def runtime_refusal(self, failure: Failure, runtime: Runtime) -> EngineMessage:
        words = f"{runtime.program}: {runtime.refusal(failure.message, failure.phase, run=False)}"
        if failure.errno in _NOT_FOUND:
            tail = "OCI runtime attempted to invoke a command that was not found"
            return EngineMessage(text=f"Error: {words}: {tail}", exit_code=127)
        if failure.errno in _DENIED:
            return EngineMessage(text=f"Error: {words}: OCI permission denied", exit_code=126)
        return EngineMessage(text=f"Error: OCI runtime error: {words}", exit_code=126)

    def environment_of_host(self, entries: Sequence[str]) -> str:
        bait = next((entry for entry in entries if "=" not in entry), None)
        if bait is None:
            return ""
        if self.version >= (6,):
            return f"what podman does with {bait!r}, whose value it no longer takes from the host (CVE-2026-57231)"
        fixed = " before 5.8.4" if self.version >= (5, 8) else ""
        return f"the host's environment: podman{fixed} takes the value of {bait!r} from there (CVE-2026-57231)"

    def refuse_variable(self, entry: str) -> Failure | None:
        if not entry.startswith("="):
            return None
        return Failure(
            code=FailureCode.VARIABLE_MALFORMED,
            judge=Judge.ENGINE,
            message=f"env fields from image failed to parse: invalid environment variable: {go_quote(entry)}",
            why="an entry of Env has no name before =",
            fix="remove it",
            where=config_place("/config/Env"),
            created=False,
        )

    def home_of_stranger(self, user: Credentials, workdir: str) -> tuple[str, str] | None:
        why = f"podman writes a passwd line for uid {user.uid}, and its home is the working directory"
        return workdir or "/", why

    def make_workdir(self, trouble: WorkdirTrouble) -> Made | Failure | None:
        path, container = trouble.path, "container <container-id>"
        if trouble.state in {"missing", "dangling"} and trouble.by_option:
            return Failure(
                code=FailureCode.WORKDIR_BLOCKED,
                judge=Judge.ENGINE,
                errno="ENOENT",
                message=f'workdir "{path}" does not exist on {container}',
                why=f"podman makes the image's WORKDIR, not one that --workdir names, and {path} is not in the image",
                fix=FIX,
            )
        if trouble.state == "missing":
            return self.made(trouble)
        if trouble.state == "dangling" or (trouble.state == "loop" and not trouble.by_option):
            return None
        if trouble.state == "node":
            message = f'workdir "{path}" exists on {container}, but is not a directory'
        elif trouble.by_option:
            message = f'detecting workdir "{path}" on {container}: stat {MOUNT}{trouble.lexical}: not a directory'
        else:
            message = f"creating {container} workdir: mkdir {MOUNT}{trouble.deepest}: not a directory"
        return trouble.refused(Judge.ENGINE, "ENOTDIR", message)

    def refuse_mount(self, point: MountPoint) -> Failure | None:
        if point.leads != "loop" or point.kind != "tmpfs" or self.version >= (5,):
            return None
        words = f"SecureJoin {MOUNT}{point.path}/: too many levels of symbolic links"
        refused = point.refused("ELOOP", f"resolving symlinks for mount destination {point.path}: {words}")
        return msgspec.structs.replace(refused, judge=Judge.ENGINE)

    def etc_is_a_file(self, where: Location | None) -> Failure | None:
        return Failure(
            code=FailureCode.ETC_UNUSABLE,
            judge=Judge.ENGINE,
            errno="ENOTDIR",
            message="creating /etc/mtab symlink: not a directory",
            why="/etc is a file, and podman makes a link in it",
            fix="let /etc be a directory",
            where=where,
        )

    def unmapped_owner(self, path: str, uid: int, gid: int) -> str:
        return (
            f"potentially insufficient UIDs or GIDs available in user namespace (requested {uid}:{gid} for "
            f'{path}): Check /etc/subuid and /etc/subgid if configured locally and run "podman system migrate": '
            f"lchown {path}: invalid argument"
        )

    def additions(self, argv: Sequence[str]) -> list[Addition]:
        who = self.label
        found = [
            Addition(kind="file", path="/etc/passwd", what="a line is added for a uid without one", origin=who),
            Addition(kind="mount", path="/run/secrets", what="secrets of the host, where configured", origin=who),
        ]
        if systemd_mode(argv):
            for path in ("/run", "/tmp", "/var/log/journal"):
                found.append(Addition(kind="mount", path=path, what="tmpfs, since the command is an init", origin=who))
        return found


_5_8 = Podman(
    name="podman",
    version=(5, 8),
    runtime="crun@1.28",
    loaded_by="podman",
    env=("container=podman", "HOSTNAME"),
    home="engine",
    user_rules="moby",
    nobody_rules="moby",
    no_command="no command or entrypoint provided, and no CMD or ENTRYPOINT from image",
    colon_ends_groups=True,
    root_in_groups=False,
    capabilities=tuple(name for name in USUAL_CAPABILITIES if name not in {"AUDIT_WRITE", "MKNOD", "NET_RAW"}),
    nonroot_effective=False,
    added_capabilities_reach_users=True,
    workdir_of_user=True,
    warns_of_platform=True,
    healthcheck=True,
    bad_stop_signal="refuse",
    init_argv=("/run/podman-init", "--"),
    injected=(*HOST_FILES, "/run/.containerenv"),
    view="podman",
    noexec_dev=True,
    empties_account_directories=True,
    knows_user_namespaces=True,
    seccomp_errno="ENOSYS",
    basis=Basis(started="5.8.6", measured=EVERYTHING - {Area.COMMAND, Area.MOUNTS, Area.STOP}, read="5.8.6"),
)
_4_3 = msgspec.structs.replace(
    _5_8,
    version=(4, 3),
    runtime="runc@1.1",
    reads_accounts="whole",
    term_always=True,
    empties_account_directories=False,
    end_of_life="2023-02",
    basis=Basis(started="4.3.1", measured=EVERYTHING - {Area.STOP}, read="4.3.1"),
)
_6_1 = msgspec.structs.replace(
    _5_8, version=(6, 1), runtime="crun@1.29", basis=Basis(read="6.1.0", texts="podman 5.8.6 with crun 1.28")
)

FAMILY = EngineFamily(name="podman", versions=(_4_3, _5_8, _6_1), default=(6, 1), matrix=((4, 3), (6, 1)))
