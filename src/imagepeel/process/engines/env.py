"""S4: the environment, in order, with the origin of each variable."""

from __future__ import annotations

import msgspec

from imagepeel.process.spec.intent import ProcessSpec
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.profiles import DEFAULT_PATH, Engine, Runtime
from imagepeel.process.spec.trace import config_place
from imagepeel.process.spec.values import EnvVar


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """The process environment before HOME is filled in, with what was odd.

    `entries` is the list an engine writes into `process.env` (raw strings), `problem` an entry that runc refuses
    with its words, `unset` names removed by an entry without `=`.
    """

    variables: tuple[EnvVar, ...]
    entries: tuple[str, ...]
    notes: tuple[str, ...]
    problem: str = ""
    depends: str = ""


class _Item(msgspec.Struct, kw_only=True):
    text: str
    origin: str
    why: str = ""
    pointer: str | None = None
    overrides: tuple[str, ...] = ()


def _replace_or_append(base: list[_Item], over: list[_Item], notes: list[str]) -> list[_Item]:
    """The merge of docker and containerd: known names are replaced in place, an entry without `=` removes.

    Names that `over` itself repeats are appended twice, as the engines do; the runtime keeps the last.
    """
    places = {item.text.partition("=")[0]: index for index, item in enumerate(base)}
    result: list[_Item | None] = list(base)
    for item in over:
        name, equals, _ = item.text.partition("=")
        index = places.get(name)
        if not equals:
            notes.append(f"the entry {name!r} has no =: it removes that variable")
            if index is not None:
                result[index] = None
            continue
        if index is not None:
            old = result[index]
            if old is not None:
                item.overrides = (*old.overrides, old.origin)
            result[index] = item
        else:
            result.append(item)
    return [item for item in result if item is not None]


def build(
    wanted: ProcessSpec, options: ProcessOptions, engine: Engine, runtime: Runtime, *, hostname: str
) -> Environment:
    """The environment an engine hands to the runtime (S4).

    `hostname` is the value of HOSTNAME where the engine sets it.  HOME is not here: see `with_home`.
    """
    notes: list[str] = []
    image = [
        _Item(text=entry, origin="image", pointer=f"/config/Env/{index}") for index, entry in enumerate(wanted.env)
    ]
    user = [_Item(text=entry, origin="user", why="an option of this call") for entry in options.env]
    depends = ""
    if engine.family == "podman" and any("=" not in entry for entry in wanted.env):
        bait = next(entry for entry in wanted.env if "=" not in entry)
        depends = f"the host's environment: podman takes the value of {bait!r} from there (CVE-2026-57231)"
    base: list[_Item] = []
    if engine.path_default == "always":
        base.append(_Item(text=f"PATH={DEFAULT_PATH}", origin="engine", why="no PATH in the config: the default"))
    elif engine.path_default == "if-env-empty" and not image:
        base.append(_Item(text=f"PATH={DEFAULT_PATH}", origin="engine", why="Env is empty: the default PATH"))
    for entry in engine.env:
        if entry == "HOSTNAME":
            base.append(_Item(text=f"HOSTNAME={hostname}", origin="engine", why="the container's host name"))
        else:
            base.append(_Item(text=entry, origin="engine", why="the engine's mark"))
    if (options.tty and engine.tty_env) or engine.term_always:
        base.append(
            _Item(text="TERM=xterm", origin="engine", why="a terminal is attached" if options.tty else "always")
        )
    if engine.family in {"docker", "bundle"}:
        given = {item.text.partition("=")[0] for item in user}
        merged = user + [item for item in image if item.text.partition("=")[0] not in given]
        items = _replace_or_append(base, merged, notes)
    else:
        if engine.family == "containerd":  # the library takes the image's list as it is and merges into it
            items = _replace_or_append(image or base[:1], base[1:] if not image else base, notes)
        else:
            items = _replace_or_append(base, image, notes)
        items = _replace_or_append(items, user, notes)
    if engine.path_default == "if-env-empty" and image and not any(i.text.startswith("PATH=") for i in items):
        notes.append("Env is not empty and holds no PATH: this engine adds none, bare names are not found")
    problem = ""
    for item in items:
        if item.text.startswith("=") or (item.text and "=" not in item.text):
            problem = problem or item.text
    return Environment(
        variables=_dedupe(items, notes, runtime),
        entries=tuple(item.text for item in items),
        notes=tuple(notes),
        problem=problem,
        depends=depends,
    )


def _dedupe(items: list[_Item], notes: list[str], runtime: Runtime) -> tuple[EnvVar, ...]:
    """Of a repeated name the last value counts, in the place of the first."""
    found: dict[str, EnvVar] = {}
    for item in items:
        name, equals, value = item.text.partition("=")
        if not equals:  # runc refuses it, crun's putenv() removes the name
            found.pop(name, None)
            continue
        if name in found:
            notes.append(f"{name} is set more than once: the last one counts")
        if not name and runtime.family == "runc":  # refused; crun hands it on, and no program can ask for it
            continue
        found[name] = EnvVar(
            name=name,
            value=value,
            origin=item.origin,
            why=item.why,
            overrides=item.overrides,
            where=config_place(item.pointer) if item.pointer else None,
        )
    return tuple(found.values())


def with_home(
    variables: tuple[EnvVar, ...], engine: Engine, runtime: Runtime, home: str | None, home_origin: str
) -> tuple[EnvVar, ...]:
    """HOME, set only when it is absent; runc also replaces an empty one.  None: the runtime leaves it out."""
    present = next((variable for variable in variables if variable.name == "HOME"), None)
    if present is not None and (present.value or runtime.family != "runc"):
        return variables
    if home is None:
        return variables
    kept = tuple(variable for variable in variables if variable.name != "HOME")
    origin = "engine" if engine.home == "engine" else "runtime"
    overrides = (present.origin,) if present is not None else ()
    return (*kept, EnvVar(name="HOME", value=home, origin=origin, why=home_origin, overrides=overrides))
