"""The tools that imagepeel knows: one line each.

To add one: a file beside this, with its class and its versions, and its line here.  A file is loaded when somebody asks
for one of its tools.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from imagepeel.loading.tool import LoadFamily, LoadTool

_FILES = {
    "docker": "docker",
    "podman": "containers",
    "containerd": "containerd",
    "nerdctl": "containerd",
    "kind": "containerd",
    "skopeo": "containers",
    "buildah": "containers",
}
"""Name of a tool -> its file, which has it among its `FAMILIES`."""

TOOLS: tuple[LoadTool, ...]
"""All of them, in all their versions."""


def __getattr__(name: str) -> Any:
    if name == "TOOLS":
        return tuple(tool for name in _FILES for tool in _family(name).versions)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _family(name: str) -> LoadFamily:
    families: tuple[LoadFamily, ...] = import_module(f"imagepeel.loading.{_FILES[name]}").FAMILIES
    return next(one for one in families if one.name == name)


def find_tools(name: str, version: tuple[int, ...]) -> tuple[LoadTool, ...]:
    """Return who loads for an engine of that version, a tool for each store that installations have unasked.

    A version between two known ones is the older of them; () for a name that no tool has.
    """
    found: dict[str, LoadTool] = {}
    for tool in _family(name).versions if name in _FILES else ():
        before = found.get(tool.store)
        if before is None or before.version < tool.version <= version:
            found[tool.store] = tool
    usual = [tool for tool in found.values() if tool.usual and tool.version <= version]
    return tuple(usual or list(found.values())[:1])
