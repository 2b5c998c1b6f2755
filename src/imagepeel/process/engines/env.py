"""The environment, in order, with the origin of each variable."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import msgspec

from imagepeel.process.engines.engine import Engine
from imagepeel.process.engines.runtime import Home, Runtime
from imagepeel.process.engines.variables import Variable, Variables
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.process_spec import DEFAULT_PATH, ProcessSpec
from imagepeel.process.spec.trace import config_place
from imagepeel.process.spec.values import EnvVar


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """The process environment before HOME is filled in, with what was odd.

    `entries` is the list an engine writes into `process.env` (raw strings), `problem` the first entry that has no
    name or no `=`, `depends` the fact of the host that decides a value.
    """

    variables: Variables
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
) -> Environment:
    """The environment an engine hands to the runtime.

    `hostname` is the value of HOSTNAME where the engine sets it.  HOME is not here: see `with_home`.
    """
    notes: list[str] = []
    image = [Variable(text=entry, origin="image", index=index) for index, entry in enumerate(wanted.env)]
    given = [Variable(text=entry, origin="user", why="an option of this call") for entry in options.env]
    own = _own(engine, options, hostname, empty=not image)
    items = engine.merge_environment(own, image, given, notes)
    if engine.path_default == "if-env-empty" and image and not any(item.text.startswith("PATH=") for item in items):
        notes.append("Env is not empty and holds no PATH: this engine adds none, bare names are not found")
    malformed = (item.text for item in items if item.text and (not item.name or "=" not in item.text))
    return Environment(
        variables=_variables(wanted.env, _last_of_each_name(items, notes, runtime)),
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


def _last_of_each_name(items: list[Variable], notes: list[str], runtime: Runtime) -> Iterable[Variable]:
    """Return the variables that count: of a repeated name the last value, in the place of the first."""
    # Equal names have equal hashes; to keep all names of a long list would take more memory than the list.
    hashes = [hash(item.name) for item in items]
    again = {one for one, other in pairwise(sorted(hashes)) if one == other}
    kept: list[Variable | None] = []
    places: dict[str, int] = {}
    for item, number in zip(items, hashes, strict=True):
        name = item.name
        place = places.get(name) if number in again else None
        if len(name) == len(item.text):  # one runtime refuses it, in the other putenv() removes the name
            if place is not None:
                kept[places.pop(name)] = None
            continue
        if place is not None:
            notes.append(f"{name} is set more than once: the last one counts")
        if not name and runtime.drops_nameless:
            continue
        if place is not None:
            kept[place] = item
            continue
        if number in again:
            places[name] = len(kept)
        kept.append(item)
    return (item for item in kept if item is not None)


def _variables(env: tuple[str, ...], items: Iterable[Variable]) -> Variables:
    """The variables of a process; those of the image are told by their index alone."""
    numbers: list[int] = []
    others: list[EnvVar] = []
    for item in items:
        if item.index < 0 or item.overrides:
            others.append(_made(item))
            numbers.append(-len(others))
        else:
            numbers.append(item.index)
    return Variables(env, numbers, others[::-1])


def _made(item: Variable) -> EnvVar:
    name, _, value = item.text.partition("=")
    where = config_place(f"/config/Env/{item.index}") if item.index >= 0 else None
    return EnvVar(name=name, value=value, origin=item.origin, why=item.why, overrides=item.overrides, where=where)


def with_home(variables: Variables, engine: Engine, runtime: Runtime, home: Home) -> Variables:
    """The variables with HOME, which is set only where it is absent, or empty and the runtime fills it in."""
    present = variables.named("HOME")
    if home.value is None or (present is not None and (present.value or not runtime.fills_empty_home)):
        return variables
    overrides = (present.origin,) if present is not None else ()
    filled = EnvVar(name="HOME", value=home.value, origin=engine.home, why=home.why, overrides=overrides)
    return variables.with_last(filled, replaced=present)
