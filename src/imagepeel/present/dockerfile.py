"""The Dockerfile of an image again, as one copies it."""

from __future__ import annotations

from imagepeel.history.dockerfile import RebuiltDockerfile, render
from imagepeel.present.document import Document, Lines, section


def dockerfile_document(dockerfile: RebuiltDockerfile) -> Document:
    """Return the lines of the Dockerfile, with its comments."""
    lines = tuple(render(dockerfile).splitlines())
    return Document(title="Dockerfile", headline=(), sections=(section(Lines(lines=lines, language="dockerfile")),))
