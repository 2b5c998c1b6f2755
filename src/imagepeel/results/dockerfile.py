"""What `imagepeel dockerfile --json` carries: the Dockerfile of `history.dockerfile`, its secrets unreadable."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from imagepeel._lazy import late
from imagepeel.archive.knowledge import ImagePart
from imagepeel.findings.detectors import is_placeholder, is_secret_name, mask, tokens
from imagepeel.history.dockerfile import RebuiltDockerfile, facts_of, rebuild_dockerfile

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage

_ASSIGNMENT = late(r"([A-Za-z_][A-Za-z0-9_.-]{0,80})=(\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^\s\"']+)")


def dockerfile_result(image: LayeredImage, *, show_secrets: bool = False) -> RebuiltDockerfile:
    """Return the Dockerfile of an image again, as far as its history tells it, one line an instruction, in build order.

    Without `show_secrets`, values whose name says that they are secret and tokens known by their form are masked.
    """
    known = image.knowledge
    unknown = "" if known.config else known.why(ImagePart.MANIFEST, ImagePart.CONFIG)
    dockerfile = rebuild_dockerfile(image.config, facts_of(image.layers), unknown=unknown)
    return dockerfile if show_secrets else masked(dockerfile)


def masked(dockerfile: RebuiltDockerfile) -> RebuiltDockerfile:
    """Return the Dockerfile with the values of names like PASSWORD and TOKEN made unreadable."""
    replace = msgspec.structs.replace
    lines = tuple(
        replace(
            line,
            text=mask_text(line.text),
            raw=mask_text(line.raw),
            arguments=tuple(_argument(word) for word in line.arguments),
        )
        for line in dockerfile.instructions
    )
    return replace(dockerfile, instructions=lines)


def mask_text(text: str) -> str:
    """Return text with the values of assignments masked whose names say "secret", and tokens known by their form."""

    def one(found: re.Match[str]) -> str:
        name, value = found[1], found[2]
        plain = value.strip("\"'")
        if not is_secret_name(name) or is_placeholder(plain):
            return found[0]
        return f"{name}={mask(plain)}"

    out = _ASSIGNMENT.sub(one, text)
    return "(masked: it holds a token)" if any(True for _ in tokens(out.encode("utf-8", "replace"))) else out


def _argument(word: str) -> str:
    name, _, value = word.partition("=")
    return f"{name}={mask(value)}" if is_secret_name(name) and not is_placeholder(value) else word
