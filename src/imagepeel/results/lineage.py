"""What `lineage --json` writes: the forest of bases, by the DiffIDs that documents state."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from imagepeel._display import Shown


class SourceFailure(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """A source of which nothing, or not everything, is known."""

    source: str
    code: str
    """Code of the error."""
    error: str
    """What is wrong, in a sentence."""


class LineageImage(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One image in the forest."""

    source: str
    number: int
    """Its number in the source, from 1."""
    name: str
    """Its first name, "" without one."""
    platform: str
    """os/architecture[/variant], "" when unknown."""


class LineageNode(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One stack of layers: that of the images named here, or one that several images begin with and none of them is."""

    chain_id: str
    """ChainID of the stack."""
    layers: int
    """Count of layers in it."""
    parent: str | None
    """ChainID of the stack that it stands on; null for a root."""
    depth: int
    """How many stacks are below it; 0 for a root."""
    images: tuple[LineageImage, ...]
    """The images that are exactly this stack; [] for a base that is not here."""
    above: int
    """Count of images that stand on it, these left out."""


class LineageUnknown(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """An image whose place is not known."""

    image: LineageImage
    why: str


class LineageResult(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """The forest of bases of many images, from their documents alone: no layer was read."""

    sources: int
    """Count of sources that were named or found."""
    passed_over: int
    """Count of files in the folders that look like no archive and were not opened."""
    images: int
    """Count of images in the sources that could be read."""
    nodes: tuple[LineageNode, ...]
    """Each root with all that stands on it, below it; the one with the most images first."""
    unknown: tuple[LineageUnknown, ...]
    """Images with a layer whose DiffID no document states, or without layers."""
    failed: tuple[SourceFailure, ...]
    """Sources whose documents could not be read: what they hold is not in the forest."""


def forest(stacks: Iterable[tuple[LineageImage, tuple[str, ...]]]) -> tuple[LineageNode, ...]:
    """Return the forest of images, each given with the ChainIDs of its layers, base first; none may be empty.

    An image stands on the largest stack that is the beginning of its own and that is an image, or where images part.
    """
    images: dict[str, list[LineageImage]] = {}
    below: dict[str, str | None] = {}
    layers: dict[str, int] = {}
    branches: dict[str | None, dict[str, None]] = {}
    for image, chains in stacks:
        images.setdefault(chains[-1], []).append(image)
        before: str | None = None
        for depth, chain in enumerate(chains, 1):
            if chain not in below:
                below[chain], layers[chain] = before, depth
                branches.setdefault(before, {})[chain] = None
            before = chain
    kept = {chain for chain in below if chain in images or len(branches.get(chain, ())) > 1}
    count = {chain: len(images.get(chain, ())) for chain in below}
    for chain in sorted(below, key=lambda one: -layers[one]):
        parent = below[chain]
        if parent is not None:
            count[parent] += count[chain]
    children: dict[str | None, list[str]] = {}
    stands_on: dict[str, str | None] = {}
    for chain in kept:
        parent = below[chain]
        while parent is not None and parent not in kept:
            parent = below[parent]
        stands_on[chain] = parent
        children.setdefault(parent, []).append(chain)

    def order(chain: str) -> tuple[int, str, str]:
        first = min((f"{one.source} {one.number}" for one in images.get(chain, ())), default="")
        return -count[chain], first, chain

    out: list[LineageNode] = []
    todo = [(chain, 0) for chain in sorted(children.get(None, ()), key=order, reverse=True)]
    while todo:
        chain, depth = todo.pop()
        mine = sorted(images.get(chain, ()), key=lambda one: (one.source, one.number))
        out.append(
            LineageNode(
                chain_id=chain,
                layers=layers[chain],
                parent=stands_on[chain],
                depth=depth,
                images=tuple(mine),
                above=count[chain] - len(mine),
            )
        )
        todo += [(child, depth + 1) for child in sorted(children.get(chain, ()), key=order, reverse=True)]
    return tuple(out)
