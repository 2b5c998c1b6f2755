"""Names of tar entries: twice in a layer, outside the root, colliding without case, or made to fool a terminal."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING

from imagepeel.evidence import text
from imagepeel.findings.finding import Finding
from imagepeel.findings.names import Hit
from imagepeel.findings.rule import Rule, rule
from imagepeel.findings.rules.entries.rules import paths_of, places_of
from imagepeel.formats.tar.header import DIRECTORY, HARDLINK, PAX_GLOBAL
from imagepeel.formats.tar.table import ESCAPES, clean
from imagepeel.rootfs.engines.indexed import IndexedDirectory
from imagepeel.text import listed, plural

if TYPE_CHECKING:
    from imagepeel.findings.subject import Subject
    from imagepeel.layers.layer import Layer

_CONTROL = re.compile(
    rb"[\x00-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\x8e\x8f\xaa-\xae]|\xe2\x81[\xa6-\xa9]|\xd8\x9c|\xef\xbb\xbf"
)
_CONTROL_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\u061c]")
_PRINTABLE = bytes(range(0x20, 0x7F))
_SUSPICIOUS = frozenset((*range(0x20), 0x7F, 0xC2, 0xD8, 0xE2, 0xEF))
"""Bytes that control characters and direction marks start with in UTF-8."""


def _repeats(subject: Subject, layer: Layer) -> tuple[bool, bool]:
    """Whether two entries of a layer have the same path, and whether two have it when case does not count.

    Counting distinct names answers for nearly every layer at once; only then do rules look for the entries.
    """
    key = f"repeats {layer.index}"
    known: tuple[bool, bool] | None = subject.cache.get(key)
    if known is None:
        names = layer.table.names
        mixed = names.lower() != names
        uppers = subject.rootfs.uppers
        root = uppers[layer.index].root if layer.index < len(uppers) else None
        # A layer that the view keeps as columns was found to have each name once in each directory.
        groups = root.indexed.runs if isinstance(root, IndexedDirectory) else None
        if groups is None:
            known = _counted(layer, mixed)
        else:
            folded = mixed and any(
                len(set(map(bytes.lower, inside))) < len(inside)
                for inside in map(groups.names_in, range(len(layer.table.dirs)))
            )
            known = (False, folded)
        subject.cache[key] = known
    return known


def _counted(layer: Layer, mixed: bool) -> tuple[bool, bool]:
    dirs, ends, names = layer.table.dir_ids, layer.table.name_ends, layer.table.names
    starts = [0, *ends[:-1]] if len(ends) else []
    pairs = [(at, names[start:end]) for at, start, end in zip(dirs, starts, ends, strict=True)]
    exact = len(set(pairs))
    folded = len({(at, name.lower()) for at, name in pairs}) if mixed else exact
    return exact < len(pairs), folded < exact


@rule(
    "DUPLICATE-ENTRY",
    "A path is twice in one layer",
    "low",
    "strengths",
    "tooling",
    """The specification forbids it.  Runtimes let the last entry win, some tools the first: what a scanner looked at
    may not be what runs, and the first copy is shipped for nothing.""",
    "pack each path once; beware of tar -r",
    codes="DUP",
    sources="image-spec layer.md",
)
def duplicate_entry(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for layer in subject.layers:
        table = layer.table
        if not _repeats(subject, layer)[0]:
            continue
        dirs, metas = table.dir_ids, table.meta_ids
        seen: set[tuple[int, bytes]] = set()
        twice = []
        for index, directory in enumerate(dirs):
            key = (directory, table.basename(index))
            if key in seen:
                if table.metas[metas[index]].type not in (DIRECTORY, PAX_GLOBAL):
                    twice.append(index)
            else:
                seen.add(key)
        if not twice:
            continue
        hits = [Hit(layer.index, index, b"/" + table.path(index)) for index in twice]
        yield rule.found(
            f"layer {layer.label} has {plural(len(hits), 'path')} twice: {paths_of(hits)}; the last entry wins",
            *places_of(subject, hits),
        )


@rule(
    "OUTSIDE-NAME",
    "An entry name climbs out of the root",
    "medium",
    "headcount",
    "infosec",
    """`../x` should never be in a layer.  Runtimes clamp it to /x or refuse it; careless tools write outside the target
    directory, which has been a security hole every year.""",
    "do not unpack this image with anything but a container engine",
    codes="DOTDOT",
    sources="CVE-2021-29136, CVE-2026-28406, GoogleContainerTools/kaniko",
)
def outside_name(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for layer in subject.layers:
        table = layer.table
        flags = table.flag_bits
        if any(flag & ESCAPES for flag in frozenset(flags)):
            hits = [Hit(layer.index, i, b"/" + table.path(i)) for i, flag in enumerate(flags) if flag & ESCAPES]
            raw = listed([repr(text(table[hit.entry].raw_name)) for hit in hits], 3)
            yield rule.found(
                f"layer {layer.label} has {plural(len(hits), 'name')} outside the root: {raw}; engines write "
                f"{paths_of(hits, 3)}",
                *places_of(subject, hits),
            )
        climbing = [
            i
            for i, target in table.links.items()
            if b".." in target and table.meta(i).type == HARDLINK and clean(target)[1]
        ]
        if climbing:
            hits = [Hit(layer.index, i, b"/" + table.path(i)) for i in climbing]
            raw = listed([repr(text(table.links[i])) for i in climbing], 3)
            yield rule.found(
                f"layer {layer.label} has {plural(len(hits), 'hardlink')} to a target outside the root: {raw}",
                *places_of(subject, hits),
            )


@rule(
    "CASE-COLLISION",
    "Two names differ only in case",
    "info",
    "strengths",
    "internal adoption",
    """Linux keeps both.  On macOS and Windows disks one replaces the other when the image is unpacked or a directory is
    mounted.""",
    "rename one of them",
    codes="CASE",
    sources="APFS, NTFS case sensitivity",
)
def case_collision(rule: Rule, subject: Subject) -> Iterator[Finding]:
    pairs: list[tuple[Hit, Hit]] = []
    for layer in subject.layers:
        if not _repeats(subject, layer)[1]:
            continue
        table = layer.table
        dirs, ends, names = table.dir_ids, table.name_ends, table.names
        upper: dict[tuple[int, bytes], int] = {}
        start = 0
        for index, end in enumerate(ends):
            name = names[start:end]
            start = end
            low = name.lower()
            if low != name:
                key = (dirs[index], low)
                known = upper.setdefault(key, index)
                if known != index and table.basename(known) != name:
                    pairs.append(_pair(layer, known, index))
        if not upper:
            continue
        start = 0
        for index, end in enumerate(ends):
            other = upper.get((dirs[index], names[start:end]))
            start = end
            if other is not None:
                pairs.append(_pair(layer, other, index))
    pairs = [pair for pair in pairs if subject.visible(pair[0]) and subject.visible(pair[1])]
    if pairs:
        shown = [f"{text(one.path)} and {text(two.path.rpartition(b'/')[2])}" for one, two in pairs]
        yield rule.found(
            f"{plural(len(pairs), 'pair')} of names that differ only in case: {listed(shown, 2)}",
            *[subject.place(hit) for pair in pairs[:5] for hit in pair],
        )


def _pair(layer: Layer, one: int, two: int) -> tuple[Hit, Hit]:
    return (
        Hit(layer.index, one, b"/" + layer.table.path(one)),
        Hit(layer.index, two, b"/" + layer.table.path(two)),
    )


@rule(
    "CONTROL-CHARACTERS",
    "A name or a text tries to write on the terminal",
    "low",
    "headcount",
    "infosec",
    """File names may hold every byte but slash and zero.  Escape sequences colour, move or erase what a terminal shows,
    and direction marks make a name read backwards: what people see is not what is there.""",
    "rename the file, and look at it only with tools that escape names",
    codes="CTRLCHAR",
    sources="UAX 9, CVE-2021-42574",
)
def control_characters(rule: Rule, subject: Subject) -> Iterator[Finding]:
    hits: list[Hit] = []
    for layer in subject.layers:
        table = layer.table
        ends, names = table.name_ends, table.names
        # Printable ASCII is nearly all there is; what is left says whether a closer look can find anything.
        if not _SUSPICIOUS & set(names.translate(None, _PRINTABLE)):
            continue
        found = set()
        for match in _CONTROL.finditer(names):
            found.add(bisect_right(ends, match.start()))
            if len(found) >= 200:
                break
        # The match may stand at the join of two names; the name itself decides.
        hits.extend(
            Hit(layer.index, i, b"/" + table.path(i)) for i in sorted(found) if _CONTROL.search(table.basename(i))
        )
    if hits:
        yield rule.found(
            f"{plural(len(hits), 'file name')} with control characters: "
            f"{listed([repr(text(hit.path)) for hit in hits], 3)}",
            *places_of(subject, hits),
        )
    texts = [(f"/config/Env/{i}", entry) for i, entry in enumerate(subject.config.env)]
    texts += [("/config/Entrypoint", word) for word in subject.run.entrypoint or ()]
    texts += [("/config/Labels", key + value) for key, value in subject.config.labels.items()]
    texts += [(f"/history/{i}/created_by", step.created_by) for i, step in enumerate(subject.image.history)]
    loud = [pointer for pointer, value in texts if _CONTROL_TEXT.search(value)]
    if loud:
        yield rule.found(
            f"the config has control characters at {listed(list(dict.fromkeys(loud)), 3)}",
            *[subject.pointer(pointer) for pointer in dict.fromkeys(loud[:10])],
        )


RULES: tuple[Rule, ...] = (duplicate_entry, outside_name, case_collision, control_characters)
