"""Choosing one image of an archive: by number, digest, name, tag or platform, and else by a rule that is said.

Nothing is chosen silently: the choice comes with its reason, and where nothing decides, the candidates are listed.
"""

from __future__ import annotations

import platform as _host
import re
from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from imagepeel._lazy import late
from imagepeel.archive.records import ImageRecord, IndexRecord
from imagepeel.errors import Ambiguous, NotFound, UsageError
from imagepeel.oci.descriptor import Platform
from imagepeel.oci.digest import Digest, short
from imagepeel.tables import go_name
from imagepeel.text import listed, plural

_NUMBER = late(r"#?(\d{1,9})")
_HEX = late(r"(?:([a-z0-9]+):)?([0-9a-f]{4,128})")
_SHOWN = 20
_NAMED = 8
"""Images that are named in the sentence about those that were not examined."""
_VARIANT = {"arm64": "v8", "arm": "v7", "amd64": "v1"}
"""The variant that an absent one means (containerd `platforms/database.go`)."""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The chosen image and the reason, as the end of a sentence that starts with "because"."""

    record: ImageRecord
    reason: str
    asked: bool = False
    """Whether somebody named it."""


def select(
    records: Sequence[ImageRecord],
    reference: str | None = None,
    platform: str | None = None,
    *,
    indexes: Sequence[IndexRecord] = (),
    host: str | None = None,
) -> Choice:
    """Return the image that was asked for, or the only one that can be meant.

    Arguments: `reference` is `#N` or N (a number from 1), a digest or a unique start of one (manifest or image
    id), a full or short name, or a tag; `platform` is `os/architecture[/variant]` or just an architecture;
    `host` replaces the platform of this machine.
    NotFound when nothing fits, Ambiguous (with the candidates and how to choose each) when several do, UsageError
    when `platform` is not of that form.
    """
    wanted = parse_platform(platform) if platform else None
    candidates = list(records)
    asked = ""
    if reference:
        candidates, asked = _by_reference(records, reference, indexes)
        if not candidates:
            raise NotFound(f"the archive has no image {reference}", hint=_offer(records))
        if len(candidates) == 1 and (wanted is None or _fits(candidates[0], wanted)):
            return Choice(record=candidates[0], reason=f"{asked} asks for it", asked=True)
    pool = _distinct(record for record in candidates if record.runnable)
    if not pool and not asked and wanted is None and len(candidates) == 1:
        return Choice(record=candidates[0], reason="it is all that the archive holds")
    if not pool:
        raise NotFound(_nothing_to_run(candidates, asked, indexes), hint=_offer(records, indexes))
    if wanted is not None:
        return _by_platform(pool, wanted, platform or "")
    prefix = f"of the images that {asked} asks for, " if asked else ""
    return _by_default(pool, prefix, host or host_platform())


def _distinct(records: Iterable[ImageRecord]) -> list[ImageRecord]:
    """Return the records without repetitions: a list may name one image twice, under two tags."""
    found: dict[object, ImageRecord] = {}
    kept = list(records)
    if len(kept) == 1:
        return kept
    again = Counter(record.image_id for record in kept)
    for record in kept:
        # Layers are compared where configs are the same, so that a thousand images cost a thousand steps.
        identity: object = id(record)
        if record.image_id and again[record.image_id] > 1:
            stored = tuple(layer.stored.key if layer.stored else None for layer in record.layers)
            identity = (record.image_id, stored)
        found.setdefault(identity, record)
    return list(found.values())


def others(records: Iterable[ImageRecord], chosen: ImageRecord) -> tuple[ImageRecord, ...]:
    """Return the images of an archive beside the chosen one, each once; those whose manifest is missing are left out.

    Nothing is beside an artifact: whoever looks at one asked for it, or there is nothing else.
    """
    if not chosen.runnable:
        return ()
    found = _distinct([chosen, *(record for record in records if record.runnable and record.available)])
    return tuple(record for record in found if record is not chosen)


def not_examined(number: int, beside: Sequence[str], examined: int = 1) -> str:
    """Return the sentence that says which images of an archive an answer is not about, without its full stop.

    `number` is that of the image that it is about, the first of `examined`; `beside` are the others as
    `ImageRecord.numbered` names them.
    """
    which = f"was examined, #{number}" if examined == 1 else "were examined"
    return f"{examined} of {plural(len(beside) + examined, 'image')} {which}: not {listed(beside, _NAMED)}"


def _by_default(pool: list[ImageRecord], prefix: str, host: str) -> Choice:
    if len(pool) == 1:
        return Choice(record=pool[0], reason=f"{prefix}it is the only image")
    here = [record for record in pool if record.available]
    if len(here) == 1:
        return Choice(record=here[0], reason=f"{prefix}it is the only one whose manifest is in the archive")
    # Of an image that was not read nobody knows whether it is complete.
    whole = [] if any(record.later for record in here) else [record for record in here if record.complete]
    if len(whole) == 1:
        return Choice(record=whole[0], reason=f"{prefix}it is the only complete image in the archive")
    pool = whole or here or pool
    fitting = _best(pool, parse_platform(host))
    # Two images for one platform are different images, not a choice of platform.
    if len(fitting) == 1 and len({str(record.platform) for record in pool}) == len(pool):
        return Choice(record=fitting[0], reason=f"{prefix}it is the one for {host}, the platform of this machine")
    raise Ambiguous(f"{len(pool)} images could be meant", hint=_offer(pool))


def _by_platform(pool: list[ImageRecord], wanted: Platform, text: str) -> Choice:
    fitting = _best(pool, wanted)
    if not fitting:
        known = ", ".join(dict.fromkeys(str(record.platform) for record in pool if record.platform))
        hint = f"choose one with --platform: {known}" if known else "no image states a platform: leave --platform out"
        raise NotFound(f"the archive has no image for {text}", hint=hint)
    here = [record for record in fitting if record.available] or fitting
    if len(here) == 1:
        return Choice(record=here[0], reason=f"it is the one for {text}")
    raise Ambiguous(f"{len(here)} images for {text} could be meant", hint=_offer(here))


def _by_reference(
    records: Sequence[ImageRecord], reference: str, indexes: Sequence[IndexRecord]
) -> tuple[list[ImageRecord], str]:
    number = _NUMBER.fullmatch(reference)
    if number and reference.startswith("#"):
        return _numbered(records, number), f"number {number[1]}"
    named = _by_name(records, reference)
    if named:
        return named, f"the name {reference}"
    # A tag may be all digits, so a bare number counts last.
    if number and (numbered := _numbered(records, number)):
        return numbered, f"number {number[1]}"
    name, at, digest = reference.rpartition("@")
    hexes = _HEX.fullmatch(digest if at else reference)
    if hexes:
        found = [record for record in records if any(_starts(known, hexes) for known in _digests(record))]
        for index in indexes:
            if index.digest and _starts(index.digest, hexes):
                known = {id(record) for record in found}
                found.extend(record for record in _below(records, index, indexes) if id(record) not in known)
        if at and name:
            found = [record for record in found if _by_name([record], name)] or found
        return found, f"the digest {digest if at else reference}"
    return [], ""


def _numbered(records: Sequence[ImageRecord], number: re.Match[str]) -> list[ImageRecord]:
    return [record for record in records if record.number == int(number[1])]


def _by_name(records: Iterable[ImageRecord], reference: str) -> list[ImageRecord]:
    """Return the records with that name: as written, else the same reference spelled differently, else the tag."""
    records = list(records)
    exact = [record for record in records if reference in record.tags]
    if exact:
        return exact
    full = normalise_reference(reference)
    same = [r for r in records if any(normalise_reference(tag) == full for tag in r.tags if _is_reference(tag))]
    if same:
        return same
    # A repository without a tag stands for all its tags when :latest is not there.
    if ":" not in reference.rpartition("/")[2]:
        repository = full.rpartition(":")[0]
        loose = [
            r
            for r in records
            if any(normalise_reference(t).rpartition(":")[0] == repository for t in r.tags if _is_reference(t))
        ]
        if loose:
            return loose
    return [record for record in records if any(tag.rpartition(":")[2] == reference for tag in record.tags)]


def _is_reference(tag: str) -> bool:
    """Say whether a name is a reference with a repository; `latest` alone in an OCI layout is only a tag."""
    return "/" in tag or ":" in tag


def normalise_reference(reference: str) -> str:
    """Return a name in full: `alpine` becomes `docker.io/library/alpine:latest`.

    Source: distribution/reference `ParseNormalizedNamed`: the first part is a registry when it has a dot or a
    colon, is `localhost` or has upper-case letters.
    """
    name, at, digest = reference.partition("@")
    repository, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        repository, tag = name, "" if at else "latest"
    first, slash, rest = repository.partition("/")
    if not slash or not (any(mark in first for mark in ".:") or first == "localhost" or first != first.lower()):
        first, rest = "docker.io", repository
    if first == "index.docker.io":
        first = "docker.io"
    if first == "docker.io" and "/" not in rest:
        rest = f"library/{rest}"
    return f"{first}/{rest}" + (f":{tag}" if tag else "") + (f"@{digest}" if at else "")


def familiar(reference: str) -> str:
    """Return a name as Docker shows it: without `docker.io/` and `library/`."""
    full = normalise_reference(reference) if _is_reference(reference) else reference
    return full.removeprefix("docker.io/library/").removeprefix("docker.io/")


def parse_platform(text: str) -> Platform:
    """Return the platform in `os/architecture[/variant]`, or of an architecture alone (os linux).

    Source: containerd `platforms.Parse` and `normalizeArch`.  UsageError when it has another form.
    """
    parts = text.strip().lower().split("/")
    if not 1 <= len(parts) <= 3 or not all(parts):
        raise UsageError(f"{text!r} is not a platform", hint="write os/architecture or os/architecture/variant")
    if len(parts) == 1:
        parts = ["linux", parts[0]]
    os, architecture = parts[0], parts[1]
    variant = parts[2] if len(parts) == 3 else ""
    if architecture in ("armhf", "armv7", "armv7l"):
        architecture, variant = "arm", variant or "v7"
    elif architecture in ("armel", "armv6", "armv6l"):
        architecture, variant = "arm", variant or "v6"
    return Platform(os=os, architecture=go_name(architecture), variant=variant)


def host_platform() -> str:
    """Return `linux/ARCHITECTURE` for this machine: containers are Linux wherever they are looked at."""
    return f"linux/{go_name(_host.machine() or 'amd64')}"


def _fits(record: ImageRecord, wanted: Platform) -> bool:
    return bool(_best([record], wanted))


def _best(pool: Iterable[ImageRecord], wanted: Platform) -> list[ImageRecord]:
    """Return the records whose platform runs on the wanted one, only the closest variant of them.

    An arm v7 machine runs v6 and v5 too, amd64 v3 runs v2 and v1; an arm64 without variant is v8.
    """
    ranked = [(rank, record) for record in pool if (rank := _distance(record.platform, wanted)) is not None]
    closest = min((rank for rank, _ in ranked), default=0)
    return [record for rank, record in ranked if rank == closest]


def _distance(have: Platform | None, wanted: Platform) -> int | None:
    if have is None or have.os.lower() != wanted.os:
        return None
    architecture = go_name(have.architecture)
    if architecture != wanted.architecture:
        return None
    default = _VARIANT.get(architecture, "")
    mine, other = have.variant.lower() or default, wanted.variant or default
    if mine == other:
        return 0
    if architecture in ("arm", "amd64", "arm64") and mine[1:].isdigit() and other[1:].isdigit():
        gap = int(other[1:]) - int(mine[1:])
        return gap if gap > 0 else None
    return None


def _digests(record: ImageRecord) -> list[str]:
    found = [record.digest, record.image_id]
    if record.config_descriptor is not None:
        found.append(record.config_descriptor.digest)
    return [digest for digest in found if digest]


def _starts(digest: str, wanted: re.Match[str]) -> bool:
    algorithm, _, encoded = digest.partition(":")
    return encoded.startswith(wanted[2]) and wanted[1] in (None, algorithm)


def _below(records: Sequence[ImageRecord], index: IndexRecord, indexes: Sequence[IndexRecord]) -> Iterable[ImageRecord]:
    by_digest = {other.digest: other for other in indexes if other.digest}
    children: set[str] = set()
    pending = [index]
    while pending:
        for child in pending.pop().children:
            if child not in children:
                children.add(child)
                if child in by_digest:
                    pending.append(by_digest[Digest(child)])
    return [record for record in records if record.digest in children]


UNFOLLOWED = "indexes nest deeper than they are followed"


def _none_named(indexes: Sequence[IndexRecord]) -> str:
    """Return what is known of an archive in which no image was found; indexes may lie deeper than they are followed."""
    if all(index.followed for index in indexes):
        return "the archive names no image"
    return f"no image was found: {UNFOLLOWED}"


def _nothing_to_run(records: Sequence[ImageRecord], asked: str, indexes: Sequence[IndexRecord]) -> str:
    what = "nothing that was asked for" if asked else "nothing in the archive"
    if not records:
        return _none_named(indexes)
    kinds = ", ".join(dict.fromkeys(record.kind for record in records))
    return f"{what} is an image for a container ({kinds})"


def _offer(records: Sequence[ImageRecord], indexes: Sequence[IndexRecord] = ()) -> str:
    """Return the candidates in one line, and the option that chooses one."""
    if not records and not all(index.followed for index in indexes):
        return "copy one image out of it by its digest, with a tool that follows them"
    if not records:
        return "save the image again by its name, or look into the file with imagepeel images"
    shown = "; ".join(describe(record) for record in records[:_SHOWN])
    more = f"; and {len(records) - _SHOWN} more" if len(records) > _SHOWN else ""
    return f"choose one of: {shown}{more}; with --image '#{records[0].number}'"


def describe(record: ImageRecord) -> str:
    """Return one line about a record: its number, name or digest, platform, and whether something is missing."""
    digest = record.digest or record.image_id
    parts = [f"#{record.number}", record.tags[0] if record.tags else short(digest) if digest else "unnamed"]
    if record.platform is not None and str(record.platform):
        parts.append(f"({record.platform})")
    if not record.runnable:
        parts.append(f"[{record.kind}]")
    elif record.later is not None:
        parts.append("[not read yet]")
    elif not record.available:
        parts.append("[not in the archive]")
    elif not record.complete:
        parts.append("[incomplete]")
    return " ".join(parts)
