"""Will not start: the failures that the predicted process proves, one rule for each cause.

Only a verdict FAILS of a named profile makes a finding here; DEPENDS and UNKNOWN never do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from imagepeel.evidence import Location, layer_label, text
from imagepeel.findings.dockerfile_lines import (
    PATH_LINE,
    Lines,
    command_keyword,
    commanded,
    edited,
    exec_form,
    is_plain,
    opened,
    plain_command,
)
from imagepeel.findings.finding import Finding, Role
from imagepeel.findings.programs import list_in_quotes, one_argument
from imagepeel.findings.rule import Rule, rule
from imagepeel.findings.subject import PROFILES
from imagepeel.formats.foreign import first_line_missing
from imagepeel.process.spec.failure import FailureCode
from imagepeel.text import listed

if TYPE_CHECKING:
    from imagepeel.findings.subject import Subject
    from imagepeel.process.spec.values import Verdict


def _engines(verdicts: list[Verdict]) -> str:
    return "any engine" if len(verdicts) == len(PROFILES) else listed([verdict.engine for verdict in verdicts])


def _show(subject: Subject, verdict: Verdict, place: Location) -> str:
    """How the trace looks at the file that a verdict is about: the filter that shows the point, else its header."""
    start = next((start for start in subject.starts if start.verdict is verdict), None)
    for step in reversed(start.steps if start is not None else ()):
        if (
            step.inspect
            and step.where is not None
            and (step.where.layer, step.where.entry) == (place.layer, place.entry)
        ):
            return f"inspect {step.inspect[0]}"
    return "entry"


def will_not_start(
    rule: Rule, subject: Subject, verdicts: list[Verdict], *, why: str = "", dockerfile: Lines = ()
) -> Iterator[Finding]:
    """One finding for all engines that refuse for the same reason."""
    if not verdicts:
        return
    first = verdicts[0]
    place = first.where or subject.command_place()
    shown = place if place.entry is None else (place, _show(subject, first, place))
    places: list[Location | tuple[Location, str]] = [shown]
    if place.entry is None and place.pointer is None:
        places.append(subject.command_place())
    missing = subject.whiteout_of(-1, place.path) if place.path and place.entry is None else None
    details = []
    if missing is not None:
        places.append(subject.place(missing))
        details.append(f"{place.path} was there until layer {layer_label(missing.layer)} removed it")
    said: dict[str, list[str]] = {}
    for verdict in verdicts:
        said.setdefault(verdict.text, []).append(verdict.engine)
    details.extend(f"{listed(engines)}: {words}" for words, engines in said.items())
    why = why or first.why
    words = first.message.splitlines()[0]
    yield rule.report(
        f"It will not start on {_engines(verdicts)}: {why}" + (f" ({words})" if words not in why else ""),
        *places,
        fix=first.fix,
        dockerfile=dockerfile or commanded(first.fix),
        profiles=tuple(verdict.engine for verdict in verdicts),
        details=details,
    )


def _start(
    id: str,
    title: str,
    *failures: FailureCode,
    why: str,
    fix: str,
    codes: str = "",
    sources: str = "",
    role: Role = "operations",
    repair: Callable[[Subject, Verdict], Lines] | None = None,
    dockerfile: Lines = (),
) -> Rule:
    """Return the rule of one or more ways in which a start fails; `repair` makes the fix of one verdict lines."""

    def check(rule: Rule, subject: Subject) -> Iterator[Finding]:
        if subject.run.entrypoint is None and subject.run.cmd is None and FailureCode.NO_COMMAND not in failures:
            return
        verdicts = subject.failed(*failures)
        lines = repair(subject, verdicts[0]) if repair is not None and verdicts else ()
        yield from will_not_start(rule, subject, verdicts, dockerfile=lines)

    return rule(
        id,
        title,
        "high",
        "strengths",
        role,
        why=why,
        fix=fix,
        codes=", ".join([*codes.split(), *failures]),
        sources=sources,
        dockerfile=dockerfile,
    )(check)


def _split(subject: Subject, _: Verdict) -> Lines:
    """The words of a command line that stands as one word."""
    first, *more = subject.argv
    keyword = command_keyword(subject) or "ENTRYPOINT"
    behind = more if keyword == "CMD" else (subject.run.entrypoint or ())[1:]
    return exec_form(keyword, [*first.split(), *behind]) if is_plain(*first.split()) else ()


CRLF_SHEBANG = _start(
    "CRLF-SHEBANG",
    "The first line of the script ends in CR LF",
    FailureCode.SHEBANG_CRLF,
    why="""An editor or a checkout on Windows wrote the script with CR LF line ends.  The kernel takes everything behind
    `#!` for the name of the interpreter, the invisible CR too, and that file does not exist: the error says "no such
    file", and means `/bin/sh\\r`, not the script that is plainly there.""",
    fix="convert it (`sed -i 's/\\r$//'`) and pin it in .gitattributes: `*.sh text eol=lf`",
    codes="W1",
    sources="nanobot#2883, odysseus#52, dreamfactorysoftware/df-docker#110, fs/binfmt_script.c",
    role="tooling",
    repair=lambda subject, verdict: edited(subject, verdict, r"s/\r$//"),
)
MISSING_LOADER = _start(
    "MISSING-LOADER",
    "The dynamic loader that the program names is not in the image",
    FailureCode.LOADER_MISSING,
    why="""A dynamically linked program names its loader in PT_INTERP, and the kernel starts that file instead.  A glibc
    program in a musl image, a musl program in Debian, or any dynamic program in an empty image asks for a loader that
    is not there.  The kernel reports the missing loader with the name of the program.""",
    fix="take program and base image from the same C library, or link statically (Go: CGO_ENABLED=0)",
    codes="W2",
    sources="elf(5) PT_INTERP, fs/binfmt_elf.c",
)
GLIBC_TOO_OLD = _start(
    "GLIBC-TOO-OLD",
    "The program was built against a newer C library than the image has",
    FailureCode.SYMBOL_VERSION_MISSING,
    why="""A multi-stage build compiled on a newer distribution than the final stage.  The program demands symbol
    versions that the older library does not define, and the loader gives up before the first line of main.""",
    fix="build in the same base image (or an older one) as the final stage",
    codes="W3",
    sources="docker-library/golang#466, GoogleContainerTools/distroless#1054",
)
WRONG_ARCHITECTURE = _start(
    "WRONG-ARCHITECTURE",
    "The program is not for the architecture that the image claims",
    FailureCode.ELF_REFUSED,
    why="""The config's `architecture` is a label that nobody checks while building.  The kernel reads e_machine in the
    program itself and refuses what is not for its own CPU: exec format error.  Docker only compares labels and
    warns at most.""",
    fix="build with the right --platform, and copy programs from a stage of the target platform",
    codes="W4",
    sources="image-spec config.md, elf(5) e_machine",
)


