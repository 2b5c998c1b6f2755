"""What ENTRYPOINT, CMD and STOPSIGNAL ask for, and who becomes process 1."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from imagepeel._lazy import late
from imagepeel.evidence import text
from imagepeel.findings.dockerfile_lines import Lines, command_keyword, exec_form, is_plain, plain_command
from imagepeel.findings.finding import Finding
from imagepeel.findings.programs import list_in_quotes, one_argument
from imagepeel.findings.rule import Rule, rule
from imagepeel.formats.shebang import parse_shebang
from imagepeel.history.builders import go_list
from imagepeel.process.engines.pid1 import parse_signal
from imagepeel.process.spec.failure import FailureCode
from imagepeel.process.spec.trace import below
from imagepeel.tables import known_architecture
from imagepeel.text import listed, plural

if TYPE_CHECKING:
    from imagepeel.findings.subject import Subject
    from imagepeel.process.spec.values import PidOne

_SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "zsh"})
_WRAPPERS = frozenset(
    [
        "tini",
        "dumb-init",
        "catatonit",
        "docker-init",
        "env",
        "gosu",
        "su-exec",
        "setpriv",
        "init",
        "s6-svscan",
        "nice",
        "chpst",
        "entrypoint",
    ]
)
_PACKAGE_MANAGERS = {"npm": "npm", "yarn": "Yarn", "pnpm": "pnpm", "npx": "npx", "mvn": "Maven", "gradle": "Gradle"}
_MACHINES = {
    "systemd": "an init system",
    "cron": "a scheduler",
    "crond": "a scheduler",
    "sshd": "a login server",
    "supervisord": "a process supervisor",
}
_VARIABLE = late(r"\$(?:[A-Za-z_]\w*|\{[A-Za-z_]\w*\})")


def _base(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def _interpreted(subject: Subject) -> tuple[str, str] | None:
    """(path, interpreter) when the first program is a script that starts."""
    start = subject.prediction() if subject.starts else None
    if start is None or start.path is None or start.verdict.kind == "FAILS":
        return None
    path = below(start.cwd, start.path)
    shebang = parse_shebang(subject.read(path, 256))
    return (path, text(shebang.interpreter)) if shebang is not None and shebang.ok else None


@rule(
    "START-NOT-JUDGED",
    "A start on the platform of the image is not judged here",
    "info",
    "strengths",
    "deployments",
    why="""What is known here is how Linux starts a process, on the architectures of its common machines.  For Windows,
    for WebAssembly and for other machines no rule about a start, a user or a path was asked, and that none of them
    found anything means nothing.""",
    fix="start it once on a machine of its platform before it is delivered",
    sources="image-spec config.md os and architecture",
    decides="where it is tried",
)
def start_not_judged(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if not subject.paperwork:
        return
    architecture = subject.image.architecture
    if reason := subject.foreign:
        yield rule.report(f"{reason}, and rules about a start were not asked", subject.pointer("/os"))
    elif architecture and known_architecture(architecture) is None:
        reason = f"no rules are known for the architecture {architecture!r}, and nobody can say whether it starts"
        yield rule.report(reason, subject.pointer("/architecture"))


@rule(
    "NO-COMMAND",
    "The image does not say what to run",
    "medium",
    "strengths",
    "deployments",
    why="""Neither Entrypoint nor Cmd is set, so `docker run IMAGE` is refused: no command specified.  Fine for a base
    image that others build on or for data; a surprise for everybody who expects a program.""",
    fix="set ENTRYPOINT or CMD, or say in the documentation that the image is not meant to be run",
    codes="F9",
    decides="which program the image starts, or that it is a base or data and starts none",
)
def no_command(rule: Rule, subject: Subject) -> Iterator[Finding]:
    verdicts = subject.failed(FailureCode.NO_COMMAND)
    if verdicts:
        yield rule.report(
            f"`docker run` without a command is refused: {verdicts[0].message}",
            subject.pointer("/config"),
            profiles=tuple(verdict.engine for verdict in verdicts),
            details=[verdicts[0].text],
        )


def _deaf_shell(pid1: PidOne) -> bool:
    """Whether a shell is proved to stay process 1 and not to hear the stop signal."""
    return pid1.exact and pid1.kind == "shell" and pid1.hears_sigterm == "no"


@rule(
    "SHELL-PID1",
    "A shell stays process 1 and swallows the stop signal",
    "medium",
    "strengths",
    "operations",
    why="""The shell form starts `/bin/sh -c`.  Whether that shell replaces itself by the program depends on which shell
    the base image has: bash and busybox often do, dash does not.  A shell that stays is process 1, does not pass
    SIGTERM on, and every stop takes the full grace period and ends in SIGKILL.""",
    fix="use the exec form, or put exec in front of the last command",
    codes="W10",
    sources="docker/cli#3198, docker/docs#25842",
)
def shell_pid1(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if subject.shell_line is None or not subject.starts:
        return
    start = subject.prediction()
    pid1 = start.pid1
    if pid1 is None or pid1.stop is None or not _deaf_shell(pid1):
        return
    if start.verdict.kind in ("FAILS", "UNKNOWN"):
        return
    yield rule.report(
        f"{pid1.path or pid1.argv[0]} stays process 1 of `sh -c {subject.shell_line}`: {pid1.stop.sentence()}",
        subject.command_place(),
        *([subject.place(pid1.path)] if pid1.path else []),
        fix=pid1.fix,
        dockerfile=exec_form(command_keyword(subject), plain_command(subject.shell_line)),
        details=[pid1.why],
    )


@rule(
    "ENDS-AT-ONCE",
    "Process 1 goes into the background, and the container ends at once with 0",
    "medium",
    "strengths",
    "operations",
    why="""A container lives as long as its process 1.  Servers that were made for init systems fork and let their first
    process end: exit code 0, no error anywhere, and an orchestrator that starts it again and again.""",
    fix="keep the server in the foreground",
    sources="nginx core module daemon, httpd(8) -DFOREGROUND, sshd(8) -D, cron(8) -f",
)
def ends_at_once(rule: Rule, subject: Subject) -> Iterator[Finding]:
    start = subject.prediction() if subject.starts else None
    if start is None or start.pid1 is None or not start.pid1.ends_at_once or start.verdict.kind == "FAILS":
        return
    one = start.pid1
    yield rule.report(
        f"`{' '.join(one.argv)}`: {one.why}",
        subject.command_place(),
        *([subject.place(one.path)] if one.path and subject.node(one.path) is not None else []),
        fix=one.fix or rule.fix,
    )


@rule(
    "SCRIPT-WITHOUT-EXEC",
    "The entrypoint script starts the program as a child",
    "medium",
    "strengths",
    "operations",
    why="""No shell replaces itself at the end of a script file.  Without `exec` the script stays process 1, the program
    is its child and never hears SIGTERM: every stop takes the full grace period.""",
    fix='end the script with exec, as in: exec "$@"',
    codes="W11",
    sources="oracle/docker-images#330, sigp/lighthouse#5",
)
def script_without_exec(rule: Rule, subject: Subject) -> Iterator[Finding]:
    script = _interpreted(subject)
    if script is None:
        return
    start = subject.prediction()
    pid1 = start.pid1
    if pid1 is None or pid1.stop is None or not _deaf_shell(pid1):
        return
    path, interpreter = script
    yield rule.report(
        f"{path} ends without exec: {interpreter} stays process 1, and {pid1.stop.sentence()}",
        (subject.place(path), "file"),
        fix=pid1.fix,
        details=[pid1.why],
    )


@rule(
    "PACKAGE-MANAGER-PID1",
    "A package manager is process 1",
    "medium",
    "strengths",
    "operations",
    why="""npm, yarn and Maven start a shell that starts the program.  They are no init: the stop signal ends up with
    them, orphans are not reaped, and the program is killed without a chance to finish.""",
    fix='start the program itself: CMD ["node", "server.js"]',
    codes="W12",
    sources="nodejs/docker-node#323, npm/npm#4603",
)
def package_manager(rule: Rule, subject: Subject) -> Iterator[Finding]:
    words = (subject.shell_line or "").split() if subject.shell_line is not None else list(subject.argv)
    while len(words) > 1 and (_base(words[0]) in {"exec", "env"} or "=" in words[0]):
        words = words[1:]
    name = _PACKAGE_MANAGERS.get(_base(words[0])) if words else None
    if name:
        shown = " ".join(words[:4]) + (" ..." if len(words) > 4 else "")
        first = subject.prediction().pid1 if subject.starts else None
        kept = first is not None and first.argv and _base(first.argv[0]) in _SHELLS
        who = "the shell, which stays process 1, starts" if kept else "process 1 is"
        yield rule.report(f"{who} {name}: `{shown}`", subject.command_place())


@rule(
    "NOT-EXPANDED",
    "The exec form is not expanded",
    "medium",
    "strengths",
    "deployments",
    why="""In `CMD ["app", "$PORT"]` the program gets the five characters $PORT.  Variables, ~ and * are the work of a
    shell, and the exec form has none.""",
    fix='let a shell do it: CMD ["sh", "-c", "exec app \\"$PORT\\""], or read the variable in the program',
    codes="W13",
    sources="moby#4783, moby#22595",
)
def not_expanded(rule: Rule, subject: Subject) -> Iterator[Finding]:
    argv = subject.argv
    if not argv or subject.shell_line is not None or "-c" in argv or "-e" in argv or _interpreted(subject) is not None:
        return
    literal = [word for word in argv if ("$" in word and _VARIABLE.search(word)) or word.startswith("~/")]
    if literal:
        yield rule.report(
            f"the program receives {listed([repr(word) for word in literal])} literally: nothing expands the exec form",
            subject.command_place(),
            dockerfile=_by_a_shell(subject),
        )


def _by_a_shell(subject: Subject) -> Lines:
    """The same words for a shell, which expands their variables."""
    keyword = command_keyword(subject)
    if any(not is_plain(_VARIABLE.sub("", word) or "x") for word in subject.argv) or subject.node("/bin/sh") is None:
        return ()
    words = [f'"{word}"' if "$" in word else word for word in subject.argv]
    return exec_form(keyword, ["/bin/sh", "-c", " ".join(["exec", *words])])


@rule(
    "JSON-TO-SHELL",
    "A list in single quotes became a shell line",
    "high",
    "strengths",
    "deployments",
    why="""`CMD ['app', '-x']` is no JSON, because JSON strings have double quotes.  The builder takes the whole line
    for the shell form, and the shell looks for a command called `[app,`.""",
    fix='use double quotes: CMD ["app", "-x"]',
    codes="W14",
    lesser={"where the shell is not proved to fail": "medium"},
)
def json_to_shell(rule: Rule, subject: Subject) -> Iterator[Finding]:
    line = list_in_quotes(subject)
    if line is not None:
        words = go_list(line.strip().replace("'", '"'))
        verdicts = subject.failed(FailureCode.SHELL_LINE_FAILS)
        yield rule.report(
            f"the shell is given `{line}`: a list in single quotes is no JSON"
            + (f", and it will not start ({verdicts[0].message.splitlines()[0]})" if verdicts else ""),
            subject.command_place(),
            severity="" if verdicts else "medium",
            profiles=tuple(verdict.engine for verdict in verdicts),
            dockerfile=exec_form(command_keyword(subject), words or ()),
        )


@rule(
    "CMD-UNREAD",
    "ENTRYPOINT in shell form never reads CMD",
    "medium",
    "strengths",
    "deployments",
    why="""With a shell-form ENTRYPOINT the words of CMD become $0, $1 and so on of that shell, and a line that does not
    mention them throws them away.  Arguments of `docker run` are lost in the same way.""",
    fix='use the exec form for ENTRYPOINT, or end its line with "$@"',
    codes="W16",
    sources="docker/docs#14233, moby#3751, moby#10084",
)
def cmd_unread(rule: Rule, subject: Subject) -> Iterator[Finding]:
    entrypoint, cmd = subject.run.entrypoint or (), subject.run.cmd or ()
    if len(entrypoint) != 3 or entrypoint[1] != "-c" or _base(entrypoint[0]) not in _SHELLS or not cmd:
        return
    if not re.search(r"\$(?:[@*0-9]|\{[@*0-9])", entrypoint[2]):
        words = listed([repr(word) for word in cmd])
        yield rule.report(
            f"CMD {words} becomes $0 and up of `{entrypoint[2]}`, which never reads them",
            subject.pointer("/config/Cmd"),
            subject.pointer("/config/Entrypoint"),
            dockerfile=exec_form("ENTRYPOINT", plain_command(entrypoint[2])),
        )


@rule(
    "CMD-WITH-SHELL-WORDS",
    "ENTRYPOINT receives `/bin/sh -c` as its arguments",
    "medium",
    "strengths",
    "deployments",
    why="""CMD in shell form is the list `/bin/sh`, `-c`, `line`.  Behind an ENTRYPOINT that is the program itself,
    these three words are its arguments.""",
    fix="use the exec form for CMD as well",
    codes="W17",
    sources="moby#10084",
)
def cmd_shell_words(rule: Rule, subject: Subject) -> Iterator[Finding]:
    entrypoint, cmd = subject.run.entrypoint or (), subject.run.cmd or ()
    if not entrypoint or len(cmd) != 3 or cmd[:2] != ("/bin/sh", "-c"):
        return
    if any(_base(word) in _SHELLS or _base(word) in _WRAPPERS for word in entrypoint) or "--" in entrypoint:
        return
    if not subject.starts or _interpreted(subject) is not None or subject.prediction().path is None:
        return
    yield rule.report(
        f"{entrypoint[0]} is started with the arguments '/bin/sh', '-c' and {cmd[2]!r}",
        subject.pointer("/config/Cmd"),
        subject.pointer("/config/Entrypoint"),
        dockerfile=exec_form("CMD", plain_command(cmd[2])),
    )


@rule(
    "INHERITED-ENTRYPOINT",
    "The base image's ENTRYPOINT wraps this image's CMD",
    "info",
    "friends",
    "tooling",
    why="""ENTRYPOINT and CMD are inherited one by one.  History shows that ENTRYPOINT was set before layers were added
    and CMD after them: the script of the base image decides what becomes of the command.""",
    fix="set ENTRYPOINT too (ENTRYPOINT [] clears it), or read the script of the base image",
    codes="W18",
    decides="whether the entrypoint of the base image shall start this image's command",
)
def inherited_entrypoint(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if not subject.run.entrypoint or not subject.run.cmd:
        return
    steps = subject.instructions
    entry = max((i for i, step in enumerate(steps) if step.keyword == "ENTRYPOINT"), default=None)
    cmd = max((i for i, step in enumerate(steps) if step.keyword == "CMD"), default=None)
    if entry is None or cmd is None:
        return
    between = [step for step in steps[entry + 1 : cmd] if not step.empty]
    if between:
        yield rule.report(
            f"ENTRYPOINT {' '.join(subject.run.entrypoint)} is older than {plural(len(between), 'layer')}, "
            f"CMD {' '.join(subject.run.cmd)} is newer",
            subject.pointer(f"/history/{entry}", entry),
            subject.pointer(f"/history/{cmd}", cmd),
        )


@rule(
    "INIT-INSIDE",
    "The image brings its own init",
    "low",
    "strengths",
    "operations",
    why="""tini or dumb-init as the first word is good: signals arrive and orphans are reaped.  With `docker run --init`
    there are two.  s6-overlay must be process 1 itself and ends with an error under --init and in pods that share
    their process namespace.""",
    fix="start it without --init",
    codes="W63, F37",
    decides="which of the two inits stays: the image's own, or the one of the engine",
    sources="just-containers/s6-overlay#634",
)
def init_inside(rule: Rule, subject: Subject) -> Iterator[Finding]:
    argv = subject.argv
    if not any(start.verdict.id is None for start in subject.starts):
        return  # no init is process 1 of a container that does not start
    first = _base(argv[0])
    if argv[0] == "/init" and (subject.node("/etc/s6-overlay") or subject.node("/package/admin/s6-overlay")):
        yield rule.report(
            "s6-overlay's /init must be process 1: with --init it stops with `can only run as pid 1`",
            subject.command_place(),
        )
    elif first in ("tini", "dumb-init", "catatonit"):
        yield rule.report(
            f"{argv[0]} is process 1 already: --init adds a second init", subject.command_place(), severity="info"
        )


@rule(
    "MACHINE-IN-DISGUISE",
    "A service of a whole machine is process 1",
    "low",
    "strengths",
    "kernel",
    why="""systemd, cron, sshd and supervisord manage other processes.  The engine sees one process that never fails,
    logs stay inside, and systemd also needs cgroups, tmpfs mounts and another stop signal.""",
    fix="one service in one container, or podman with its systemd mode",
    codes="W71",
    decides="which services get a container of their own, or that this container is a machine",
)
def machine(rule: Rule, subject: Subject) -> Iterator[Finding]:
    words = (subject.shell_line or "").split() if subject.shell_line is not None else list(subject.argv)
    while words and _base(words[0]) in {"exec", "tini", "dumb-init", "--", "-g"}:
        words = words[1:]
    if not words:
        return
    name = _base(words[0])
    if words[0] in ("/sbin/init", "/usr/sbin/init"):
        name = "systemd" if subject.node("/lib/systemd/systemd") or subject.node("/usr/lib/systemd/systemd") else ""
    if name in _MACHINES:
        yield rule.report(f"process 1 is {name}, {_MACHINES[name]}", subject.command_place())


@rule(
    "BAD-STOPSIGNAL",
    "STOPSIGNAL is no signal",
    "medium",
    "strengths",
    "operations",
    why="""Docker silently sends SIGTERM instead, podman refuses to create the container, and Kubernetes cannot stop the
    pod in an orderly way.""",
    fix="write a name such as SIGTERM or SIGQUIT, or its number",
    codes="W62",
    sources="moby/sys signal, signal(7)",
    dockerfile=("STOPSIGNAL SIGTERM",),
)
def bad_stop_signal(rule: Rule, subject: Subject) -> Iterator[Finding]:
    given = subject.run.stop_signal
    if given and parse_signal(given) is None:
        yield rule.report(
            f"StopSignal {given!r} is no signal: Docker sends SIGTERM, podman refuses, Kubernetes cannot stop it",
            subject.pointer("/config/StopSignal"),
        )


@rule(
    "ONBUILD",
    "The image runs commands in other people's builds",
    "low",
    "friends",
    "tooling",
    why="""ONBUILD instructions lie dormant here and run in every build that starts FROM this image, before its own
    first instruction.  The OCI format has no such field: a conversion loses them.""",
    fix="write a multi-stage template instead, or tell users of the image",
    codes="W72",
    decides="whether images that are built on this one still need these instructions",
    sources="moby#14834",
)
def onbuild(rule: Rule, subject: Subject) -> Iterator[Finding]:
    lines = subject.run.on_build
    if lines:
        yield rule.report(
            f"a build FROM this image first runs {listed([f'`{line}`' for line in lines], 3)}",
            subject.pointer("/config/OnBuild"),
        )


@rule(
    "SHEBANG-ONE-ARGUMENT",
    "Everything behind the interpreter is one argument",
    "high",
    "strengths",
    "operations",
    why="""`#!/usr/bin/env python -u` works on some systems; Linux hands "python -u" to env as one word, and env looks
    for a program with a space in its name.""",
    fix="use `env -S`, where the image's env knows it, or name the interpreter's path",
    codes="W9",
    sources="execve(2), env(1)",
)
def shebang_one_argument(rule: Rule, subject: Subject) -> Iterator[Finding]:
    argument = one_argument(subject)
    verdicts = subject.failed(FailureCode.TOOL_FAILS)
    if argument is None or not verdicts:
        return
    yield rule.report(
        f"env looks for a program called {argument!r}: Linux passes all of `{argument}` as one argument",
        (subject.place(subject.prediction().path or b"/"), "file"),
        profiles=tuple(verdict.engine for verdict in verdicts),
        details=[verdicts[0].text],
    )


RULES: tuple[Rule, ...] = (
    start_not_judged,
    no_command,
    shell_pid1,
    ends_at_once,
    script_without_exec,
    package_manager,
    not_expanded,
    json_to_shell,
    cmd_unread,
    cmd_shell_words,
    inherited_entrypoint,
    init_inside,
    machine,
    bad_stop_signal,
    onbuild,
    shebang_one_argument,
)
