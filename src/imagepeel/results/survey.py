"""What `survey --json` writes: what the facts of a fleet come to.  Each share says of how many images it speaks."""

from __future__ import annotations

import msgspec

from imagepeel._display import Shown
from imagepeel.results.lineage import LineageNode, SourceFailure


class Share(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """How many images are so, how many are not, and of how many it is not known: those are neither."""

    what: str
    yes: int
    no: int
    unknown: int
    """Count of images of which it is not known: not examined, incomplete, or without proof either way."""

    @property
    def known(self) -> int:
        """Of how many images it is known."""
        return self.yes + self.no

    @property
    def fraction(self) -> float | None:
        """`yes` over what is known, 0.0 to 1.0; None where nothing is."""
        return self.yes / self.known if self.known else None


class EngineStarts(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """How the images start on one engine."""

    engine: str
    """Full name with version."""
    runs: int
    fails: int
    depends: int
    """Count of images whose start depends on the host."""
    unknown: int
    """Count of examined images of which it cannot be proved."""
    not_seen: int
    """Count of images that were not examined."""


class FailureCount(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One way to fail, and how many images fail so on at least one engine."""

    failure: str
    images: int


class RuleCount(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One rule, and in how many images it found something."""

    rule: str
    images: int


class CauseBytes(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of all complete images that one cause makes unreachable, each image counted for itself."""

    cause: str
    content: int
    """Decompressed bytes."""
    images: int
    """Count of images that have any."""


class LayerSharing(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """How layers are shared between images, by the digest of their stored bytes."""

    uses: int
    """Count of layers of all examined images, those that are not here left out."""
    distinct: int
    """Count of distinct ones that were read."""
    used_bytes: int
    """Stored bytes, counted once for each image."""
    distinct_bytes: int
    """Stored bytes, counted once."""
    distinct_diff_ids: int
    """Count of distinct contents: one may be stored under several compressions."""
    damaged: int
    """Count of distinct layers that break off."""


class FileSharing(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """How file contents are shared between distinct layers, by SHA-256."""

    files: int
    """Count of regular files with content, in layers of distinct content."""
    content_bytes: int
    """Their bytes."""
    unique: int
    """Count of distinct contents."""
    unique_bytes: int
    """Bytes of them, each counted once."""
    not_hashed: int
    """Count of files of which no digest is known: sparse ones, and those that are cut off."""


class SurveyResult(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """What the facts of a fleet come to."""

    out: str
    """The folder of the facts."""
    form: str
    """`parquet` or `jsonl`."""
    sources: int
    """Count of sources that were named or found."""
    passed_over: int
    """Count of files in the folders that look like no archive and were not opened."""
    failed: int
    """Count of sources that could not be read, or not all of it."""
    failures: tuple[SourceFailure, ...]
    """The first of them, by name."""
    images: int
    """Count of images in sources whose documents could be read."""
    examined: int
    """Count of images whose layers were read."""
    incomplete: int
    """Count of examined images of which a layer or the config is missing or damaged."""
    shares: tuple[Share, ...]
    """Questions that are answered by yes or no for each image."""
    starts: tuple[EngineStarts, ...]
    start_failures: tuple[FailureCount, ...]
    """Most frequent first."""
    rules: tuple[RuleCount, ...]
    """Most frequent first."""
    layers: LayerSharing
    files: FileSharing
    unreachable: tuple[CauseBytes, ...]
    """Largest first."""
    content_bytes: int
    """Decompressed bytes of the images that `unreachable` speaks of."""
    accounted: int
    """Count of images that `unreachable` speaks of: the complete ones."""
    packages: int
    """Count of distinct packages, by package URL, that images still have."""
    nodes: tuple[LineageNode, ...]
    """The forest of bases, the trees with the most images first; the table `lineage` has all of it."""
    nodes_total: int | None
    """Count of its nodes; null where the fleet is so large that the table alone tells."""
    unplaced: int
    """Count of images with a layer whose DiffID no document states."""