def _first_line(subject: Subject, verdict: Verdict) -> Lines:
    """A first line in front; none where there is one already, behind bytes that have to go."""
    place = verdict.where.path if verdict.where is not None else None
    head = subject.read(place, 256) if place else b""
    if first_line_missing(head) or b"#!" in head.partition(b"\n")[0]:
        return ()
    return edited(subject, verdict, "1i #!/bin/sh")


NO_SHEBANG = _start(
    "NO-SHEBANG",
    "The script has no #! line",
    FailureCode.NO_PROGRAM_FORMAT,
    why="""In a terminal the script works, because shells run a file themselves when the kernel answers ENOEXEC.
    A container runtime calls execve and nothing else: without `#!` in the first two bytes (a byte order mark or an
    empty line is enough) there is no interpreter.""",
    fix="make `#!/bin/sh` the very first bytes of the file",
    codes="W5",
    sources="opencontainers/runc#1773, execve(2)",
    repair=_first_line,
)


def _not_executable(rule: Rule, subject: Subject) -> Iterator[Finding]:
    verdicts = subject.failed(FailureCode.NOT_EXECUTABLE)
    if verdicts and len(verdicts) == len(subject.starts):
        yield from will_not_start(rule, subject, verdicts, dockerfile=opened(subject, verdicts[0]))


NOT_EXECUTABLE = rule(
    "NOT-EXECUTABLE",
    "The command is there but may not be executed",
    "high",
    "strengths",
    "operations",
    why="""Git on Windows, zip files and some copies lose the x bit; a file may also be executable for another user than
    the one that the image names.  The runtime looks before it executes and refuses with exit code 126.""",
    fix="COPY --chmod=0755, or `git update-index --chmod=+x`; with USER give the bits to that user",
    codes="W6, F5",
    sources="getsentry/self-hosted#574, moby#34819",
)(_not_executable)


