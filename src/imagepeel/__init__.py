"""A container image is a tarball that is unpacked and run as a process.  imagepeel shows which one::

    with imagepeel.open("image.tar") as archive:
        image = archive.image()
        image.layers, image.rootfs / "etc/passwd", image.process(), image.explain()

Public are this package, `imagepeel.forge` (makes images), `imagepeel.results` (what commands write as JSON, as types)
and `imagepeel.interop.fsspec`; they keep their names within a major version.  All other packages are internal.
docs/reference/python.md is the map of it.

Names load on first use (PEP 562), so that importing the package costs nearly nothing.
"""

from __future__ import annotations

from imagepeel._display import draw_with
from imagepeel._lazy import load
from imagepeel._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    # What static tools read; a test holds it to `_HOMES`, which is what Python reads.
    from typing import Any

    from imagepeel import forge as forge
    from imagepeel import results as results
    from imagepeel.api import Archive as Archive
    from imagepeel.api import open as open
    from imagepeel.api import why as why
    from imagepeel.errors import Ambiguous as Ambiguous
    from imagepeel.errors import DigestMismatch as DigestMismatch
    from imagepeel.errors import FetchFailed as FetchFailed
    from imagepeel.errors import ImagepeelError as ImagepeelError
    from imagepeel.errors import IsADirectory as IsADirectory
    from imagepeel.errors import LimitExceeded as LimitExceeded
    from imagepeel.errors import Malformed as Malformed
    from imagepeel.errors import MissingBlob as MissingBlob
    from imagepeel.errors import NotADirectory as NotADirectory
    from imagepeel.errors import NotAnImage as NotAnImage
    from imagepeel.errors import NotFound as NotFound
    from imagepeel.errors import PathNotFound as PathNotFound
    from imagepeel.errors import Unsupported as Unsupported
    from imagepeel.errors import UsageError as UsageError
    from imagepeel.evidence import Anomaly as Anomaly
    from imagepeel.evidence import Evidence as Evidence
    from imagepeel.evidence import Location as Location
    from imagepeel.evidence import Receipt as Receipt
    from imagepeel.findings.budget import Against as Against
    from imagepeel.findings.budget import Bound as Bound
    from imagepeel.findings.budget import Budget as Budget
    from imagepeel.findings.finding import Finding as Finding
    from imagepeel.findings.report import Findings as Findings
    from imagepeel.findings.slim import Slim as Slim
    from imagepeel.findings.waste import Waste as Waste
    from imagepeel.fleet.lineage import lineage as lineage
    from imagepeel.fleet.run import survey as survey
    from imagepeel.image import Layer as Layer
    from imagepeel.interop.ipython import load_ipython_extension as load_ipython_extension
    from imagepeel.limits import Limits as Limits
    from imagepeel.masking import show_secrets as show_secrets
    from imagepeel.oci.config import HistoryStep as HistoryStep
    from imagepeel.oci.config import ImageConfig as ImageConfig
    from imagepeel.present.document import Story as Story
    from imagepeel.process.spec.options import ProcessOptions as ProcessOptions
    from imagepeel.process.spec.values import Prediction as Prediction
    from imagepeel.process.spec.values import Verdict as Verdict
    from imagepeel.rootfs.path import RootfsPath as RootfsPath
    from imagepeel.rootfs.path import Stat as Stat
    from imagepeel.rootfs.view import Rootfs as Rootfs
    from imagepeel.starting import start as start
    from imagepeel.verbs import Image as Image

_HOMES = {
    "open": "imagepeel.api",
    "start": "imagepeel.starting",
    "why": "imagepeel.api",
    "survey": "imagepeel.fleet.run",
    "lineage": "imagepeel.fleet.lineage",
    "show_secrets": "imagepeel.masking",
    "load_ipython_extension": "imagepeel.interop.ipython",
    "Archive": "imagepeel.api",
    "Image": "imagepeel.verbs",
    "Layer": "imagepeel.image",
    "Rootfs": "imagepeel.rootfs.view",
    "RootfsPath": "imagepeel.rootfs.path",
    "Stat": "imagepeel.rootfs.path",
    "ImageConfig": "imagepeel.oci.config",
    "HistoryStep": "imagepeel.oci.config",
    "ProcessOptions": "imagepeel.process.spec.options",
    "Prediction": "imagepeel.process.spec.values",
    "Verdict": "imagepeel.process.spec.values",
    "Finding": "imagepeel.findings.finding",
    "Findings": "imagepeel.findings.report",
    "Slim": "imagepeel.findings.slim",
    "Budget": "imagepeel.findings.budget",
    "Bound": "imagepeel.findings.budget",
    "Against": "imagepeel.findings.budget",
    "Waste": "imagepeel.findings.waste",
    "Story": "imagepeel.present.document",
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
    "FetchFailed": "imagepeel.errors",
    "LimitExceeded": "imagepeel.errors",
    "NotFound": "imagepeel.errors",
    "PathNotFound": "imagepeel.errors",
    "NotADirectory": "imagepeel.errors",
    "IsADirectory": "imagepeel.errors",
    "MissingBlob": "imagepeel.errors",
    "Ambiguous": "imagepeel.errors",
    "forge": "imagepeel",
    "results": "imagepeel",
}
"""Public name -> the module that has it; a package of this one has the home `imagepeel`."""

__all__ = [*sorted(_HOMES), "__version__"]


def __getattr__(name: str) -> Any:
    return load(globals(), name)


def __dir__() -> list[str]:
    return __all__


def _in_notebook(value: object) -> dict[str, str]:
    from imagepeel.render.notebook import bundle  # start time

    return bundle(value)


def _in_terminal(value: object, width: int) -> Any:
    from imagepeel.present.cards import card  # start time
    from imagepeel.render.terminal import rich_parts  # start time

    return rich_parts(card(value), width)


def _as_text(value: object) -> str:
    from imagepeel.present.cards import card  # start time
    from imagepeel.render.terminal import document_text  # start time

    return document_text(card(value))


def _masked(words: Any) -> list[str]:
    from imagepeel.masking import masked_words  # start time

    return masked_words(words)


draw_with(_in_notebook, _in_terminal, _as_text, _masked)
