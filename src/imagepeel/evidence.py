"""Where a fact comes from and how a person can see it again without imagepeel.

Values only: a `Location` names a place, a `Receipt` is a shell command that shows it, `Evidence` joins the two,
an `Anomaly` is something odd that reading noticed and survived.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from imagepeel._display import Shown

Name = bytes | str


def text(name: Name) -> str:
    """Return a name of a tar or a path as `str`, lossless: bytes that are not UTF-8 become surrogates (PEP 383)."""
    return name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else name


def raw(name: Name) -> bytes:
    """Return the exact bytes of a name: the inverse of `text`.

    UnicodeEncodeError for a surrogate that `text` never makes.
    """
    return name.encode("utf-8", "surrogateescape") if isinstance(name, str) else name


def layer_label(index: int, step: int | None = None) -> str:
    """Return what people call a layer and the step that made it: `L3` for index 2, `L3, step 6` with step 5.

    For people both count from 1, the layers base first; `step` is the index in the history of the config.
    """
    return f"L{index + 1}" + (f", step {step_number(step)}" if step is not None else "")


def step_number(step: int) -> int:
    """Return the number that people give to a step of the history: the first is 1, as in a build's output."""
    return step + 1


def steps_in_words(steps: Sequence[int], most: int = 5) -> str:
    """Return how people name steps of the history: `step 6`, `steps 1, 3`, after `most` of them `and 4 more`."""
    shown = ", ".join(str(step_number(step)) for step in steps[:most])
    more = f" and {len(steps) - most} more" if len(steps) > most else ""
    return f"step{'s' if len(steps) > 1 else ''} {shown}{more}"


class Location(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A place in an image, as exact as it is known; every field may be absent.

    `archive_offset` counts bytes in the (decompressed) image archive, `layer_offset` bytes in the decompressed
    layer; `layer` is the 0-based index in base-first order (people see `L1` for index 0), `entry` the 0-based tar
    member of that layer, `step` the 0-based index in the config's history, `pointer` a JSON pointer (RFC 6901)
    into the document `blob`.
    """

    member: str | None = None
    """Name of a member of the image archive, or of a file below a layout directory."""
    blob: str | None = None
    """Digest of a blob, `algorithm:hex`."""
    pointer: str | None = None
    """JSON pointer (RFC 6901) into a document; "" is the whole document."""
    layer: int | None = None
    """Index from 0, base first."""
    step: int | None = None
    """Index from 0 in the history of the config."""
    entry: int | None = None
    """Index from 0 of a tar member in the layer."""
    path: str | None = None
    """Path in the image."""
    archive_offset: int | None = None
    """Bytes from the start of the (decompressed) image archive."""
    file_offset: int | None = None
    """Bytes from the start of the file as it is stored, for what stands behind its compressed stream."""
    layer_offset: int | None = None
    """Bytes from the start of the decompressed layer."""

    def __str__(self) -> str:
        parts: list[str] = []
        if self.layer is not None:
            parts.append(f"layer {layer_label(self.layer)}")
        if self.step is not None:
            parts.append(f"history step {step_number(self.step)}")
        if self.member is not None:
            parts.append(f"member {self.member}")
        if self.blob is not None:
            parts.append(f"blob {self.blob}")
        if self.pointer is not None:
            parts.append(f"at {self.pointer or '/'}")
        if self.path is not None:
            parts.append(f"path {self.path}")
        if self.entry is not None:
            parts.append(f"entry {self.entry}")
        if self.archive_offset is not None:
            parts.append(f"archive offset {self.archive_offset}")
        if self.file_offset is not None:
            parts.append(f"byte {self.file_offset} of the file")
        if self.layer_offset is not None:
            parts.append(f"layer offset {self.layer_offset}")
        return ", ".join(parts)


class Receipt(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A plain shell command (bash) that lets a person see a fact without imagepeel.

    `shows` says in a few words what to look for in its output.  `expect` is text that its standard output
    contains, so that tests can run every receipt and compare; empty when the output is for the eye only.
    """

    command: str
    """What to type into bash, one command or a pipeline."""
    shows: str = ""
    """What to look for in the output, in a few words."""
    expect: str = ""
    """Text that the standard output contains; "" when the output is for the eye only."""


class Evidence(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The proof of one claim: places and receipts, most direct first."""

    locations: tuple[Location, ...] = ()
    """Most direct first."""
    receipts: tuple[Receipt, ...] = ()
    """Most direct first."""


AnomalyCode = Literal[
    # The archive file
    "outer-backslash",
    "outer-bad-header",
    "outer-bad-pax",
    "outer-bad-sparse",
    "outer-dotdot",
    "outer-duplicate",
    "outer-link-forward",
    "outer-link-limit",
    "outer-link-loop",
    "outer-link-outside",
    "outer-member-limit",
    "outer-sparse",
    "outer-trailing-data",
    "outer-truncated",
    "save-cut",
    "outer-zero-block",
    # JSON
    "json-bom",
    "json-duplicate-key",
    "json-long-list",
    "json-surrogate",
    "json-trailing-data",
    "json-type",
    "json-utf8",
    # Documents
    "config-command-string",
    "config-diff-id",
    "description-damaged",
    "descriptor-conflict",
    "descriptor-data",
    "descriptor-digest",
    "descriptor-size",
    "document-damaged",
    "document-limit",
    "document-unreadable",
    "history-count",
    "index-depth",
    "index-loop",
    "layer-count",
    "layer-limit",
    "layer-name",
    "layer-size",
    "layout-marker",
    "layout-version",
    "manifest-shape",
    "media-type-conflict",
    "media-type-shape",
    "oci-index-empty",
    "oci-manifest-missing",
    "schema1-count",
    "schema1-history",
    "two-copies",
    "TWO-IMAGES",
    "repositories-differ",
    "v1-id",
    "v1-loop",
    "v1-missing",
    # Layers
    "HDRDATA",
    "HIDDENTAIL",
    "MEDIATYPE",
    "PAXGLOBAL",
    "stream-damaged",
    "stream-tail",
    "tar-damaged",
]
"""The stable name of an anomaly; `docs/reference/anomalies.md` says what each means."""


class Anomaly(Shown, msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something odd that reading noticed, said and survived.

    `code` is stable (`docs/reference/anomalies.md`), `message` one sentence; `fatal` means that a real runtime
    refuses the layer or image because of it.
    """

    code: AnomalyCode
    """Stable name, listed in `docs/reference/anomalies.md`."""
    message: str
    """One sentence.  It may hold text of the image, unescaped."""
    where: Location = Location()
    """As exact as it is known."""
    fatal: bool = False
    """Whether a real runtime refuses the layer or image because of it."""
