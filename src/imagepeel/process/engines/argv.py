"""Entrypoint and Cmd become one vector, by the rules of an engine."""

from __future__ import annotations

import msgspec

from imagepeel.process.engines.engine import Engine
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.process_spec import SHELLS, ProcessSpec, is_shell_form

_BUILTINS = frozenset(
    {"source", ".", "cd", "export", "alias", "set", "exec", "eval", "ulimit", "umask", "wait", "trap"}
)


class Argv(msgspec.Struct, frozen=True, kw_only=True):
    """The final vector and how it came to be; `notes` are surprises, `origin` one word per element."""

    argv: tuple[str, ...]
    entrypoint: tuple[str, ...]
    cmd: tuple[str, ...]
    how: str
    origin: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def by_init(self) -> bool:
        """The engine's own init stands in front."""
        return self.origin[:1] == ("init",)


def merge(wanted: ProcessSpec, options: ProcessOptions, engine: Engine) -> Argv:
    """Entrypoint followed by Cmd, with the engine's rules for overrides.

    An entrypoint of the caller discards the image's Cmd everywhere.  `[""]` as Entrypoint means none, but not for an
    engine whose arguments replace Entrypoint and Cmd together.
    """
    entrypoint, cmd = wanted.entrypoint, wanted.cmd
    notes: list[str] = []
    cleared = entrypoint == ("",) and not engine.arguments_replace_all
    given = options.args or None  # an empty list is no list: every engine takes Cmd then
    if cleared:
        entrypoint = ()
        notes.append('Entrypoint [""] counts as no entrypoint')
    entrypoint_option, arguments_option = engine.option_names
    how = "Entrypoint followed by Cmd"
    if options.entrypoint is not None:
        if cmd and given is None:
            notes.append(f"{entrypoint_option} discards the image's Cmd {list(cmd)}")
        entrypoint = () if options.entrypoint == ("",) else options.entrypoint
        cmd = given or ()
        how = f"{entrypoint_option} replaces Entrypoint and discards Cmd"
    elif given is not None and engine.arguments_replace_all:
        entrypoint, cmd = (), given
        how = engine.arguments_replace_all
    elif given is not None:
        cmd = given
        how = f"Entrypoint followed by {arguments_option}, which replace Cmd"
    elif entrypoint and not cmd:
        how = "Entrypoint alone; there is no Cmd"
    elif cmd and not entrypoint:
        how = "Cmd alone; there is no Entrypoint"
    argv = (*entrypoint, *cmd)
    origin = ("entrypoint",) * len(entrypoint) + ("cmd",) * len(cmd)
    if options.init and argv and engine.init_argv:
        argv = (*engine.init_argv, *argv)
        origin = ("init",) * len(engine.init_argv) + origin
        notes.append(f"--init puts {engine.init_argv[0]} in front; the engine brings that file")
    if options.init and not engine.init_argv:
        notes.append("this engine has no init of its own: --init changes nothing")
    notes.extend(_surprises(entrypoint, cmd))
    return Argv(argv=argv, entrypoint=entrypoint, cmd=cmd, how=how, origin=origin, notes=tuple(notes))


def _surprises(entrypoint: tuple[str, ...], cmd: tuple[str, ...]) -> list[str]:
    notes: list[str] = []
    if is_shell_form(entrypoint) and len(entrypoint) == 3 and cmd:
        notes.append("Entrypoint is in shell form: Cmd is not ignored, it becomes $0, $1, ... of the script")
    if entrypoint and not is_shell_form(entrypoint) and is_shell_form(cmd):
        notes.append(f"Cmd is in shell form: {entrypoint[0]} receives {cmd[0]} {cmd[1]} ... as arguments")
    first = entrypoint or cmd
    if is_shell_form(first) and first[2].lstrip().startswith("["):
        notes.append("the shell script starts with [: a JSON list with single quotes became shell form")
    if first and not is_shell_form(first):
        word = first[0]
        if any(char in word for char in " \t"):
            notes.append("the first word holds a blank: in exec form it is one file name, not a command line")
        if word in _BUILTINS:
            notes.append(f"{word} is a word of the shell, not a file")
        loose = [part for part in (*entrypoint, *cmd) if "$" in part or part.startswith("~")]
        if loose and not any(part.rsplit("/", 1)[-1] in SHELLS for part in (*entrypoint, *cmd)):
            notes.append(f"nobody expands {loose[0]}: no shell takes part in exec form")
    return notes
