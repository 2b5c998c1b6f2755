"""An engine: what it adds, decides and refuses, in which words.

Every engine has a file of its own beside this one.  What it does differently from the rest is data where a field of
`Engine` says it, and a method where it takes code or words.  Sources: the engines' code at the named versions and
measured starts; `docs/explanation/process-deviations.md` says which was which.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from imagepeel.evidence import Location
from imagepeel.formats.passwd import UserRules
from imagepeel.process.engines.basis import Basis
from imagepeel.process.engines.capabilities import USUAL_CAPABILITIES
from imagepeel.process.engines.messages import EngineMessage
from imagepeel.process.engines.mount_point import MountPoint
from imagepeel.process.engines.runtime import Runtime
from imagepeel.process.engines.variables import Variable, replace_or_append
from imagepeel.process.engines.workdir import Made, WorkdirTrouble
from imagepeel.process.spec.failure import Failure
from imagepeel.process.spec.values import Addition, Credentials
from imagepeel.rootfs.engines.names import ViewName
from imagepeel.tables import ErrnoName

HOST_FILES = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf")
"""The files about names that engines with a network put into place."""


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """One version of an engine; the values here are those that most engines share."""

    name: str
    version: tuple[int, ...]
    runtime: str
    """The runtime below it, `NAME@VERSION`."""
    user_rules: UserRules
    """The rules for a user that is named."""
    nobody_rules: UserRules
    """The rules where none is named."""
    note: str = ""
    basis: Basis = Basis(read="")
    """What its rules rest on; a profile without one is refused by a test."""
    end_of_life: str = ""
    """The day (YYYY-MM-DD) or month after which nobody mends it; empty while somebody does."""
    view: ViewName = "runtime"
    """The view of an image that it starts from."""
    loaded_by: str = ""
    """Who brings an archive into its store, `NAME[@VERSION]` (its own version where none is named); "" for nobody."""
    says_unknown: bool = False
    """The containerd at its base ends a runtime's error in `: unknown` (before 2.0)."""

    # The environment.
    path_default: Literal["always", "if-env-empty", "never"] = "always"
    env: tuple[str, ...] = ("HOSTNAME",)
    """Entries that it adds; a bare HOSTNAME gets the container's name."""
    tty_env: bool = True
    """TERM is set when there is a terminal."""
    term_always: bool = False
    home: Literal["runtime", "engine"] = "runtime"
    """Who fills in HOME."""

    # The command.
    option_names: tuple[str, str] = ("--entrypoint", "the arguments")
    arguments_replace_all: str = ""
    """A sentence where arguments replace Entrypoint and Cmd together."""
    no_command: str = ""
    """Its words against an empty vector; empty where it leaves that to the runtime."""

    # The user.
    strict_ids: bool = False
    """A number in USER that is no id is refused as such; else it is looked up as a name."""
    reads_accounts: Literal["whole", "bounded", "unknown"] = "unknown"
    """How much of /etc/passwd and /etc/group it reads: all, or what moby/sys user 0.4.1 takes (`strict_ids`)."""
    empties_account_directories: bool = False
    """A directory in place of /etc/passwd or /etc/group counts as an empty file; else it stops there."""
    knows_groups_policy: bool = False
    """A pod may ask for `supplementalGroupsPolicy: Strict`."""
    knows_user_namespaces: bool = False
    """A container can get a user namespace of its own on request."""
    account_links: Literal["all", "last", "none"] = "all"
    """Which absolute links it follows to /etc/passwd and /etc/group: the last one alone, or none."""
    stats_account_files: bool = False
    """It stops where /etc is no directory, before it reads /etc/passwd or /etc/group."""
    colon_ends_groups: bool = False
    """A colon in USER leaves the list of supplementary groups empty, even with no group behind it."""
    root_in_groups: bool = True
    """The primary group is repeated for root without any USER, too."""
    capabilities: tuple[str, ...] = USUAL_CAPABILITIES
    nonroot_effective: bool = True
    """A user other than root keeps capabilities until execve."""
    added_capabilities_reach_users: bool = False
    """Capabilities of `--cap-add` are effective for a user other than root, and stay so (ambient)."""
    no_new_privileges: bool = False
    seccomp_errno: ErrnoName = ""
    """What its default seccomp profile answers to a call that it does not let through; "" where it sets none."""

    # Directories, volumes, files.
    workdir_maker: Literal["the engine", "the runtime"] = "the engine"
    workdir_of_user: bool = False
    """The directory that is made belongs to the user that starts, and else to root."""
    makes_workdir_first: bool = False
    """The working directory is made before the user is looked up."""
    cleans_workdir: bool = False
    """`.` and `..` of the working directory are taken out by its text alone, whatever the links on the way are."""
    volumes: Literal["copy", "host-copy", "ignore"] = "copy"
    run_tmpfs: bool = False
    injected: tuple[str, ...] = HOST_FILES
    mounts_follow_links: bool = True
    repairs_mount_points: bool = False
    """It makes directories of whatever else is called /proc, /sys, /dev or /etc, before anything is mounted."""
    noexec_dev: bool = False
    """It has /dev mounted without the right to execute there."""
    max_layers: int | None = None

    # Settings and stopping.
    low_ports: bool = True
    healthcheck: bool = False
    warns_of_platform: bool = False
    """An image for another architecture is started after a warning."""
    bad_stop_signal: Literal["sigterm", "refuse", "cannot-stop", "ignored"] = "sigterm"
    """What an unknown StopSignal leads to; `ignored`: StopSignal is not read at all."""
    knows_stop_signal: bool = True
    """Whoever starts a container may name another stop signal."""
    grace: int = 10
    """Seconds between the stop signal and SIGKILL; 0: it has no time of its own."""
    grace_setting: str = ""
    """The setting of the host that changes this time, where there is one."""
    reads_stop_timeout: bool = False
    init_argv: tuple[str, ...] = ()
    records_exit: bool = False
    """It records an exit code for the container."""
    admits_pods: bool = False
    """It is a cluster: an API server looks at a pod first, and a kubelet carries out its security settings."""
    probe_errored: str = "errored and resulted in unknown state"
    """What an event says of a probe that could not be executed."""
    expands_words: bool = False
    """It replaces `$(NAME)` in the words of a pod's command."""
    joins_group: bool = False
    """It makes one word of a pod's user and group, so that a group alone means root."""
    copies_empty_dirs: bool = False
    """It makes a volume of a pod's empty directory, into which the image's files are copied."""
    probes_through_shell: bool = False
    """It hands the words of an exec probe to a shell."""
    by_hand: bool = False
    """There is no engine: a bundle is started with the runtime alone."""

    @property
    def label(self) -> str:
        return f"{self.name}@{'.'.join(map(str, self.version))}"

    def stands_for(self, version: tuple[int, ...]) -> bool:
        """Whether a version belongs to this profile: one of its patches, or, for a patch, one before the next."""
        if version[: len(self.version)] == self.version:
            return True
        return len(version) == len(self.version) > 2 and version[:-1] == self.version[:-1]

    # -- texts

    def refusal(self, failure: Failure) -> EngineMessage:
        """A refusal of its own, before it calls the runtime."""
        return EngineMessage(text=failure.message)

    def create_failed(self, words: str) -> str:
        """What the containerd at its base makes of a refusal of the runtime's create."""
        end = ": unknown" if self.says_unknown else ""
        return f"failed to create shim task: OCI runtime create failed: {words}{end}"

    def exec_failed(self, words: str) -> str:
        """What it makes of a refusal of the runtime to execute something in a container that runs."""
        return f"OCI runtime exec failed: {words}" + (": unknown" if self.says_unknown else "")

    def runtime_refusal(self, failure: Failure, runtime: Runtime) -> EngineMessage:
        """A refusal of the runtime's create, in the engine's envelope."""
        raise NotImplementedError(f"{type(self).__name__} has to say this")

    # -- decisions

    def merge_environment(
        self, own: Sequence[Variable], image: Sequence[Variable], given: Sequence[Variable], notes: list[str]
    ) -> list[Variable]:
        """One list of its own variables, the image's and those of the caller; `notes` grows by what is odd."""
        return replace_or_append(replace_or_append(own, image, notes), given, notes)

    def environment_of_host(self, entries: Sequence[str]) -> str:
        """What of the host's environment the image's entries ask for, as a condition; mostly nothing."""
        return ""

    def refuse_variable(self, entry: str) -> Failure | None:
        """The refusal of an entry of Env without a name or without `=`."""
        return None

    def refuse_root(self, user: str, uid: int, *, by_option: bool) -> Failure | None:
        """The refusal that runAsNonRoot asks for."""
        return None

    def dropped_group(self, user: str, gid: int) -> str:
        """A sentence where it does not use the group part of USER; `gid` is the group instead."""
        return ""

    def home_of_stranger(self, user: Credentials, workdir: str) -> tuple[str, str] | None:
        """HOME and the reason for it, for a user given as a number that /etc/passwd has no line for."""
        return None

    def relative_workdir(self, path: str) -> Failure | None:
        """Its refusal of a relative directory that the caller names; None where it leaves that to the runtime."""
        return None

    def make_workdir(self, trouble: WorkdirTrouble) -> Made | Failure | None:
        """What becomes of a directory that is not there; None: it leaves that to the runtime."""
        if trouble.state != "missing" or self.workdir_maker == "the runtime":
            return None
        return self.made(trouble)

    def made(self, trouble: WorkdirTrouble) -> Made:
        """A missing directory, made."""
        owner = "owned by the user" if self.workdir_of_user else "owned by root, mode 0755"
        note = f"{trouble.path} is not in the image: {self.workdir_maker} makes it, {owner}"
        return Made(path=trouble.target or trouble.lexical, note=note)

    def volume_over_file(self, place: str) -> str:
        """Its words where a volume lies over a file; empty where that was not measured."""
        return ""

    def refuse_mount(self, point: MountPoint) -> Failure | None:
        """Its own refusal of a place that the runtime would mount on; None where it leaves that to the runtime."""
        return None

    def etc_is_a_file(self, where: Location | None) -> Failure | None:
        """Its refusal where /etc is a file; None where that was not measured."""
        return None

    def unmapped_owner(self, path: str, uid: int, gid: int) -> str:
        """Its words, without root rights, for an owner outside the ids that it may map."""
        return f"lchown {path}: invalid argument"

    def additions(self, argv: Sequence[str]) -> list[Addition]:
        """What it adds besides mounts, injected files and volumes."""
        return []
