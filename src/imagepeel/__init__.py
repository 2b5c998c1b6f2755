"""A container image is a tarball that is unpacked and run as a process.  imagepeel shows which one.

    with imagepeel.open("image.tar") as archive:
        image = archive.image()
        image.layers, image.rootfs / "etc/passwd", image.process(), image.explain()

Names load on first use (PEP 562), so that importing the package costs nearly nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "open": "imagepeel.archive",
    "Archive": "imagepeel.archive",
    "Image": "imagepeel.image",
    "Layer": "imagepeel.layers.layer",
    "Rootfs": "imagepeel.rootfs",
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
    from imagepeel.archive import Archive as Archive
    from imagepeel.archive import open as open
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
    from imagepeel.image import Image as Image
    from imagepeel.layers.layer import Layer as Layer
    from imagepeel.limits import Limits as Limits
    from imagepeel.rootfs import Rootfs as Rootfs
    from imagepeel.rootfs.path import RootfsPath as RootfsPath


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'imagepeel' has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
