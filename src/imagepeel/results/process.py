"""What `imagepeel process --json` carries; apart from the other results, since predictions load more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from imagepeel._display import Shown
from imagepeel.evidence import Receipt
from imagepeel.process.spec.values import Prediction, Verdict
from imagepeel.results.head import ImageHead, image_head
from imagepeel.rootfs.engines.names import ViewName

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage
    from imagepeel.process.matrix import Matrix


class ProcessResult(Shown, msgspec.Struct, frozen=True, kw_only=True, tag="prediction", tag_field="type"):
    """Result of `imagepeel process`; `execve` is the first request to the kernel, literally.

    `receipts` holds one list of shell commands for each of the prediction's steps, with --receipts only.
    """

    image: ImageHead
    view: Literal[ViewName, ""]
    """Filesystem that was looked at: that of the engine's store, or the one that was asked for."""
    execve: str
    prediction: Prediction
    receipts: tuple[tuple[Receipt, ...], ...] = ()

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The one verdict."""
        return (self.prediction.verdict,)


class MatrixCell(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One engine on one host architecture."""

    engine: str
    """Full name of the profile."""
    architecture: str
    """Machine of the host as Go names it (GOARCH)."""
    verdict: Verdict


class MatrixResult(Shown, msgspec.Struct, frozen=True, kw_only=True, tag="matrix", tag_field="type"):
    """Result of `imagepeel process --matrix`; `agree` says that every cell has the same kind of verdict."""

    image: ImageHead
    view: Literal[ViewName, ""]
    """Filesystem that was asked for; "" where each engine has that of its own store."""
    engines: tuple[str, ...]
    architectures: tuple[str, ...]
    cells: tuple[MatrixCell, ...]
    """Engine by engine, in the order of `engines` and `architectures`."""
    agree: bool
    ended: tuple[str, ...] = ()
    """Those of `engines` that have reached their end of life."""

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """That of each cell."""
        return tuple(cell.verdict for cell in self.cells)


ProcessOutput = ProcessResult | MatrixResult


def process_result(image: LayeredImage, found: Prediction, *, receipts: bool = False) -> ProcessResult:
    """Return the result of a prediction about an image; with `receipts`, how to see what each step saw."""
    shown: tuple[tuple[Receipt, ...], ...] = ()
    if receipts:
        from imagepeel.receipts.proof import step_receipts  # start time

        shown = step_receipts(found.steps, image)
    return ProcessResult(
        image=image_head(image),
        view=found.view,
        execve=found.execve,
        prediction=found,
        receipts=shown,
    )


def matrix_result(image: LayeredImage, view: Literal[ViewName, ""], found: Matrix) -> MatrixResult:
    """Return the verdict of each cell; `view` is the filesystem that was asked for, "" for each engine's own."""
    from imagepeel.process.engines.registry import find_engine  # start time

    return MatrixResult(
        image=image_head(image),
        view=view,
        engines=found.engines,
        architectures=found.architectures,
        cells=tuple(MatrixCell(engine=c.engine, architecture=c.architecture, verdict=c.verdict) for c in found.cells),
        agree=found.agree,
        ended=tuple(name for name in found.engines if find_engine(name)[0].end_of_life),
    )
