"""What differs: layers, config, process, and path by path."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from typing import Any

from imagepeel.evidence import layer_label
from imagepeel.history.builders import instruction
from imagepeel.masking import masked_value
from imagepeel.present.document import (
    Document,
    Item,
    Level,
    Section,
    Span,
    SpanKind,
    Text,
    bad,
    code,
    dim,
    good,
    item,
    items,
    say,
    section,
    words,
)
from imagepeel.present.heading import brief_step, heading, named, others_in_words
from imagepeel.results.diff import DiffNode, DiffPath, DiffResult
from imagepeel.results.difference import LayerMatch, LayersDifference, ValueChange
from imagepeel.results.files import FileWay
from imagepeel.results.package_changes import PackagesDifference
from imagepeel.text import number, plural, short_digests, size, title

MOST_PACKAGES = 40
"""Packages that are listed without --all."""
_SIGN: dict[str, tuple[str, Level]] = {"added": ("+", "good"), "removed": ("-", "bad"), "changed": ("~", "warn")}
_LINE: dict[str, SpanKind] = {"+": "good", "-": "bad", "@": "path"}


def diff_document(result: DiffResult, *, every: bool) -> Document:
    """Return what differs; `every` lists what is in a directory that one side lacks path by path."""
    sections = [
        _sides(result),
        _layers(result.layers) if result.layers is not None else None,
        _config(result.config) if result.config is not None else None,
        _process(result.process) if result.process is not None else None,
        _packages(result.packages, every) if result.packages is not None else None,
        _tree(result, every),
        _files(result) if result.files is not None else None,
    ]
    one, other = named(result.first.archive), named(result.second.archive)
    alone = result.first_layers is not None
    return Document(
        title=one if alone else f"{one} and {other}",
        headline=heading(result.first) if alone else (),
        sections=tuple(
            found for found in (*sections, _not_known(result, alone), _others(result, alone)) if found is not None
        ),
    )


def _ends(result: DiffResult, alone: bool) -> tuple[Section | None, ...]:
    return _not_known(result, alone), _others(result, alone)


def _not_known(result: DiffResult, alone: bool) -> Section | None:
    """What neither side or one side cannot tell, and that nothing else follows from nothing that differs."""
    heads = [("", result.first)] if alone else [("- ", result.first), ("+ ", result.second)]
    told = [item(f"{sign}{title(str(gap))}.", level="warn") for sign, head in heads for gap in head.not_known]
    if not told:
        return None
    end = [say("So nobody can tell whether they are the same.", level="warn")] if result.different is None else []
    return section(items(*told), *end, title="Not known")


def _others(result: DiffResult, alone: bool) -> Section | None:
    """Which images of each archive are on neither side."""
    heads = [("", result.first)] if alone else [("- ", result.first), ("+ ", result.second)]
    told = [item(f"{sign}{said}") for sign, head in heads if (said := others_in_words(head))]
    return section(items(*told)) if told else None


def _sides(result: DiffResult) -> Section:
    if result.first_layers is not None and result.second_layers is not None:
        first, second = (f"L1 to {layer_label(top - 1)}" for top in (result.first_layers, result.second_layers))
        return section(say(f"{first} against {second}, {result.view} view"))
    sides = (bad("- "), heading(result.first)), (good("+ "), heading(result.second))
    return section(items(*(item(sign, _spaced(facts), keep=True) for sign, facts in sides)))


def _spaced(facts: tuple[Span, ...]) -> Text:
    return words(*(words("   " if at else "", fact) for at, fact in enumerate(facts)))


def _title(what: str, note: str = "") -> str:
    return f"{what}: {note}" if note else what


def _layers(found: LayersDifference) -> Section:
    same = plural(len(found.shared), "layer") + " shared"
    if found.prefix:
        same += f", the first {found.prefix} from the base on" if found.prefix > 1 else ", the base"
    same += f", {size(sum(layer.content_size for layer in found.shared))} of content"
    rows = [
        _layer(kind, one)
        for kind, side in (("removed", found.only_first), ("added", found.only_second))
        for one in side
    ]
    return section(items(item(same), *rows), title="Layers")


def _layer(kind: str, layer: LayerMatch) -> Item:
    sign, level = _SIGN[kind]
    index = layer.first if layer.first is not None else layer.second
    step = brief_step(layer.created_by, "(no history step)")
    return item(f"{sign} {layer_label(index or 0)}  {size(layer.content_size)}  ", step, level=level, keep=True)


def _config(changes: tuple[ValueChange, ...]) -> Section:
    rows = [_value(change) for change in changes if not change.pointer.startswith("/history/")]
    rows += _history([change for change in changes if change.pointer.startswith("/history/")])
    return _changes("Config", rows)


def _process(changes: tuple[ValueChange, ...]) -> Section:
    return _changes("Process", list(map(_value, changes)))


def _packages(found: PackagesDifference, every: bool) -> Section:
    told = ((found.added, "added"), (found.removed, "removed"), (found.changed, "changed"))
    counts = ", ".join(f"{number(count)} {word}" for count, word in told if count) or "the same"
    shown = found.changes if every else found.changes[:MOST_PACKAGES]
    rows = []
    for change in shown:
        sign, level = _SIGN[change.kind]
        versions = " -> ".join(version for version in (change.before, change.after) if version)
        sizes = (change.content_before, change.content_after)
        note = " -> ".join(dict.fromkeys(size(count) for count in sizes)) if all(sizes) else size(sum(sizes))
        rows.append(
            item(f"{sign} ", dim(f"{change.family} "), f"{change.name} {versions}", dim(f"  {note}"), level=level)
        )
    left = len(found.changes) - len(shown)
    more = [item(dim(f"{number(left)} more: diff --all"))] if left else []
    unread = [say("Not all of both could be read: a package may be on the other side, too.", level="warn")]
    return section(
        *([items(*rows, *more)] if rows else []),
        *(unread if not found.complete else []),
        title=_title("Packages", counts if found.complete or found.changes else "not known"),
    )


def _changes(what: str, rows: list[Item]) -> Section:
    return section(items(*rows), title=what) if rows else section(title=_title(what, "the same"))


def _value(change: ValueChange) -> Item:
    before, after = (
        masked_value(change.pointer.rpartition("/")[2], value) if isinstance(value, str) else value
        for value in (change.before, change.after)
    )
    below = []
    if isinstance(before, list) and isinstance(after, list):
        # Item by item, since an environment or an argument vector rarely changes as a whole.
        below += [_side("removed", one) for one in before if one not in after]
        below += [_side("added", one) for one in after if one not in before]
        if sorted(map(str, before)) == sorted(map(str, after)):
            below.append(item("in another order"))
    else:
        below += [_side("removed", before)] if change.kind != "added" else []
        below += [_side("added", after)] if change.kind != "removed" else []
    sign, level = _SIGN[change.kind]
    return item(Span(f"{sign} ", level or "plain"), code(change.pointer), keep=True, below=below)


def _history(changes: list[ValueChange]) -> list[Item]:
    """Return the steps that come and go; a step that only moved or differs in its time is counted."""
    if not changes:
        return []
    old = [_step(change.before) for change in changes if change.kind != "added"]
    new = [_step(change.after) for change in changes if change.kind != "removed"]
    below: list[Item] = []
    quiet = 0
    for what, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if what == "equal":
            quiet += b - a
            continue
        below += [_side("removed", step) for step in old[a:b]]
        below += [_side("added", step) for step in new[c:d]]
    if quiet:
        below.append(item(f"{plural(quiet, 'step')} with the same words at another time or place"))
    return [item(Span("~ ", "warn"), code("/history"), below=below)]


def _step(step: Any) -> str:
    return instruction(str(step.get("created_by", ""))) if isinstance(step, dict) else str(step)


def _side(kind: str, value: Any) -> Item:
    sign, level = _SIGN[kind]
    said = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return item(f"{sign} ", said, level=level, keep=True)


_WAYS: dict[FileWay, str] = {
    "kind": "kind of archive",
    "wrapping": "compression of the whole",
    "order": "order of the members, first where",
    "framing": "form of the headers",
    "time": "times",
    "owner": "owners",
    "mode": "modes",
    "link": "links and copies",
    "size": "sizes",
    "document": "bytes of the document",
    "index": "digest of the index",
    "attestations": "attestations",
    "names": "names",
    "end": "what follows the last member",
}


def _files(result: DiffResult) -> Section:
    """In what the archives differ as files: often all that differs between two saves of one image."""
    found = result.files
    assert found is not None
    if not found.facts:
        same = "the same members, headers and documents" if found.complete else "the same members and documents"
        return section(title=_title("Files", same))
    rows = []
    for fact in found.facts:
        if fact.what == "members":
            sign, level = _SIGN["removed" if fact.before == "there" else "added"]
            more = f" and {number(fact.count - 1)} more" if fact.count > 1 else ""
            rows.append(item(f"{sign} ", code(fact.member), more, level=level, keep=True))
            continue
        of = f" of {plural(fact.count, 'member')}, such as" if fact.count > 1 else " of" if fact.member else ""
        where: list[Span | str] = [f"{of} ", code(fact.member)] if fact.member else []
        rows.append(
            item(
                Span("~ ", "warn"),
                _WAYS[fact.what],
                *where,
                f": {short_digests(fact.before)} and {short_digests(fact.after)}",
                keep=True,
            )
        )
    same = "" if result.different is not False else "all that differs"
    return section(items(*rows), title=_title("Files", same))


def _tree(result: DiffResult, every: bool) -> Section:
    told = ((result.added, "added"), (result.removed, "removed"), (result.changed, "changed"))
    counts = ", ".join(f"{number(count)} {word}" for count, word in told if count is not None) or "not known"
    lacks = result.first.knowledge.lacks_layers or result.second.knowledge.lacks_layers
    if lacks and result.first_layers is None and result.added is not None:
        counts += ", in what is here"
    rows = list(_paths(result.paths, every))
    note = "Equal sizes and CRC-32 count as equal content; leave --quick out to compare SHA-256."
    quick = [say(note)] if not result.exact and result.paths else []
    heads = _title(f"Paths below {result.path}" if result.path != "/" else "Paths", counts)
    return section(*([items(*rows)] if rows else []), *quick, title=heads)


def _paths(paths: tuple[DiffPath, ...], every: bool) -> Iterator[Item]:
    at = 0
    while at < len(paths):
        change = paths[at]
        at += 1
        sign, level = _SIGN[change.kind]
        note = ""
        node = change.after if change.kind == "added" else change.before
        if change.kind != "changed" and node is not None and node.kind == "dir" and not every:
            inside = change.path.rstrip("/") + "/"
            start = at
            while at < len(paths) and paths[at].kind == change.kind and paths[at].path.startswith(inside):
                at += 1
            if at > start:
                below = [one.after if change.kind == "added" else one.before for one in paths[start:at]]
                # Names of one file carry one entry: its bytes count once.
                files = {(n.layer, n.entry): n.size for n in below if n is not None and n.kind == "file"}
                note = f"/  ({plural(at - start, 'path')} below, {size(sum(files.values()))})"
        elif change.kind == "changed" and change.before is not None and change.after is not None:
            note = "  " + ", ".join(_fields(change, change.before, change.after))
        elif node is not None:
            note = "  " + _what(node)
        lines = [item(Span(line, _LINE.get(line[:1], "plain")), keep=True) for line in change.text or ()]
        shown = Span(change.path, level or "plain")
        yield item(Span(f"{sign} ", level or "plain"), shown, dim(note) if note else "", keep=True, below=lines)


def _what(node: DiffNode) -> str:
    if node.kind == "file":
        return size(node.size)
    return f"-> {node.target}" if node.kind == "symlink" else node.kind


def _fields(change: DiffPath, before: DiffNode, after: DiffNode) -> Iterator[str]:
    for field in change.fields:
        match field:
            case "type":
                yield f"{before.kind} became {after.kind}"
            case "content":
                sizes = f" {size(before.size)} to {size(after.size)}" if before.size != after.size else ""
                yield f"content{sizes}"
            case "content?":
                yield "content unknown: bytes are missing"
            case "target":
                yield f"target {before.target} to {after.target}"
            case "mode":
                yield f"mode {before.mode} to {after.mode}"
            case "uid" | "gid":
                yield f"{field} {getattr(before, field)} to {getattr(after, field)}"
            case "mtime":
                yield f"mtime {before.mtime} to {after.mtime}"
            case "device":
                yield f"device {before.device} to {after.device}"
            case _:
                names = sorted(set(before.xattrs.items()) ^ set(after.xattrs.items()))
                yield "xattrs " + " ".join(dict.fromkeys(name for name, _ in names))
