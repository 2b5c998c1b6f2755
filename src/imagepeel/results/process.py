"""What `imagepeel process --json` carries; apart from the other results, since predictions load more."""

from __future__ import annotations

import msgspec

from imagepeel.evidence import Receipt
from imagepeel.process.spec.values import Prediction, Verdict
from imagepeel.results.tables import ImageHead


class ProcessResult(msgspec.Struct, frozen=True, kw_only=True, tag="prediction", tag_field="type"):
    """Result of `imagepeel process`; `execve` is the first request to the kernel, literally.

    `receipts` holds one list of shell commands for each of the prediction's steps, with --receipts only.
    """

    image: ImageHead
    view: str
    execve: str
    prediction: Prediction
    receipts: tuple[tuple[Receipt, ...], ...] = ()


class MatrixCell(msgspec.Struct, frozen=True, kw_only=True):
    """One engine on one host architecture."""

    engine: str
    architecture: str
    verdict: Verdict


class MatrixResult(msgspec.Struct, frozen=True, kw_only=True, tag="matrix", tag_field="type"):
    """Result of `imagepeel process --matrix`; `agree` says that every cell has the same kind of verdict."""

    image: ImageHead
    view: str
    engines: tuple[str, ...]
    architectures: tuple[str, ...]
    cells: tuple[MatrixCell, ...]
    agree: bool


ProcessOutput = ProcessResult | MatrixResult
