"""The Dockerfile that a builder states beside the image: BuildKit's provenance of `mode=max`, which nobody signed.

An attestation manifest names an image by an annotation or by its subject, its blobs are in-toto statements.  Of those
that are about this very manifest the source, the lines of each build step and the layers after each step are read.
Whatever does not fit is said in one remark and not used.

Sources: BuildKit's docs/attestations/attestation-storage.md and slsa-definitions.md (SLSA v0.2 and v1), in-toto's
Statement, image-spec 1.1 manifest.md (`subject`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from imagepeel._display import Shown
from imagepeel.archive.records import ImageRecord
from imagepeel.evidence import Location
from imagepeel.history.builders import DEFAULT_SHELL, KEYWORDS, read_step
from imagepeel.limits import DEFAULT, Limits
from imagepeel.oci.config import HistoryStep, ImageConfig

if TYPE_CHECKING:
    from imagepeel.archive.attestation import Statement

_SLSA = "https://slsa.dev/provenance/"
_METADATA = ("buildkit_metadata", "https://mobyproject.org/buildkit@v1#metadata")
MOST_SOURCE = 1 << 20
"""Bytes of a Dockerfile that is read."""
_MOST_CHAINS = 20_000
Version = Literal["v0.2", "v1"]
_VERSIONS: dict[str, Version] = {_SLSA + "v0.2": "v0.2", _SLSA + "v1": "v1"}


class SourceLines(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """The lines of one instruction in the Dockerfile, from 1, the last one included."""

    first: int
    last: int


class Attested(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """The Dockerfile as the builder states it.

    version: that of the SLSA predicate.  lines: of the instruction that made each layer of the image, base first; null
    where the statement does not tell.  where: the blob that says so.
    """

    version: Version
    filename: str
    source: str
    lines: tuple[SourceLines | None, ...]
    where: Location = Location()

    def words(self, lines: SourceLines) -> str:
        """Return the instruction at some lines as one line, without comments and continuations."""
        return one_line(self.source.split("\n")[lines.first - 1 : lines.last])


class Attestations(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """What the archive holds: the Dockerfile as it is stated, None without one, and why something was not used.

    `wrong` are those of the remarks that tell of a statement that cannot be right or read.
    """

    attested: Attested | None = None
    remarks: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()


class _NotUsed(Exception):
    """Why a statement is not used, in words."""


class _Without(_NotUsed):
    """It is as it may be, and holds no Dockerfile."""


def attestations_of(records: Sequence[ImageRecord], image: ImageRecord, limits: Limits = DEFAULT) -> Attestations:
    """Return what the attestations of an archive state of one image.

    Arguments: `records` are all that the archive holds, `limits` bound what is read of a statement.
    """
    if image.digest is None:
        return Attestations()
    from imagepeel.archive.attestation import statements_of  # start time

    remarks: list[str] = []
    wrong: list[str] = []
    for statement in statements_of(records, str(image.digest), lambda kind: kind.startswith(_SLSA), limits):
        try:
            return Attestations(attested=_attested(statement, image), remarks=_once(remarks), wrong=_once(wrong))
        except _NotUsed as error:
            remarks.append(f"an attestation of this image is not used: {error}")
            wrong += remarks[-1:] if not isinstance(error, _Without) else []
    return Attestations(remarks=_once(remarks), wrong=_once(wrong))


def _once(words: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))


def _attested(statement: Statement, image: ImageRecord) -> Attested:
    if statement.why:
        raise (_NotUsed if statement.here else _Without)(statement.why)
    version = _VERSIONS.get(statement.predicate_type)
    if version is None:
        raise _NotUsed("its predicate is no provenance of SLSA v0.2 or v1")
    at = ("runDetails", "metadata") if version == "v1" else ("metadata",)
    stated = statement.predicate
    metadata = next((one for name in _METADATA if isinstance(one := _get(stated, *at, name), dict)), None)
    if metadata is None or not _items(metadata, "source", "infos"):
        raise _Without("it is without the Dockerfile, as with mode=min")
    index, info = _dockerfile(metadata)
    text = _source(info)
    layers = [str(layer.digest) for layer in image.layers]
    return Attested(
        version=version,
        filename=_text(info, "filename") or "Dockerfile",
        source=text,
        lines=_lines(metadata, index, layers, text.count("\n") + 1),
        where=statement.where,
    )


def _get(value: Any, *keys: str) -> Any:
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def _text(value: Any, *keys: str) -> str:
    found = _get(value, *keys)
    return found if isinstance(found, str) else ""


def _items(value: Any, *keys: str) -> list[Any]:
    found = _get(value, *keys)
    return found if isinstance(found, list) else []


def _dockerfile(metadata: Any) -> tuple[int, Any]:
    """Return the source that is a Dockerfile with its number, of several the first."""
    infos = _items(metadata, "source", "infos")
    chosen = next((n for n, info in enumerate(infos) if _text(info, "language").lower() == "dockerfile"), 0)
    return chosen, infos[chosen]


def _source(info: Any) -> str:
    stated = _text(info, "data")
    if not stated:
        raise _Without("it is without the Dockerfile")
    if len(stated) > 2 * MOST_SOURCE:
        raise _NotUsed("its Dockerfile has more than a megabyte")
    try:
        import base64  # start time

        return base64.b64decode(stated, validate=True).decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    except ValueError:
        raise _NotUsed("its Dockerfile is no base64") from None


def _lines(metadata: Any, source: int, layers: list[str], count: int) -> tuple[SourceLines | None, ...]:
    """Return the lines that made each layer, by the step after which the image has just so many layers."""
    ends: dict[int, SourceLines | None] = {}
    for step, chain in _chains(metadata):
        digests = [_text(one, "digest") for one in chain]
        size = len(digests)
        if digests == layers[:size] and ends.get(size) is None:
            ends[size] = _location(_get(metadata, "source", "locations", step), source, count)
    out: list[SourceLines | None] = [None] * len(layers)
    before = 0
    for size in sorted(ends):
        # A base image has many layers of one step; later, only the last one is surely of this step.
        for at in range(0 if not before else size - 1, size):
            out[at] = ends[size]
        before = size
    return tuple(out)


def _chains(metadata: Any) -> Iterator[tuple[str, list[Any]]]:
    """Yield (step, descriptors of all layers after it); the key is `step2:0`, the step and the number of its output."""
    found = _get(metadata, "layers")
    left = _MOST_CHAINS
    for name, chains in found.items() if isinstance(found, dict) else ():
        for chain in chains if isinstance(chains, list) else ():
            left -= 1
            if left < 0:
                return
            if isinstance(chain, list) and chain:
                yield str(name).partition(":")[0], chain


def _location(stated: Any, source: int, count: int) -> SourceLines | None:
    for place in _items(stated, "locations"):
        if (_get(place, "sourceIndex") or 0) != source:
            continue
        ranges = [(_get(one, "start", "line"), _get(one, "end", "line")) for one in _items(place, "ranges")]
        numbers = [number for pair in ranges for number in pair]
        if numbers and all(isinstance(number, int) and 1 <= number <= count for number in numbers):
            return SourceLines(first=min(numbers), last=max(numbers))
    return None


# ---- against the history ----------------------------------------------------------------------------------


class Disagreement(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """Where the history says another thing of a layer than the Dockerfile of the attestation.

    `layer` counts from 0, null for the image as a whole.  `stated` and `told` are the instruction of the Dockerfile and
    that of the history, each as one line.
    """

    layer: int | None
    lines: SourceLines | None
    stated: str
    told: str


def disagreements(
    attested: Attested, config: ImageConfig, steps: Sequence[tuple[int, ...]]
) -> tuple[Disagreement, ...]:
    """Return where an attestation contradicts the history, layer by layer.

    `steps` are the history steps that wrote each layer.  Only what both surely say is compared: the instruction, and of
    a RUN in shell form its command; a builder expands what other instructions copy.
    """
    history = config.history or ()
    if attested.lines and not any(attested.lines):
        whole = Disagreement(layer=None, lines=None, stated="other layers than the image has", told="")
        return (whole,)
    out = []
    for layer, (lines, wrote) in enumerate(zip(attested.lines, steps, strict=False)):
        if lines is None or len(wrote) != 1 or wrote[0] >= len(history):
            continue
        stated = attested.words(lines)
        told = _contradiction(stated, history[wrote[0]])
        if told:
            out.append(Disagreement(layer=layer, lines=lines, stated=stated, told=told))
    return tuple(out)


def _contradiction(stated: str, step: HistoryStep) -> str:
    """Return what the history says where it is another thing, "" where it is the same or nobody can tell."""
    keyword, _, rest = stated.partition(" ")
    keyword = keyword.upper()
    told = read_step(step, DEFAULT_SHELL)
    # The steps of a base image are those of another Dockerfile.
    if not told.keyword or keyword not in KEYWORDS or keyword == "FROM" or told.confidence == "unknown":
        return ""
    if keyword != told.keyword:
        return f"{told.keyword} {told.text}"
    if keyword != "RUN" or "<<" in rest or told.shell is None:
        return ""
    while rest.startswith("--"):
        rest = rest.partition(" ")[2].lstrip()
    if rest.startswith("[") or "<<" in told.text:
        return ""
    return "" if rest.split() == told.text.split() else f"RUN {told.text}"


def one_line(lines: Sequence[str]) -> str:
    """Return an instruction of a Dockerfile as one line: comments left out, continuations joined."""
    out: list[str] = []
    for line in lines:
        if line.lstrip().startswith("#") and out:
            continue
        out.append(line.rstrip().removesuffix("\\"))
    return " ".join(" ".join(out).split())


def lines_in_words(lines: SourceLines) -> str:
    """Return how lines are named to people: `line 6`, `lines 6-9`."""
    return f"line {lines.first}" if lines.first == lines.last else f"lines {lines.first}-{lines.last}"
