"""The tools that imagepeel knows: one line each.

To add one: a file beside this, with its class and its versions, and its line here.
"""

from __future__ import annotations

from imagepeel.loading import containerd, containers, docker
from imagepeel.loading.tool import LoadFamily, LoadTool

FAMILIES: tuple[LoadFamily, ...] = (
    docker.FAMILY,
    containers.FAMILY,
    containerd.FAMILY,
    containerd.NERDCTL,
    containerd.KIND,
    containers.SKOPEO,
    containers.BUILDAH,
)
TOOLS: tuple[LoadTool, ...] = tuple(tool for family in FAMILIES for tool in family.versions)


def find_tools(name: str, version: tuple[int, ...]) -> tuple[LoadTool, ...]:
    """Return who loads for an engine of that version, a tool for each store that installations have unasked.

    A version between two known ones is the older of them; () for a name that no tool has.
    """
    family = next((one for one in FAMILIES if one.name == name), None)
    found: dict[str, LoadTool] = {}
    for tool in family.versions if family is not None else ():
        before = found.get(tool.store)
        if before is None or before.version < tool.version <= version:
            found[tool.store] = tool
    usual = [tool for tool in found.values() if tool.usual and tool.version <= version]
    return tuple(usual or list(found.values())[:1])
