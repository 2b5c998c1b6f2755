"""Which process a shell finally becomes: its text is walked, not run.

A shell either replaces itself (`exec`, or the tail call that some shells make for the last command of `-c`), or it
stays and the last command is its child.  `classify` follows the text with what is known (arguments, environment,
user); where a condition cannot be decided both ways are followed, and only if they end alike is the end stated.
Measured shells: dash 0.5.12 (Debian), bash 5.2, busybox 1.35 ash.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from imagepeel.errors import Malformed
from imagepeel.formats.shell.parser import parse_shell
from imagepeel.process.shell.image import ShellImage
from imagepeel.process.shell.interpreters import Shell, ShellMode, default_path
from imagepeel.process.shell.scope import BASH_UNTOLD, UNKNOWN, Scope, Value, WalkLimitExceeded
from imagepeel.process.shell.script_outcome import ScriptOutcome
from imagepeel.process.shell.state import State
from imagepeel.process.shell.substitutions import substitution
from imagepeel.process.shell.walk import Walk
from imagepeel.process.shell.words import Speaker

SHELLS: tuple[Shell, ...] = ("dash", "bash", "busybox")

__all__ = ["SHELLS", "ScriptOutcome", "classify"]


def classify(
    text: str,
    *,
    shell: str,
    mode: ShellMode,
    args: Sequence[str] = (),
    env: Mapping[str, Value] | None = None,
    uid: int | None = None,
    image: ShellImage | None = None,
    changed: int = 0,
    umask: int = 0o022,
    options: frozenset[str] = frozenset(),
    posix: bool = False,
    startup: Sequence[str] = (),
) -> ScriptOutcome:
    """Tell what becomes of a shell that runs `text`.

    `shell` is "dash", "bash" or "busybox", anything else is unknown; `mode` "command" (`-c`) or "script".
    `args` are `$0`, `$1`...; `env` the environment that the shell starts with, as far as it is known; `uid` its user;
    `image` answers what the shell finds there.  `options` were set on its command line (`e`, `f`, `pipefail`).
    `changed` tells what programs before have made (`State.changed`), `umask` is the mask that the shell starts with.
    `posix` is bash's POSIX mode.  `startup` are the files that the shell reads first, where they are there.
    Raises ValueError for an unknown mode.
    """
    if mode not in ("command", "script"):
        raise ValueError(f"unknown mode {mode!r}")
    if shell not in SHELLS:
        return ScriptOutcome(kind="unknown", complete=False, why="the shell is none whose habits were measured")
    try:
        script = parse_shell(text)
    except Malformed as error:
        return ScriptOutcome(kind="unknown", complete=False, why=str(error))
    variables: dict[str, Value] = {}
    for name, value in (env or {}).items():
        variables[name] = value
    scope = Scope(variables, tuple(args[1:]), args[0] if args else "", uid)
    if shell == "bash" and uid is not None:
        variables["UID"] = variables["EUID"] = str(uid)
    if shell == "bash":
        for name in BASH_UNTOLD:
            variables.setdefault(name, UNKNOWN)
        scope.source = scope.arg0 if mode == "script" else ""
    state = State(scope)
    state.exported = set(env or {})
    state.changed, state.exact, scope.umask = changed, not changed, umask
    state.tampered = changed > 1
    variables["OPTIND"] = "1"
    state.errexit = scope.errexit = "e" in options
    state.pipefail = "pipefail" in options
    if state.pipefail and shell == "dash":
        if scope.args:
            return ScriptOutcome(kind="unknown", complete=False, why="dash has no option pipefail")
        state.fail(2, f"{scope.arg0}: 0: Illegal option -o pipefail")
        why = "dash has no option pipefail"
        return ScriptOutcome(kind="ends", why=why, exit_code=2, said=state.said)
    scope.noglob, scope.nounset, scope.shell = "f" in options, "u" in options, shell
    if "PATH" not in variables:
        variables["PATH"] = default_path(shell)
    if shell != "bash":
        variables.setdefault("PS1", UNKNOWN)
    scope.substitute = substitution
    if image is not None:
        scope.which = lambda name, path: None if name in Walk.builtins(shell) else image.finds(name, path)
        state.ask(image)
    speaker = Speaker(shell=shell, arg0=scope.arg0, script=mode == "script", posix=posix and shell == "bash")
    walk = Walk(text, speaker, image)
    try:
        return walk.judge(walk.top(script, state, startup), env or {})
    except WalkLimitExceeded as reason:
        return ScriptOutcome(kind="unknown", complete=False, why=str(reason))
    except RecursionError:
        return ScriptOutcome(kind="unknown", complete=False, why="the script is nested too deeply")
