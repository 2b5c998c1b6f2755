"""What `imagepeel dockerfile --json` carries: the Dockerfile of `history.dockerfile`, its secrets unreadable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from imagepeel.archive.knowledge import ImagePart
from imagepeel.history.dockerfile import RebuiltDockerfile, facts_of, rebuild_dockerfile
from imagepeel.masking import redacted, secrets_shown

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage


def dockerfile_result(image: LayeredImage, *, show_secrets: bool = False) -> RebuiltDockerfile:
    """Return the Dockerfile of an image again, as far as its history tells it, one line an instruction, in build order.

    Without `show_secrets`, as argument or in force, its secrets are masked, each instruction as a whole: what is
    printed line by line later may hold a key of many lines.
    """
    known = image.knowledge
    unknown = "" if known.config else known.why(ImagePart.MANIFEST, ImagePart.CONFIG)
    dockerfile = rebuild_dockerfile(image.config, facts_of(image.layers), unknown=unknown)
    stated = image.attestations
    if stated.attested is not None or stated.remarks:
        dockerfile = msgspec.structs.replace(
            dockerfile, attested=stated.attested, disagreements=image.disagreements, remarks=stated.remarks
        )
    return dockerfile if show_secrets or secrets_shown() else without_secrets(dockerfile)


def without_secrets(dockerfile: RebuiltDockerfile) -> RebuiltDockerfile:
    """Return the Dockerfile with its secrets masked."""
    replace = msgspec.structs.replace
    lines = tuple(
        replace(line, text=redacted(line.text), raw=redacted(line.raw), arguments=tuple(map(redacted, line.arguments)))
        for line in dockerfile.instructions
    )
    attested = dockerfile.attested
    if attested is not None:
        attested = replace(attested, source=redacted(attested.source))
    told = tuple(replace(one, stated=redacted(one.stated), told=redacted(one.told)) for one in dockerfile.disagreements)
    return replace(dockerfile, instructions=lines, attested=attested, disagreements=told)
