"""Which of the given images a deployment means by a name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from imagepeel.errors import Ambiguous
from imagepeel.image import LayeredImage
from imagepeel.loading.reference import Reference, parse

_LOCAL = "localhost"


class GivenImage(msgspec.Struct, frozen=True):
    """An image that the caller gives, under a name of the deployment where the caller says one."""

    image: LayeredImage
    name: str = ""
    """The name of a container, or a reference as the deployment writes it; "" leaves it to the image's own names."""


def find_image(images: Iterable[GivenImage], container: str, reference: str) -> LayeredImage | None:
    """Return the image that a container is made of: one given for it by name, else one whose own name it is.

    None where none was given.  Ambiguous where different images fit equally well.
    """
    given = tuple(images)
    wanted = _normal(reference)
    for fits in (
        [one for one in given if one.name and one.name == container],
        [one for one in given if one.name and _same(_normal(one.name), wanted, one.name == reference)],
        [one for one in given if not one.name and _is_called(one.image, wanted)],
    ):
        if fits:
            return _one_of(fits, reference, wanted)
    return None


def _one_of(fits: Sequence[GivenImage], reference: str, wanted: Reference | None) -> LayeredImage:
    """The only one; of an archive with several, the one that the reference means."""
    if len(fits) > 1:
        named = [one for one in fits if _is_called(one.image, wanted)]
        fits = named or fits
    different = {one.image.id or id(one.image): one.image for one in fits}
    if len(different) > 1:
        names = "; ".join(f"#{one.number} of {one.archive.name}" for one in different.values())
        raise Ambiguous(
            f"several images could be {reference}: {names}", hint="give one of them as --image NAME=ARCHIVE"
        )
    return fits[0].image


def _normal(name: str) -> Reference | None:
    found = parse(name)
    return found.tagged() if isinstance(found, Reference) else None


def _same(one: Reference | None, other: Reference | None, equal: bool) -> bool:
    return equal or (one is not None and one == other)


def _is_called(image: LayeredImage, wanted: Reference | None) -> bool:
    """Whether a reference is a name of an image, or its digest; a store of podman fills in localhost."""
    if wanted is None:
        return False
    if wanted.digest:
        return wanted.digest in (image.digest, image.id)
    for name in image.names:
        own = _normal(name)
        if own is None:
            continue
        if (own.domain, own.path, own.tag) == (wanted.domain, wanted.path, wanted.tag):
            return True
        local = own.domain == _LOCAL and not wanted.given_domain
        if local and (own.path, own.tag) == (wanted.path.removeprefix("library/"), wanted.tag):
            return True
    return False
