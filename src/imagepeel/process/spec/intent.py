"""S1 and S2: what the image and the caller want to run, before anybody looks at a file."""

from __future__ import annotations

from typing import Any

import msgspec

from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.profiles import Engine


class ProcessSpec(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The fields of an image config that decide the process, null and absent made equal."""

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    user: str = ""
    working_dir: str = ""
    labels: dict[str, str] = {}
    volumes: tuple[str, ...] = ()
    exposed_ports: tuple[str, ...] = ()
    stop_signal: str = ""
    stop_timeout: int | None = None
    healthcheck: tuple[str, ...] = ()
    shell: tuple[str, ...] = ()
    architecture: str = ""
    os: str = "linux"
    variant: str = ""


class Argv(msgspec.Struct, frozen=True, kw_only=True):
    """The final vector and how it came to be; `notes` are surprises, `origin` one word per element."""

    argv: tuple[str, ...]
    entrypoint: tuple[str, ...]
    cmd: tuple[str, ...]
    how: str
    origin: tuple[str, ...]
    notes: tuple[str, ...]


def _words(value: Any) -> tuple[str, ...]:
    if not value:
        return ()
    if isinstance(value, str):  # a bare string where a list belongs: jsonmessage decoders of Go refuse or wrap it
        return (value,)
    return tuple(str(word) for word in value)


def _keys(value: Any) -> tuple[str, ...]:
    return tuple(sorted(str(key) for key in value)) if value else ()


def read_config(config: Any) -> ProcessSpec:
    """The wanted process of an image config value: anything with the attributes of `oci.config.ImageConfig`.

    None (a bare rootfs without paperwork) is an empty config.
    """
    if config is None:
        return ProcessSpec()
    if isinstance(config, ProcessSpec):
        return config
    inner = getattr(config, "config", None) or config

    def pick(name: str, default: Any = None) -> Any:
        value = getattr(inner, name, None)
        return default if value is None else value

    health = pick("healthcheck")
    test = getattr(health, "test", None) if health is not None else None
    if isinstance(health, dict):
        test = health.get("Test")
    labels = pick("labels") or {}
    return ProcessSpec(
        entrypoint=_words(pick("entrypoint")),
        cmd=_words(pick("cmd")),
        env=_words(pick("env")),
        user=str(pick("user", "")),
        working_dir=str(pick("working_dir", "")),
        labels={str(key): str(labels[key]) for key in labels},
        volumes=_keys(pick("volumes")),
        exposed_ports=_keys(pick("exposed_ports")),
        stop_signal=str(pick("stop_signal", "")),
        stop_timeout=pick("stop_timeout"),
        healthcheck=_words(test),
        shell=_words(pick("shell")),
        architecture=str(getattr(config, "architecture", "") or ""),
        os=str(getattr(config, "os", "") or "linux"),
        variant=str(getattr(config, "variant", "") or ""),
    )


SHELLS = frozenset({"sh", "bash", "ash", "dash", "zsh", "ksh", "mksh", "busybox"})
_BUILTINS = frozenset(
    {"source", ".", "cd", "export", "alias", "set", "exec", "eval", "ulimit", "umask", "wait", "trap"}
)


def is_shell_form(words: tuple[str, ...]) -> bool:
    """Whether the vector looks like a shell form that the builder wrapped: `["/bin/sh", "-c", "..."]`."""
    return len(words) >= 3 and words[0].rsplit("/", 1)[-1] in SHELLS and words[1] in {"-c", "-ec", "-lc", "-ce", "-cl"}


def merge(wanted: ProcessSpec, options: ProcessOptions, engine: Engine) -> Argv:
    """S2: entrypoint followed by cmd, with the engine's rules for overrides.

    An entrypoint of the caller discards the image's Cmd everywhere; on Kubernetes `command` replaces Entrypoint
    and Cmd, `args` only Cmd.  `[""]` as Entrypoint means none, but not
    for the containerd library (ctr), whose arguments also replace Entrypoint.
    """
    entrypoint, cmd = wanted.entrypoint, wanted.cmd
    notes: list[str] = []
    library = engine.family == "containerd"
    cleared = entrypoint == ("",) and not library
    given = options.args or None  # an empty list is no list: every engine takes Cmd then
    if cleared:
        entrypoint = ()
        notes.append('Entrypoint [""] counts as no entrypoint')
    names = ("command", "args") if engine.family == "k8s" else ("--entrypoint", "the arguments")
    how = "Entrypoint followed by Cmd"
    if options.entrypoint is not None:
        if cmd and given is None:
            notes.append(f"{names[0]} discards the image's Cmd {list(cmd)}")
        entrypoint = () if options.entrypoint == ("",) else options.entrypoint
        cmd = given or ()
        how = f"{names[0]} replaces Entrypoint and discards Cmd"
    elif given is not None and library:
        entrypoint, cmd = (), given
        how = "the arguments, which replace Entrypoint and Cmd (ctr)"
    elif given is not None:
        cmd = given
        how = f"Entrypoint followed by {names[1]}, which replace Cmd"
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
    notes.extend(_surprises(entrypoint, cmd, options, cleared))
    return Argv(argv=argv, entrypoint=entrypoint, cmd=cmd, how=how, origin=origin, notes=tuple(notes))


def _surprises(entrypoint: tuple[str, ...], cmd: tuple[str, ...], options: ProcessOptions, cleared: bool) -> list[str]:
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
