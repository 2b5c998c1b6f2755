"""What is known of an image, and what is not and why.

Bytes that are not there are no facts: whoever says no, none, 0, all or the same of an image asks its `Knowledge` first.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

_IMPORTED = "no config belongs to it, and whoever makes an image of it, as docker import does, says what one would"


class ImagePart(StrEnum):
    """What of an image may be missing."""

    MANIFEST = "manifest"
    """The document that lists layers and config."""
    CONFIG = "config"
    LAYER = "layer"
    """The bytes of a layer, or some of them."""


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is not known of an image.

    `what` is not known because of `why`; both are clauses.  `name` is the missing part in a word or two, "" where
    nothing is missing by name.  `layer` is the layer's index from 0, None where it is about no layer or one that nobody
    names.  `damaged` is True where the bytes are there and break a rule.
    """

    part: ImagePart
    what: str
    why: str
    name: str = ""
    layer: int | None = None
    damaged: bool = False

    def __str__(self) -> str:
        return f"{self.what} is not known: {self.why}"


class Knowledge(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one image; without gaps everything is.

    `artifact` says what it is where it is stored like an image and is none, "" for an image: nothing of it starts, and
    it has no file system.  `imported` is True where no document belongs to it, a bare layer or an exported filesystem:
    nothing is missing, and whoever makes an image of it says what a config would.
    """

    gaps: tuple[Gap, ...] = ()
    artifact: str = ""
    imported: bool = False

    @property
    def layer_list(self) -> bool:
        """Whether it is known which layers the image has."""
        return not self._misses(ImagePart.MANIFEST)

    @property
    def every_layer(self) -> bool:
        """Whether each layer of the image is named, so that those that are listed are all of them."""
        return self.layer_list and all(gap.part is not ImagePart.LAYER or gap.layer is not None for gap in self.gaps)

    @property
    def config(self) -> bool:
        """Whether it is known what the config says."""
        return not self.imported and not self._misses(ImagePart.MANIFEST, ImagePart.CONFIG)

    @property
    def everything(self) -> bool:
        """Whether all that an image says can be read: nothing is missing, and there is a config."""
        return self.whole and self.config

    @property
    def layers(self) -> bool:
        """Whether all layers are here and were read to their end: only then an absent file is absent."""
        return not self._misses(ImagePart.MANIFEST, ImagePart.LAYER)

    @property
    def lacks_layers(self) -> bool:
        """Whether a layer is not here, so that what is said of the others may not hold of the image.

        A damaged layer is here, and that engines refuse it is known.
        """
        return any(gap.part is not ImagePart.CONFIG and not gap.damaged for gap in self.gaps)

    @property
    def settled(self) -> int | None:
        """Count the layers from the base up to the first gap, itself included; None where there is none.

        What these change against those below them is known.
        """
        gaps = [-1 if gap.layer is None else gap.layer for gap in self.gaps if gap.part is ImagePart.LAYER]
        return min(gaps) + 1 if gaps else None

    @property
    def whole(self) -> bool:
        """Whether nothing is missing."""
        return not self.gaps

    @property
    def documents(self) -> tuple[Gap, ...]:
        """The gaps that no result can do without: manifest and config."""
        return tuple(gap for gap in self.gaps if gap.part is not ImagePart.LAYER)

    def why(self, *parts: ImagePart) -> str:
        """Return the reasons why something of these parts is not known (of any without parts), "" when it is."""
        asked = parts or tuple(ImagePart)
        whys = [gap.why for gap in self.gaps if gap.part in asked]
        return "; ".join([*whys, *([_IMPORTED] if self.imported and ImagePart.CONFIG in asked else [])])

    def up_to(self, layer: int) -> Knowledge:
        """Return what is known where layers above the one with this index from 0 play no role."""
        gaps = tuple(gap for gap in self.gaps if gap.layer is None or gap.layer <= layer)
        return msgspec.structs.replace(self, gaps=gaps)

    def of_layer(self, layer: int) -> Knowledge:
        """Return what is known of one layer by itself, by its index from 0."""
        return Knowledge(gaps=tuple(gap for gap in self.gaps if gap.layer == layer))

    def _misses(self, *parts: ImagePart) -> bool:
        return any(gap.part in parts for gap in self.gaps)


WHOLE = Knowledge()
"""Nothing is missing."""
