"""The versions that a bug report needs."""

from __future__ import annotations

from imagepeel.present.document import Document, item, items, section
from imagepeel.results.version import VersionResult


def version_document(result: VersionResult) -> Document:
    """Return one line a program and library."""
    libraries = [item(f"{name} {known or 'absent'}") for name, known in result.libraries.items()]
    libraries.append(item(f"libmagic {result.libmagic or 'absent: own signatures label contents'}"))
    python = item(f"Python {result.python} on {result.system}", below=libraries)
    return Document(
        title="imagepeel",
        headline=(),
        sections=(section(items(item(f"imagepeel {result.imagepeel}"), python)),),
    )
