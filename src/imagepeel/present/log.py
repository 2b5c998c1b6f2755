"""The versions of a path, or what one layer does to each, with their patches."""

from __future__ import annotations

from collections.abc import Iterator

from imagepeel.evidence import Evidence, layer_label, step_number
from imagepeel.history.attested import lines_in_words
from imagepeel.present.document import (
    Document,
    DocumentBlock,
    Item,
    Lines,
    Section,
    Span,
    bad,
    dim,
    item,
    items,
    path,
    say,
    section,
    words,
)
from imagepeel.present.heading import about, brief_step
from imagepeel.present.trace import KINDS, node_in_words
from imagepeel.results.log import LogResult, PathVersion
from imagepeel.text import joined, number, plural, short_digests, size
from imagepeel.versions.changes import Difference
from imagepeel.versions.content import Content, ElfBrief

_MOST_CHANGES = 40
"""Differences of one version that are told; --json has all."""


def log_document(result: LogResult) -> Document:
    """Return a section for each version, base layer first: GNU patch takes all of them in this order."""
    if result.layer is not None and not result.asked:
        return about(result.image, *_layer(result), _unseen(result))
    title = words(path(result.reached), "" if result.present else bad("  is not in this view"))
    if not result.versions:
        missing = "no layer has this path" if not result.unseen else "no layer that is here has this path"
        if result.layer is not None:
            missing = "this layer does nothing to it"
        said = missing if result.reached.strip("/") else "the root directory of the image"
        return about(result.image, section(say(said), title=title), _unseen(result))
    shown = (section(*_version(version, every=False)) for version in result.versions)
    return about(result.image, section(title=title), *shown, noted(result.note), _unseen(result))


def _layer(result: LogResult) -> Iterator[Section | None]:
    if not result.versions:
        yield section(say("This layer changes nothing."))
        return
    first = result.versions[0]
    kinds = [version.kind for version in result.versions]
    counts = [f"{number(kinds.count(kind))} {kind}" for kind in dict.fromkeys(kinds)]
    step = brief_step(first.created_by)
    of_step = f", step {step_number(first.step)}" if first.step is not None else ""
    yield section(items(item(joined(counts), dim(f"   {step}") if step else "", label=f"{first.label}{of_step}")))
    plain: list[Item] = []
    for version in result.versions:
        if version.patch is None:
            plain.append(_event(version, every=True))
            continue
        if plain:
            yield section(items(*plain))
            plain = []
        yield section(*_version(version, every=True))
    if plain:
        yield section(items(*plain))
    if result.left_out:
        yield section(say(f"{plural(result.left_out, 'more path')} not shown.", level="warn"))


def _version(version: PathVersion, *, every: bool) -> Iterator[DocumentBlock]:
    yield items(_event(version, every=every))
    if version.patch is not None:
        yield Lines(lines=version.patch, language="diff")


def _event(version: PathVersion, *, every: bool) -> Item:
    """Return one version; `every` names its path, where the version is one of many."""
    below = [item(dim(said), keep=True) for said in _below(version)]
    place = "" if every else step_of(version)
    name: Span | str = words_of_path(version) if every else ""
    return item(
        Span(f"{version.kind:<9}", KINDS.get(version.kind, "plain")),
        name,
        "  " if every else "",
        what(version),
        dim(f"   {place}") if place else "",
        label="" if every else f"{version.label:<2}",
        keep=True,
        by=Evidence(receipts=(version.receipt,) if version.receipt is not None else ()),
        below=below,
    )


def words_of_path(version: PathVersion) -> Span:
    return path(version.path)


def step_of(version: PathVersion) -> str:
    """Return the step of a version in a few words, with its time."""
    step = f"step {step_number(version.step)}" if version.step is not None else ""
    parts = (step, source_of(version), version.created[:10], brief_step(version.created_by))
    return "  ".join(part for part in parts if part)


