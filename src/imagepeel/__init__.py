"""A container image is a tarball that is unpacked and run as a process.  imagepeel shows which one.

    with imagepeel.open("image.tar") as archive:
        image = archive.image()
        image.layers, image.rootfs / "etc/passwd", image.process(), image.explain()

Names load on first use (PEP 562), so that importing the package costs nearly nothing.
"""

from __future__ import annotations

from imagepeel._display import draw_with
from imagepeel._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_HOMES = {
    "open": "imagepeel.api",
    "Archive": "imagepeel.api",
    "Image": "imagepeel.api",
    "Layer": "imagepeel.layers.layer",
    "Rootfs": "imagepeel.rootfs.view",
    "RootfsPath": "imagepeel.rootfs.path",
    "Limits": "imagepeel.limits",
    "Anomaly": "imagepeel.evidence",
    "Evidence": "imagepeel.evidence",
    "Location": "imagepeel.evidence",
    "Receipt": "imagepeel.evidence",
    "ImagepeelError": "imagepeel.errors",
    "UsageError": "imagepeel.errors",
    "NotAnImage": "imagepeel.errors",
    "Unsupported": "imagepeel.errors",
    "Malformed": "imagepeel.errors",
    "DigestMismatch": "imagepeel.errors",
    "LimitExceeded": "imagepeel.errors",
    "NotFound": "imagepeel.errors",
    "MissingBlob": "imagepeel.errors",
    "Ambiguous": "imagepeel.errors",
}

__all__ = [*sorted(_HOMES), "__version__"]

if TYPE_CHECKING:
    from imagepeel.api import Archive as Archive
    from imagepeel.api import Image as Image
    from imagepeel.api import open as open
    from imagepeel.errors import Ambiguous as Ambiguous
    from imagepeel.errors import DigestMismatch as DigestMismatch
    from imagepeel.errors import ImagepeelError as ImagepeelError
    from imagepeel.errors import LimitExceeded as LimitExceeded
    from imagepeel.errors import Malformed as Malformed
    from imagepeel.errors import MissingBlob as MissingBlob
    from imagepeel.errors import NotAnImage as NotAnImage
    from imagepeel.errors import NotFound as NotFound
    from imagepeel.errors import Unsupported as Unsupported
    from imagepeel.errors import UsageError as UsageError
    from imagepeel.evidence import Anomaly as Anomaly
    from imagepeel.evidence import Evidence as Evidence
    from imagepeel.evidence import Location as Location
    from imagepeel.evidence import Receipt as Receipt
    from imagepeel.layers.layer import Layer as Layer
    from imagepeel.limits import Limits as Limits
    from imagepeel.rootfs.path import RootfsPath as RootfsPath
    from imagepeel.rootfs.view import Rootfs as Rootfs


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'imagepeel' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


def _in_notebook(value: object) -> dict[str, str]:
    from imagepeel.render.notebook import bundle

    return bundle(value)


def _in_terminal(value: object) -> Any:
    from imagepeel.present.cards import card
    from imagepeel.render.terminal import document_parts

    return document_parts(card(value))


draw_with(_in_notebook, _in_terminal)