def _root_only(rule: Rule, subject: Subject) -> Iterator[Finding]:
    verdicts = subject.failed(FailureCode.NOT_EXECUTABLE)
    if verdicts and len(verdicts) < len(subject.starts):
        yield from will_not_start(rule, subject, verdicts, dockerfile=opened(subject, verdicts[0]))


ROOT_ONLY_PROGRAM = rule(
    "ROOT-ONLY-PROGRAM",
    "Only root may execute the program, and only some engines lend that right",
    "high",
    "strengths",
    "deployments",
    why="""Docker from 24 on, containerd and Kubernetes leave a non-root user the default capabilities until execve, so
    CAP_DAC_OVERRIDE opens a program that only root may execute.  Docker up to 23, podman and anything with
    `drop: ALL` do not: the same image answers permission denied there.""",
    fix="chmod 0755 the program, or chown it to the user",
    codes="W52",
    sources="moby#36587, moby#45511",
)(_root_only)
DIRECTORY_AS_COMMAND = _start(
    "DIRECTORY-AS-COMMAND",
    "The command is a directory",
    FailureCode.IS_DIRECTORY,
    why="""The path exists, but it names a directory.  Runtimes report that as "permission denied" or "is a directory",
    which sends people looking at modes.""",
    fix="name the program inside the directory",
)
PATH_SKIPS_FILE = _start(
    "PATH-SKIPS-FILE",
    "A file on PATH is skipped because it is not executable",
    FailureCode.SKIPPED_IN_PATH,
    why="""A search in PATH passes over files without the x bit, directories and dangling links without a word.  In the
    end the runtime says "executable file not found in $PATH" (127) about a file that is on PATH, where the full path
    would have given "permission denied" (126).""",
    fix="make the file executable, or write its full path to get the honest error",
    codes="W7",
    sources="TimWolla/docker-adminer#60",
    repair=opened,
)
MISSING_INTERPRETER = _start(
    "MISSING-INTERPRETER",
    "The interpreter of the script is not in the image",
    FailureCode.INTERPRETER_MISSING,
    why="""`#!/bin/bash` in an Alpine or distroless image: the script is there, bash is not.  The kernel answers ENOENT
    with the name of the script.""",
    fix="install the interpreter, or write the script for the one that the image has",
    codes="W8",
    sources="docker/for-linux#963, moby#29420",
)
COMMAND_NOT_FOUND = _start(
    "COMMAND-NOT-FOUND",
    "No directory of PATH has the command",
    FailureCode.NOT_IN_PATH,
    why="""The first word of the command has no slash, so the runtime searches the image's own PATH.  What the build
    stage or your machine had there does not count.""",
    fix="install the program in the final stage, or write its full path",
)
COMMAND_MISSING = _start(
    "COMMAND-MISSING",
    "The path of the command does not exist",
    FailureCode.FILE_MISSING,
    FailureCode.FILE_ON_THE_WAY,
    why="""The config names a path that the merged filesystem does not have: it was never copied, a link points nowhere,
    or a later layer removed it.""",
    fix="copy the program to the path that ENTRYPOINT or CMD names",
    sources="moby#12641",
)
LINK_LOOP = _start(
    "LINK-LOOP",
    "Symbolic links of the command lead in a circle",
    FailureCode.LINK_LOOP,
    why="""The kernel follows at most 40 links and then answers ELOOP.  A link to itself usually comes from a copy that
    ran twice.""",
    fix="let the link point at a file",
)
EMPTY_COMMAND = _start(
    "EMPTY-COMMAND",
    "The first word of the command is empty",
    FailureCode.EMPTY_COMMAND,
    why="""An empty word or "." stands where the program should be, most often from a variable that was empty while
    building.""",
    fix="name a program as the first word",
)
SHELL_STRING = _start(
    "SHELL-STRING",
    "A whole command line stands as one word",
    FailureCode.COMMAND_LINE_AS_NAME,
    why="""The exec form is a list of words, and the first word is a file name: `["sh -c x"]` asks for a file called
    "sh -c x".  Shell builtins such as `source` are no files either.""",
    fix='write one word per element: ["sh", "-c", "x"]',
    codes="W15",
    sources="docker/cli#2891",
    repair=_split,
)
RELATIVE_PATH_HIT = _start(
    "RELATIVE-PATH-HIT",
    "PATH finds the command through a relative directory",
    FailureCode.RELATIVE_PATH_HIT,
    why="""An empty or relative element of PATH means the working directory.  Go programs refuse such a hit since 2022
    for safety, so runc does, while crun runs it.""",
    fix="remove `.`, empty and relative elements from PATH",
    sources="golang/go#43724",
)
LOST_PATH = _start(
    "LOST-PATH",
    "ENV PATH lost the directories of the base image",
    FailureCode.PATH_UNUSABLE,
    why="""`ENV PATH=$PATH:/app/bin` keeps a literal `$PATH`, or nothing at all, when the base image sets none.  Nothing
    is expanded at run time: the programs are there and nobody finds them.""",
    fix="write the full list: /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    codes="W29",
    sources="moby#15497, resin-io-library/resin-rpi-raspbian#3",
    dockerfile=(PATH_LINE,),
)
UNKNOWN_USER = _start(
    "UNKNOWN-USER",
    "USER names somebody who is not in this image",
    FailureCode.USER_UNKNOWN,
    why="""The engine looks the name up in /etc/passwd of this root filesystem, not of the builder's.  A final stage
    from scratch, or one where adduser ran in another stage, does not know the name.""",
    fix="copy /etc/passwd and /etc/group too, or use a number",
    codes="W19",
    sources="moby#22323, filestat_exporter#63, langflow#6185",
    dockerfile=("COPY --from=build /etc/passwd /etc/group /etc/",),
)
UNKNOWN_GROUP = _start(
    "UNKNOWN-GROUP",
    "USER names a group that is not in this image",
    FailureCode.GROUP_UNKNOWN,
    why="""The part behind the colon is looked up in /etc/group of the image.  Docker, containerd and podman refuse;
    Kubernetes drops the group without a word.""",
    fix="create the group in the final stage, or use a number",
)
WORKDIR_BLOCKED = _start(
    "WORKDIR-BLOCKED",
    "The working directory cannot be entered or made",
    FailureCode.WORKDIR_BLOCKED,
    FailureCode.WORKDIR_DANGLING,
    why="""WORKDIR names a file, something below a file, or a link that leads nowhere.  Engines make missing directories
    themselves, but not through a file.""",
    fix="let WORKDIR name a directory",
)
PROC_NOT_A_DIRECTORY = _start(
    "PROC-NOT-A-DIRECTORY",
    "/proc, /sys or /dev is a link or a file, and the runtime mounts there",
    FailureCode.MOUNT_POINT_BLOCKED,
    why="""A runtime mounts proc, sysfs and a tmpfs before it looks for the program.  runc and crun refuse to mount proc
    and sysfs on anything but a directory.  Docker starts the same image: it makes directories of these names first.""",
    fix="leave /proc, /sys and /dev out of the image, or let them be directories",
)
WORKDIR_IN_PROC = _start(
    "WORKDIR-IN-PROC",
    "The working directory lies below /proc, /sys or /dev and cannot be made there",
    FailureCode.WORKDIR_IN_MOUNT,
    why="""The runtime has mounted its own /proc, /sys and /dev when it makes the working directory: what the image has
    there is hidden, and nothing can be made in the kernel's filesystems.  /proc/self/fd/N once led out of the
    container (CVE-2024-21626, runc before 1.1.12).""",
    fix="let WORKDIR name a directory of the image",
)
NAMELESS_VARIABLE = _start(
    "NAMELESS-VARIABLE",
    "A runtime refuses an entry of Env",
    FailureCode.VARIABLE_MALFORMED,
    why="""`=value` has no name: runc refuses to start, crun passes it on.  An entry without `=` is refused by bare
    runc; Docker takes it for "unset".""",
    fix="write NAME=value",
)
INTERPRETER_BLOCKED = _start(
    "INTERPRETER-BLOCKED",
    "The interpreter or loader cannot be executed",
    FailureCode.INTERPRETER_BLOCKED,
    FailureCode.LOADER_REFUSED,
    why="""The script or program is fine, but the file that the kernel starts for it is not executable, is a directory,
    or is for another machine.  The error names the script.""",
    fix="take interpreter or loader from the distribution's package and keep its mode",
)
SHEBANG_LIMIT = _start(
    "SHEBANG-LIMIT",
    "The chain of #! lines is longer than the kernel follows",
    FailureCode.SHEBANG_LIMIT,
    why="""Linux reads 256 bytes of a #! line and follows five scripts that name scripts; the sixth ends in ELOOP.  A
    script that names itself never arrives.""",
    fix="shorten the path, or name a program as the interpreter",
    sources="fs/binfmt_script.c, fs/exec.c",
)
SETCAP_BLOCKS_EXEC = _start(
    "SETCAP-BLOCKS-EXEC",
    "A file capability makes the program unstartable",
    FailureCode.CAPABILITIES_BLOCK,
    why="""`setcap cap_net_admin+ep` gives a file a capability that containers do not get by default.  The kernel
    refuses to start a file whose effective capabilities it cannot grant, even for root: operation not permitted.""",
    fix="setcap only what the default set holds, without the effective bit, or grant it with --cap-add",
    codes="W50",
    sources="m3db/m3#1671, caddyserver/caddy-docker#396, capabilities(7)",
    role="kernel",
)
ARGUMENT_TOO_LONG = _start(
    "ARGUMENT-TOO-LONG",
    "One argument or variable is larger than the kernel takes",
    FailureCode.ARGUMENTS_TOO_LONG,
    why="""execve accepts at most 128 KiB in one string.  A certificate or a JSON document in ENV can be larger.""",
    fix="put the value into a file",
    sources="execve(2) E2BIG",
    role="kernel",
)
SCRIPT_UNREADABLE = _start(
    "SCRIPT-UNREADABLE",
    "The user may execute the script but not read it",
    FailureCode.SCRIPT_UNREADABLE,
    why="""The kernel starts the interpreter; the interpreter then opens the script as the user of the image and may
    not.  Programs need x, scripts need r too.""",
    fix="chmod 0755 the script",
    codes="W53",
    repair=opened,
)


