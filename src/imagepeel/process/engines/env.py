"""The environment, in order, with the origin of each variable."""

from __future__ import annotations

import msgspec

from imagepeel.process.engines.engine import Engine
from imagepeel.process.engines.runtime import Home, Runtime
from imagepeel.process.engines.variables import ImageVariables, Variable
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.process_spec import DEFAULT_PATH, ProcessSpec
from imagepeel.process.spec.values import EnvVar


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """The process environment before HOME is filled in, with what was odd.

    `entries` is the list an engine writes into `process.env` (raw strings), `problem` the first entry that has no
    name or no `=`, `depends` the fact of the host that decides a value.
    """

    variables: tuple[EnvVar, ...]
    entries: tuple[str, ...]
    notes: tuple[str, ...]
    problem: str = ""
    depends: str = ""


def build(
    wanted: ProcessSpec,
    options: ProcessOptions,
    engine: Engine,
    runtime: Runtime,
    *,
    hostname: str,
    known: ImageVariables,
) -> Environment:
    """The environment an engine hands to the runtime.

    `hostname` is the value of HOSTNAME where the engine sets it, `known` what is kept of the image.  HOME is not here:
    see `with_home`.
    """
    notes: list[str] = []
    image = [
        Variable(text=entry, origin="image", of_image=variable)
        for entry, variable in zip(wanted.env, known[wanted.env], strict=True)
    ]
    given = [Variable(text=entry, origin="user", why="an option of this call") for entry in options.env]
    own = _own(engine, options, hostname, empty=not image)
    items = engine.merge_environment(own, image, given, notes)
    if engine.path_default == "if-env-empty" and image and not any(item.text.startswith("PATH=") for item in items):
        notes.append("Env is not empty and holds no PATH: this engine adds none, bare names are not found")
    malformed = (item.text for item in items if item.text and (not item.name or "=" not in item.text))
    return Environment(
        variables=_dedupe(items, notes, runtime),
        entries=tuple(item.text for item in items),
        notes=tuple(notes),
        problem=next(malformed, ""),
        depends=engine.environment_of_host(wanted.env),
    )


def _own(engine: Engine, options: ProcessOptions, hostname: str, *, empty: bool) -> list[Variable]:
    """What the engine sets by itself; `empty`: the image sets nothing."""
    found: list[Variable] = []
    if engine.path_default == "always":
        found.append(Variable(text=f"PATH={DEFAULT_PATH}", origin="engine", why="no PATH in the config: the default"))
    elif empty and engine.path_default == "if-env-empty":
        found.append(Variable(text=f"PATH={DEFAULT_PATH}", origin="engine", why="Env is empty: the default PATH"))
    for entry in engine.env:
        if entry == "HOSTNAME":
            text, why = f"HOSTNAME={hostname}", "the container's host name"
        else:
            text, why = entry, "the engine's mark"
        found.append(Variable(text=text, origin="engine", why=why))
    if (options.tty and engine.tty_env) or engine.term_always:
        why = "a terminal is attached" if options.tty else "always"
        found.append(Variable(text="TERM=xterm", origin="engine", why=why))
    return found


def _dedupe(items: list[Variable], notes: list[str], runtime: Runtime) -> tuple[EnvVar, ...]:
    """Of a repeated name the last value counts, in the place of the first."""
    found: dict[str, EnvVar] = {}
    for item in items:
        name = item.name
        if len(name) == len(item.text):  # one runtime refuses it, in the other putenv() removes the name
            found.pop(name, None)
            continue
        if name in found:
            notes.append(f"{name} is set more than once: the last one counts")
        if not name and runtime.drops_nameless:
            continue
        if item.of_image is None:
            value = item.text[len(name) + 1 :]
            made = EnvVar(name=name, value=value, origin=item.origin, why=item.why, overrides=item.overrides)
        elif item.overrides:
            made = msgspec.structs.replace(item.of_image, overrides=item.overrides)
        else:
            made = item.of_image
        found[made.name] = made
    return tuple(found.values())


def with_home(variables: tuple[EnvVar, ...], engine: Engine, runtime: Runtime, home: Home) -> tuple[EnvVar, ...]:
    """The variables with HOME, which is set only where it is absent, or empty and the runtime fills it in."""
    present = next((variable for variable in variables if variable.name == "HOME"), None)
    if home.value is None or (present is not None and (present.value or not runtime.fills_empty_home)):
        return variables
    kept = tuple(variable for variable in variables if variable.name != "HOME")
    overrides = (present.origin,) if present is not None else ()
    return (*kept, EnvVar(name="HOME", value=home.value, origin=engine.home, why=home.why, overrides=overrides))
