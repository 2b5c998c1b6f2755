"""Why a start fails: judges, stages, the names of failures, and the one value that carries a failure.

Five judges look at a start, in this order; the same errno means different things from each.  Load is whoever brings the
image into a store; the engine merges the config, resolves the user and makes the working directory; the runtime checks
for itself before it executes; the kernel answers `execve`; the loader, shell or wrapper gives up in user space.

Inside, judges, stages and failures are names.  Their values are the codes that JSON and `--explain` have always used
(`FailureCode.LOADER_MISSING == "F24"`); `docs/reference/failures.md` is made of this module.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from imagepeel.evidence import Location
from imagepeel.tables import ErrnoName


class Outcome(StrEnum):
    """The kind of a verdict."""

    RUNS = "RUNS"
    FAILS = "FAILS"
    DEPENDS = "DEPENDS"
    UNKNOWN = "UNKNOWN"


class Judge(StrEnum):
    """Who decides a step of a start, in the order in which they are asked."""

    LOAD = "load"
    ENGINE = "J1"
    RUNTIME = "J2"
    KERNEL = "J3"
    USERLAND = "J4"

    @property
    def words(self) -> str:
        """Who it is, for people."""
        who, when = _JUDGES[self]
        return f"{who}, {when}" if when else who

    def refused(self, errno: ErrnoName = "") -> str:
        """That this judge says no, in a few words: `the kernel refused it: ENOENT`."""
        if self is Judge.LOAD:
            return "it cannot be loaded"
        who = "a program inside gave up" if self is Judge.USERLAND else f"{_JUDGES[self][0]} refused it"
        return f"{who}: {errno}" if errno else who


_JUDGES = {
    Judge.LOAD: ("load", "before anything starts"),
    Judge.ENGINE: ("the engine", ""),
    Judge.RUNTIME: ("the runtime", "before it executes"),
    Judge.KERNEL: ("the kernel", "in execve"),
    Judge.USERLAND: ("the loader or interpreter", "in user space"),
}
"""Who it is, and where or when; "" where that goes without saying."""


class Stage(StrEnum):
    """What a step of a start settles, in order."""

    LOAD = "S0"
    IMAGE = "S1"
    COMMAND = "S2"
    USER = "S3"
    ENVIRONMENT = "S4"
    WORKDIR = "S5"
    MOUNTS = "S5M"
    LOOKUP = "S6"
    EXECVE = "S7"
    LOADER = "S8"
    PROGRAM = "S9"

    @property
    def words(self) -> str:
        """The stage in one or two words, for people."""
        return _STAGES[self]


_STAGES = {
    Stage.LOAD: "load",
    Stage.IMAGE: "image",
    Stage.COMMAND: "command",
    Stage.USER: "user",
    Stage.ENVIRONMENT: "environment",
    Stage.WORKDIR: "directory",
    Stage.MOUNTS: "mounts",
    Stage.LOOKUP: "lookup",
    Stage.EXECVE: "execve",
    Stage.LOADER: "loader",
    Stage.PROGRAM: "program",
}


class FailureCode(StrEnum):
    """What goes wrong, one name for each way in which a start fails."""

    NOT_IN_PATH = "F1"
    SKIPPED_IN_PATH = "F2"
    FILE_MISSING = "F3"
    FILE_ON_THE_WAY = "F4"
    NOT_EXECUTABLE = "F5"
    IS_DIRECTORY = "F6"
    LINK_LOOP = "F7"
    EMPTY_COMMAND = "F8"
    NO_COMMAND = "F9"
    COMMAND_LINE_AS_NAME = "F10"
    RELATIVE_PATH_HIT = "F11"
    PATH_UNUSABLE = "F12"
    USER_UNKNOWN = "F13"
    GROUP_UNKNOWN = "F14"
    WORKDIR_BLOCKED = "F15"
    WORKDIR_DANGLING = "F16"
    VARIABLE_MALFORMED = "F17"
    SHEBANG_CRLF = "F18"
    INTERPRETER_MISSING = "F19"
    INTERPRETER_BLOCKED = "F20"
    TOOL_FAILS = "F21"
    NO_PROGRAM_FORMAT = "F22"
    ELF_REFUSED = "F23"
    LOADER_MISSING = "F24"
    LOADER_REFUSED = "F25"
    SHEBANG_LIMIT = "F26"
    CAPABILITIES_BLOCK = "F27"
    ARGUMENTS_TOO_LONG = "F28"
    SCRIPT_UNREADABLE = "F29"
    LIBRARY_MISSING = "F30"
    LIBRARY_MISSING_MUSL = "F31"
    SYMBOL_VERSION_MISSING = "F32"
    SYMBOL_MISSING = "F33"
    SHELL_MISSING = "F34"
    SHELL_LINE_FAILS = "F35"
    WRAPPER_FAILS = "F36"
    INIT_NOT_FIRST = "F37"
    VOLUME_OVER_FILE = "F38"
    RUN_AS_NON_ROOT = "F39"
    IDS_UNMAPPED = "F40"
    TOO_MANY_LAYERS = "F41"
    ETC_UNUSABLE = "F42"
    MOUNT_POINT_BLOCKED = "F43"
    WORKDIR_IN_MOUNT = "F44"
    CONFIG_WITHOUT_ROOTFS = "F60"
    LAYER_COUNT = "F61"
    PATH_TWICE = "F62"
    UNPACK_REFUSED = "F63"
    FILE_NOT_TAKEN = "F64"
    WORKDIR_RELATIVE = "W28"
    STOP_SIGNAL_UNKNOWN = "W62"

    @property
    def words(self) -> str:
        """What goes wrong in a few words, for people."""
        return _FAILURES[self]


_FAILURES = {
    FailureCode.NOT_IN_PATH: "no directory of PATH has the program",
    FailureCode.SKIPPED_IN_PATH: "the program is in PATH, and it was skipped",
    FailureCode.FILE_MISSING: "the program does not exist",
    FailureCode.FILE_ON_THE_WAY: "a part of the program's path is a file",
    FailureCode.NOT_EXECUTABLE: "the program may not be executed",
    FailureCode.IS_DIRECTORY: "the program is a directory",
    FailureCode.LINK_LOOP: "symbolic links lead in a circle",
    FailureCode.EMPTY_COMMAND: "the first word names no file",
    FailureCode.NO_COMMAND: "there is no command",
    FailureCode.COMMAND_LINE_AS_NAME: "a command line stands where a file name is meant",
    FailureCode.RELATIVE_PATH_HIT: "PATH finds the program relative to the working directory",
    FailureCode.PATH_UNUSABLE: "PATH is empty, not set or not expanded",
    FailureCode.USER_UNKNOWN: "the user is not in /etc/passwd",
    FailureCode.GROUP_UNKNOWN: "the group is not in /etc/group",
    FailureCode.WORKDIR_BLOCKED: "the working directory is no directory",
    FailureCode.WORKDIR_DANGLING: "the working directory is a dangling link",
    FailureCode.VARIABLE_MALFORMED: "a variable has no name or no =",
    FailureCode.SHEBANG_CRLF: "the first line of the script ends in CR LF",
    FailureCode.INTERPRETER_MISSING: "the script's interpreter does not exist",
    FailureCode.INTERPRETER_BLOCKED: "the script's interpreter may not be executed",
    FailureCode.TOOL_FAILS: "env, nice or timeout cannot start the command",
    FailureCode.NO_PROGRAM_FORMAT: "the file is neither a script nor a program",
    FailureCode.ELF_REFUSED: "the program is for another machine, or damaged",
    FailureCode.LOADER_MISSING: "the program's loader does not exist",
    FailureCode.LOADER_REFUSED: "the program's loader may not be used",
    FailureCode.SHEBANG_LIMIT: "the chain of scripts or a first line is too long",
    FailureCode.CAPABILITIES_BLOCK: "the file's capabilities are not allowed or not readable",
    FailureCode.ARGUMENTS_TOO_LONG: "arguments and environment are too long",
    FailureCode.SCRIPT_UNREADABLE: "the interpreter cannot read the script",
    FailureCode.LIBRARY_MISSING: "a shared library is missing (glibc)",
    FailureCode.LIBRARY_MISSING_MUSL: "a shared library is missing (musl)",
    FailureCode.SYMBOL_VERSION_MISSING: "the C library is too old for the program",
    FailureCode.SYMBOL_MISSING: "a symbol is in no library, or a library is damaged",
    FailureCode.SHELL_MISSING: "the shell form needs a shell, and there is none",
    FailureCode.SHELL_LINE_FAILS: "the shell cannot run the command of its script",
    FailureCode.WRAPPER_FAILS: "a wrapper cannot start the command",
    FailureCode.INIT_NOT_FIRST: "an init of the image has to be process 1, and is not",
    FailureCode.VOLUME_OVER_FILE: "a volume lies over a file",
    FailureCode.RUN_AS_NON_ROOT: "the setting runAsNonRoot refuses the user",
    FailureCode.IDS_UNMAPPED: "an owner lies outside the ids of a rootless engine",
    FailureCode.TOO_MANY_LAYERS: "the image has too many layers",
    FailureCode.ETC_UNUSABLE: "/etc or /etc/passwd is not what it has to be",
    FailureCode.MOUNT_POINT_BLOCKED: "/proc, /sys or /dev is no directory",
    FailureCode.WORKDIR_IN_MOUNT: "the working directory cannot be made below /proc, /sys or /dev",
    FailureCode.CONFIG_WITHOUT_ROOTFS: "the store cannot read manifest or config, or no layers are listed",
    FailureCode.LAYER_COUNT: "manifest and config count the layers differently",
    FailureCode.PATH_TWICE: "a layer has one path twice",
    FailureCode.UNPACK_REFUSED: "a layer cannot be unpacked",
    FailureCode.FILE_NOT_TAKEN: "the image lies in its file where the engine does not look for it",
    FailureCode.WORKDIR_RELATIVE: "the working directory is a relative path",
    FailureCode.STOP_SIGNAL_UNKNOWN: "the stop signal does not exist",
}


class Phase(StrEnum):
    """How far engine or runtime have come when they refuse; it decides what they put before the cause."""

    BARE = "bare"
    """The config alone is enough: the engine has mounted nothing, the runtime has no init process yet."""
    START = "start"
    """While the init process is started."""
    INIT = "init"
    """Inside the init process, in those causes that runc 1.1 already marks so."""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """One failure, from the place that notices it to the verdict.

    `message` is the judge's own sentence, without what others put around it.  The kernel has none: `about` is the
    file that it was to execute, or the library or symbol that a loader misses.  A program that gives up in user
    space has several lines and its `exit_code`.  `created` tells for failures of an engine whether the container
    existed already.  `depends` names facts of the host without which it would not fail.
    """

    code: FailureCode
    judge: Judge
    errno: ErrnoName = ""
    message: str = ""
    why: str = ""
    fix: str = ""
    where: Location | None = None
    about: str = ""
    exit_code: int | None = None
    phase: Phase = Phase.START
    created: bool = True
    depends: tuple[str, ...] = ()


class Unproved(msgspec.Struct, frozen=True, kw_only=True):
    """Something that stops or changes the start in a way that was not measured, in one sentence."""

    reason: str
    where: Location | None = None