def configured_directories(subject: Subject) -> list[str]:
    """The directories that ld.so.conf and the files it includes name: what ldconfig would search."""
    found: list[str] = []
    todo = ["/etc/ld.so.conf"]
    directory = subject.node("/etc/ld.so.conf.d")
    if directory is not None and directory.is_dir:
        todo += [f"/etc/ld.so.conf.d/{text(name)}" for name in islice(subject.rootfs.names("/etc/ld.so.conf.d"), 200)]
    for path in todo:
        for line in text(subject.read(path, 65536)).splitlines():
            line = line.split("#", 1)[0].strip()
            if line.startswith("/"):
                found.append(line)
    return found


def _uncached(subject: Subject) -> tuple[str, str] | None:
    """(library, directory) when the missing library lies in a directory that only ld.so.conf names."""
    for verdict in subject.failed(FailureCode.LIBRARY_MISSING):
        if "/" in verdict.about:
            continue
        for directory in configured_directories(subject):
            if subject.node(f"{directory}/{verdict.about}") is not None:
                return verdict.about, directory
    return None


def _not_cached(rule: Rule, subject: Subject) -> Iterator[Finding]:
    found = _uncached(subject)
    if found is not None:
        name, directory = found
        why = f"{name} lies in {directory}, which ld.so.conf names and /etc/ld.so.cache does not know"
        yield from will_not_start(rule, subject, subject.failed(FailureCode.LIBRARY_MISSING), why=why)


