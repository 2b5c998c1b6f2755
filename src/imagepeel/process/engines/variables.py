"""Variables while an engine merges them: each with who set it and what it replaced."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from imagepeel.process.spec.trace import config_place
from imagepeel.process.spec.values import EnvVar, Origin


class Variable(msgspec.Struct, kw_only=True):
    """One entry of an environment list, `NAME=value` or not, and where it comes from."""

    text: str
    origin: Origin
    why: str = ""
    overrides: tuple[Origin, ...] = ()
    of_image: EnvVar | None = None
    """Of an entry of the image: what it is where nobody changes it."""

    @property
    def name(self) -> str:
        end = self.text.find("=")
        return self.text if end < 0 else self.text[:end]


class ImageVariables(dict[tuple[str, ...], tuple[EnvVar, ...]]):
    """The variables of an image by its Env, an entry each: made once for all engines that are asked about it."""

    def __missing__(self, env: tuple[str, ...]) -> tuple[EnvVar, ...]:
        pairs = (entry.partition("=") for entry in env)
        made = self[env] = tuple(
            EnvVar(name=name, value=value, origin="image", where=config_place(f"/config/Env/{index}"))
            for index, (name, _, value) in enumerate(pairs)
        )
        return made


def replace_or_append(base: Sequence[Variable], over: Sequence[Variable], notes: list[str]) -> list[Variable]:
    """Merge as engines do: known names are replaced in place, an entry without `=` removes.

    Names that `over` itself repeats are appended twice, as the engines do; the runtime keeps the last.
    """
    places = {item.name: index for index, item in enumerate(base)}
    result: list[Variable | None] = list(base)
    for item in over:
        index = places.get(item.name)
        if "=" not in item.text:
            notes.append(f"the entry {item.name!r} has no =: it removes that variable")
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


def given_first(
    base: Sequence[Variable], image: Sequence[Variable], given: Sequence[Variable], notes: list[str]
) -> list[Variable]:
    """Merge as Docker does: the caller's entries stand before those of the image that they do not replace."""
    names = {item.name for item in given}
    return replace_or_append(base, [*given, *(item for item in image if item.name not in names)], notes)