def source_of(version: PathVersion) -> str:
    """Return the lines of the Dockerfile that made a version, "" where no attestation states them."""
    return f"Dockerfile {lines_in_words(version.source)}" if version.source is not None else ""


def what(version: PathVersion) -> str:
    """Return what is there after a version, in a few words."""
    if version.kind == "removed" or version.node is None:
        if version.by == "whiteout" and version.by_path != version.path:
            return f"by a whiteout of {version.by_path}"
        return {"whiteout": "by a whiteout", "opaque": f"{version.by_path} is made opaque"}.get(version.by, "")
    said = node_in_words(version.node)
    if version.content is not None:
        said += f", {content_in_words(version.content)}"
    said += ", lower content hidden" if version.kind == "opaque" else ""
    # All else stands below.
    return said + (" (only its time changed)" if version.fields == ("mtime",) else "")


def content_in_words(content: Content) -> str:
    """Return what a file holds in a few words."""
    if content.kind == "unread":
        return f"not read: {content.why}"
    if content.kind == "text":
        said = f"text of {plural(content.lines, 'line')}"
        said += f", {content.encoding}" if content.encoding not in ("", "ascii", "utf-8") else ""
        said += f", {content.line_ends}" if content.line_ends not in ("", "LF") else ""
        return said + ("" if content.ends_in_newline else ", no newline at its end")
    said = "ELF" if content.kind == "elf" else "binary"
    return said + (f", {short_digests(content.digest)}" if content.digest else "")


def _below(version: PathVersion) -> Iterator[str]:
    told = [said for found in version.changes if (said := _difference(found))]
    if version.content is not None and version.content.elf is not None and not version.changes:
        told += _elf(version.content.elf)
    yield from told[:_MOST_CHANGES]
    if len(told) > _MOST_CHANGES:
        yield f"{plural(len(told) - _MOST_CHANGES, 'more difference')}: --json has all"
    if version.cut:
        counts = f"{plural(version.added, 'line')} added, {number(version.removed)} removed"
        yield f"{counts}: too many to show"
    if version.hidden_by is not None and version.node is not None and version.node.kind != "dir":
        yield f"{layer_label(version.hidden_by)} hides it, {version.label} still ships it"
    if version.unseen:
        yield f"{joined(version.unseen)} may have brought it: not here whole, and not seen"


def _elf(brief: ElfBrief) -> Iterator[str]:
    """Yield what an ELF file needs that has no version before it."""
    if brief.damage:
        yield f"it cannot be read: {brief.damage}"
    if brief.interpreter:
        yield f"interpreter {brief.interpreter}"
    if brief.needed:
        yield f"NEEDED {' '.join(brief.needed)}"
    for name, value in (("rpath", brief.rpath), ("runpath", brief.runpath), ("build-id", brief.build_id)):
        if value:
            yield f"{name} {value}"


def _difference(found: Difference) -> str:
    if found.what == "type":
        return f"{found.before} became {found.after}"
    if found.what == "size":
        return f"size {size(int(found.before))} to {size(int(found.after))}"
    if found.what == "digest":
        return ""
    name = "NEEDED" if found.what == "needed" else found.what
    if not found.before:
        return f"{name} {found.after} added"
    if not found.after:
        return f"{name} {found.before} removed"
    return f"{name} {found.before} to {found.after}"


def noted(note: str) -> Section | None:
    """Return what is to be said of a view that keeps no trees of its layers, None for nothing."""
    return section(say(note, level="warn")) if note else None


def _unseen(result: LogResult) -> Section | None:
    return unseen_section(result.unseen)


def unseen_section(labels: tuple[str, ...]) -> Section | None:
    """Return what is to be said of layers that were not seen, None without any."""
    if not labels:
        return None
    verb = "is" if len(labels) == 1 else "are"
    said = f"{joined(labels)} {verb} not here whole: versions in it were not seen, so what is first here may be older."
    return section(say(said.replace("in it", "in it" if len(labels) == 1 else "in them"), level="warn"))