LDCONF_NOT_CACHED = rule(
    "LDCONF-NOT-CACHED",
    "A library directory is configured, and ldconfig never ran",
    "high",
    "strengths",
    "tooling",
    why="""Programs do not read /etc/ld.so.conf: the loader knows /etc/ld.so.cache, which ldconfig makes of it.  A .conf
    file that is copied in without running ldconfig does nothing.""",
    fix="RUN ldconfig after adding the directory",
    codes="W64",
    sources="ld.so(8), ldconfig(8)",
    dockerfile=("RUN ldconfig",),
)(_not_cached)


def _missing_library(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if _uncached(subject) is None:
        verdicts = subject.failed(FailureCode.LIBRARY_MISSING, FailureCode.LIBRARY_MISSING_MUSL)
        yield from will_not_start(rule, subject, verdicts)


MISSING_LIBRARY = rule(
    "MISSING-LIBRARY",
    "A shared library that the program needs is not found",
    "high",
    "strengths",
    "operations",
    why="""The loader looks in RPATH, LD_LIBRARY_PATH, RUNPATH, /etc/ld.so.cache and its built-in directories, in that
    order, and the library is in none of them.  The exit code is 127, and the message comes from the loader.""",
    fix="install the library in the final stage",
    codes="F30, F31",
    sources="ld.so(8)",
)(_missing_library)
UNDEFINED_SYMBOL = _start(
    "UNDEFINED-SYMBOL",
    "The libraries do not fit the program",
    FailureCode.SYMBOL_MISSING,
    why="""All libraries are found, but one is damaged or lacks a symbol that the program uses: they come from different
    builds.""",
    fix="take program and libraries from the same build",
)
NO_SHELL = _start(
    "NO-SHELL-FOR-SHELL-FORM",
    "The shell form needs /bin/sh, and the image has none",
    FailureCode.SHELL_MISSING,
    why="""`CMD app` without brackets becomes `/bin/sh -c app`.  Images from scratch and distroless images have no
    shell.""",
    fix='use the exec form: CMD ["app"]',
    sources="GoogleContainerTools/distroless",
    repair=lambda subject, _: exec_form(command_keyword(subject), plain_command(subject.shell_line or "")),
)


def _shell_line_fails(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if list_in_quotes(subject) is not None:
        return  # JSON-TO-SHELL knows the reason
    yield from will_not_start(rule, subject, subject.failed(FailureCode.SHELL_LINE_FAILS))


SHELL_LINE_FAILS = rule(
    "SHELL-LINE-FAILS",
    "The shell starts and cannot find the command",
    "high",
    "strengths",
    "operations",
    why="""The shell is fine; the line that it was given names a program that the image does not have or that may not be
    executed.  The exit code (127 or 126) is the shell's.""",
    fix="install the program, or write its full path",
    codes=FailureCode.SHELL_LINE_FAILS,
)(_shell_line_fails)


def _wrapper_fails(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if one_argument(subject) is not None:
        return  # SHEBANG-ONE-ARGUMENT knows the reason
    yield from will_not_start(rule, subject, subject.failed(FailureCode.TOOL_FAILS, FailureCode.WRAPPER_FAILS))


WRAPPER_FAILS = rule(
    "WRAPPER-FAILS",
    "env, an init or a user switcher cannot start what it wraps",
    "high",
    "strengths",
    "operations",
    why="""`env`, tini, dumb-init, gosu and su-exec are programs that start another program.  They start, and the
    program behind them is missing or may not be executed; the message is theirs.""",
    fix="install the wrapped program, or correct its path",
    codes="F21, F36",
    sources="krallin/tini, tianon/gosu",
)(_wrapper_fails)
VOLUME_OVER_FILE = _start(
    "VOLUME-OVER-FILE",
    "VOLUME names a file",
    FailureCode.VOLUME_OVER_FILE,
    why="""A volume is a directory.  Docker refuses to create the container: cannot mount volume over existing file.""",
    fix="declare the directory that holds the file",
)
PASSWD_UNUSABLE = _start(
    "PASSWD-UNUSABLE",
    "/etc/passwd or /etc/group cannot be read",
    FailureCode.ETC_UNUSABLE,
    why="""Engines read both to find out who the container runs as.  A directory, a device, a file beyond 10 MiB or
    one endless line is refused.""",
    fix="let both be plain files of some kilobytes",
)

RULES: tuple[Rule, ...] = (
    CRLF_SHEBANG,
    MISSING_LOADER,
    GLIBC_TOO_OLD,
    WRONG_ARCHITECTURE,
    NO_SHEBANG,
    NOT_EXECUTABLE,
    ROOT_ONLY_PROGRAM,
    DIRECTORY_AS_COMMAND,
    PATH_SKIPS_FILE,
    MISSING_INTERPRETER,
    COMMAND_NOT_FOUND,
    COMMAND_MISSING,
    LINK_LOOP,
    EMPTY_COMMAND,
    SHELL_STRING,
    RELATIVE_PATH_HIT,
    LOST_PATH,
    UNKNOWN_USER,
    UNKNOWN_GROUP,
    WORKDIR_BLOCKED,
    PROC_NOT_A_DIRECTORY,
    WORKDIR_IN_PROC,
    NAMELESS_VARIABLE,
    INTERPRETER_BLOCKED,
    SHEBANG_LIMIT,
    SETCAP_BLOCKS_EXEC,
    ARGUMENT_TOO_LONG,
    SCRIPT_UNREADABLE,
    LDCONF_NOT_CACHED,
    MISSING_LIBRARY,
    UNDEFINED_SYMBOL,
    NO_SHELL,
    SHELL_LINE_FAILS,
    WRAPPER_FAILS,
    VOLUME_OVER_FILE,
    PASSWD_UNUSABLE,
)
"""NO_COMMAND is in `intent`; INIT_NOT_FIRST, RUN_AS_NON_ROOT, IDS_UNMAPPED and TOO_MANY_LAYERS need no start."""
