"""What `views` found: who refuses the image, which paths differ, and why."""

from __future__ import annotations

from imagepeel.evidence import layer_label
from imagepeel.findings.semantics.codes import ViewNote
from imagepeel.findings.semantics.compare import Difference
from imagepeel.findings.semantics.side_by_side import Facts
from imagepeel.present.document import (
    Document,
    Item,
    Section,
    bad,
    dim,
    item,
    items,
    path,
    say,
    section,
    term,
    warn,
    words,
)
from imagepeel.present.heading import about
from imagepeel.results.views import ViewsResult
from imagepeel.rootfs.engines.names import ViewName
from imagepeel.rootfs.view import VERSIONS
from imagepeel.text import number, plural

MOST_PATHS = 40
"""Differing paths that are shown; --json has a thousand."""


def views_document(result: ViewsResult) -> Document:
    """Return refusals, differing paths with what each view shows, and the notes that say why."""
    shown = [view for view in result.views if view not in result.refusals]
    return about(
        result.image,
        _refusals(result),
        *(_differences(result, shown) if result.total else _alike(result, shown)),
        _notes(result),
        section(items(*(item(VERSIONS[view], label=term(view)) for view in result.views if view in VERSIONS))),
    )


def _refusals(result: ViewsResult) -> Section | None:
    if not result.refusals:
        return None
    return section(
        items(
            *(
                item(
                    bad("refuses"),
                    f" {layer_label(refusal.layer)}, entry {refusal.entry}: {refusal.reason}",
                    label=term(view),
                )
                for view, refusal in result.refusals.items()
            )
        )
    )


def _alike(result: ViewsResult, shown: list[ViewName]) -> list[Section]:
    known = result.image.knowledge
    if len(shown) < 2 or not known.layer_list:
        return []
    if known.layers:
        return [section(say(f"{', '.join(shown)} show the same filesystem."))]
    return [
        section(say(f"Of the layers that are here {', '.join(shown)} show the same; of the others nobody can tell."))
    ]


def _differences(result: ViewsResult, shown: list[ViewName]) -> list[Section]:
    head = f"{plural(result.total, 'path')} differ between views" if result.total > 1 else "1 path differs"
    head += ":" if result.image.knowledge.layers else ", as far as the layers that are here show:"
    found = [_difference(one, shown) for one in result.differences[:MOST_PATHS]]
    left = result.total - MOST_PATHS
    more = [say(dim(f"... and {number(left)} more; --json lists them"))] if left > 0 else []
    return [section(say(head)), section(items(*found), *more)]


def _difference(one: Difference, shown: list[ViewName]) -> Item:
    below = [item(said or bad("-"), label=", ".join(views), keep=True) for views, said in _groups(one, shown)]
    return item(path(one.path), "   ", warn(", ".join(one.codes)), keep=True, below=below)


def _groups(difference: Difference, shown: list[ViewName]) -> list[tuple[list[ViewName], str]]:
    """Return (views that agree, what they show) in the order of the views; "" for views without the path."""
    there = [facts for facts in difference.shown.values() if facts is not None]
    said: dict[str, list[ViewName]] = {}
    for view in shown:
        facts = difference.shown.get(view)
        said.setdefault(_facts(facts, there) if facts is not None else "", []).append(view)
    return [(views, what) for what, views in said.items()]


def _facts(facts: Facts, others: list[Facts]) -> str:
    """Say what a view shows, with what is not the same in the others."""
    if facts.kind == "ghost":
        return "a name that cannot be opened"
    out: list[str] = [facts.kind]
    if facts.kind != "symlink" and len({(f.mode, f.uid, f.gid) for f in others}) > 1:
        out.append(f"{facts.mode:04o} {facts.uid}:{facts.gid}")
    if facts.kind == "symlink":
        out.append(f"-> {facts.target}")
    if facts.kind != "dir" and facts.layer is not None and len({(f.layer, f.entry) for f in others}) > 1:
        out.append(layer_label(facts.layer))
    if len({f.xattrs for f in others}) > 1:
        out.append(", ".join(name for name, _ in facts.xattrs) or "no attributes")
    if facts.mtime is not None and len({f.kind for f in others}) == 1 and len({f.mtime for f in others}) > 1:
        out.append(f"@{facts.mtime[0]}")
    return " ".join(out)


def _notes(result: ViewsResult) -> Section | None:
    if not result.notes:
        return section(say("Nothing in the layers depends on the engine.")) if result.agree is True else None
    by_code: dict[str, list[ViewNote]] = {}
    for one in result.notes:
        by_code.setdefault(one.code, []).append(one)
    return section(
        items(
            *(
                item(warn(code), "  ", result.codes.get(code, ""), below=map(_note, notes))
                for code, notes in by_code.items()
            )
        )
    )


def _note(one: ViewNote) -> Item:
    place = words(f"{layer_label(one.where.layer)} " if one.where.layer is not None else "", path(one.where.path or ""))
    more = [item(dim(f"and {number(one.more)} more like it"))] if one.more else []
    return item(place, keep=True, below=[item(one.message), *more])
