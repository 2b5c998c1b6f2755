"""In-toto statements that an archive holds about an image: which are there, and why one cannot be used.

An attestation manifest names an image by an annotation of the index or by its subject; its blobs are statements.  They
are claims: nobody checks a signature here.

Sources: BuildKit's docs/attestations/attestation-storage.md, in-toto's Statement, image-spec 1.1 manifest.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from imagepeel.archive.records import ImageRecord, LayerRecord, RecordKind
from imagepeel.errors import ImagepeelError
from imagepeel.evidence import Location
from imagepeel.limits import DEFAULT, Limits
from imagepeel.oci.json_document import parse_json
from imagepeel.text import plural

REFERENCE_DIGEST = "vnd.docker.reference.digest"
_PREDICATE = "in-toto.io/predicate-type"
_STATEMENT = "https://in-toto.io/Statement/"
_MOST_STATEMENTS = 32


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """One statement about the image.

    `predicate` is its parsed JSON; where `why` is not "", it cannot be used, for that reason, and `here` says whether
    that is because of what it holds: False where its bytes are not in the archive.
    """

    predicate_type: str
    predicate: Any = None
    where: Location = Location()
    why: str = ""
    here: bool = True


def statements_of(
    records: Sequence[ImageRecord],
    digest: str,
    wanted: Callable[[str], bool],
    limits: Limits = DEFAULT,
) -> Iterator[Statement]:
    """Yield the statements about the image whose manifest has a digest, in the order of the archive.

    Arguments: `records` are all that the archive holds, read to their end; `wanted` says of a predicate type whether it
    is asked for, so that the others are not read where an annotation names theirs.  `limits` bound one statement.
    """
    for record in records:
        if record.kind is not RecordKind.ATTESTATION or not _is_about(record, digest):
            continue
        if not record.layers:
            yield Statement(predicate_type="", why="it is named and is not in the archive", here=False)
        for blob in record.layers[:_MOST_STATEMENTS]:
            stated = blob.annotations.get(_PREDICATE, "")
            if stated and not wanted(stated):
                continue
            found = _statement(blob, stated, digest, limits)
            if found.why or wanted(found.predicate_type):
                yield found
            elif stated:
                yield msgspec.structs.replace(found, why="its predicate is not of the type that its annotation says")


def _is_about(record: ImageRecord, digest: str) -> bool:
    return str(record.subject) == digest or record.annotations.get(REFERENCE_DIGEST) == digest


def _statement(blob: LayerRecord, stated: str, digest: str, limits: Limits) -> Statement:
    try:
        value, why = _read(blob, limits)
    except ImagepeelError as error:
        value, why = None, error.what
    kind = value.get("predicateType") if isinstance(value, dict) else None
    kind = kind if isinstance(kind, str) else stated
    if not why and digest.partition(":")[2] not in _subjects(value):
        why = "its subject is another image"
    predicate = value.get("predicate") if isinstance(value, dict) and not why else None
    return Statement(
        predicate_type=kind, predicate=predicate, where=blob.location, why=why, here=blob.stored is not None
    )


def _read(blob: LayerRecord, limits: Limits) -> tuple[Any, str]:
    """Return the JSON of a statement, or why it is none."""
    if blob.stored is None:
        return None, "its bytes are not in the archive"
    source = blob.source()
    if source.size > limits.json_bytes:
        return None, f"it has {plural(source.size, 'byte')}"
    data = source.pread(0, source.size)
    if blob.digest is not None and str(blob.digest) != "sha256:" + hashlib.sha256(data).hexdigest():
        return None, "its bytes contradict its digest"
    value, _ = parse_json(data, blob.location, limits)
    kind = value.get("_type") if isinstance(value, dict) else None
    if not isinstance(kind, str) or not kind.startswith(_STATEMENT):
        return None, "it is no in-toto statement"
    return value, ""


def _subjects(value: Any) -> list[str]:
    listed = value.get("subject") if isinstance(value, dict) else None
    out: list[str] = []
    for one in listed if isinstance(listed, list) else ():
        digests = one.get("digest") if isinstance(one, dict) else None
        found = digests.get("sha256") if isinstance(digests, dict) else None
        if isinstance(found, str):
            out.append(found)
    return out
