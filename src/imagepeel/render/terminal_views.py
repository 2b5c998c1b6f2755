"""`trace` and `views` on a terminal.  Every text of an image passes `escape.terminal` here."""

from __future__ import annotations

from textwrap import wrap

from rich.console import Console
from rich.text import Text

from imagepeel.findings.semantics.codes import ViewNote
from imagepeel.findings.semantics.compare import Difference, Facts
from imagepeel.history.builders import instruction
from imagepeel.present.words import number, plural, shortened
from imagepeel.render.escape import terminal
from imagepeel.render.terminal_tables import STEP_WIDTH, heading, print_line, safe
from imagepeel.results.views import EventResult, NodeResult, TraceResult, ViewsResult

MOST_PATHS = 40
"""Differing paths that a terminal shows; --json has a thousand."""

_STYLES = {"added": "green", "changed": "yellow", "opaque": "yellow", "removed": "red", "implied": "dim", "same": "dim"}


def print_trace(console: Console, result: TraceResult) -> None:
    """Print each link on the way and the end, with what each layer did to it."""
    print_line(console, heading(result.image))
    console.print()
    for i, life in enumerate(result.lives):
        last = i == len(result.lives) - 1
        title = [safe(life.path, "bold")]
        if life.target is not None and not last:
            title += [Text("  is a link to "), safe(life.target, "bold")]
        elif not life.present:
            title += [Text("  is not in this view", style="red")]
        print_line(console, *title)
        if not life.events:
            words = "the root directory of the image" if life.path == "/" else "no layer has this path"
            console.print(Text(f"  {words}"))
        for event in life.events:
            _print_event(console, event)
        console.print()
    _print_end(console, result)


def _print_end(console: Console, result: TraceResult) -> None:
    if result.errno:
        what = {"ELOOP": "the links never end", "ENOTDIR": "is not a directory"}.get(result.errno, "is missing")
        print_line(console, Text(f"{result.errno}: ", style="red"), safe(result.missing), Text(f" {what}"))
    if result.note:
        print_line(console, safe(result.note, "yellow"))


def _print_event(console: Console, event: EventResult) -> None:
    parts = [
        Text(f"  {event.label:<4}", style="bold"),
        Text(f"{event.kind:<10}", style=_STYLES.get(event.kind, "")),
        safe(_what(event)),
    ]
    place = f"entry {event.entry} at {number(event.offset or 0)}" if event.entry is not None else ""
    step = shortened(instruction(event.created_by), STEP_WIDTH) if event.created_by else ""
    tail = "   ".join(part for part in (place, step) if part)
    if tail:
        parts += [Text("   "), safe(tail, "dim")]
    print_line(console, *parts)
    if event.receipt is not None:
        print_line(console, Text("        $ ", style="dim"), safe(event.receipt.command, "cyan"))


def _what(event: EventResult) -> str:
    if event.kind == "removed":
        if event.by == "whiteout":
            return f"by a whiteout of {event.by_path}"
        if event.by == "opaque":
            return f"{event.by_path} is made opaque"
        return f"{event.by_path} is no directory any more" if event.by else ""
    words = _node(event.node) if event.node is not None else ""
    if event.kind == "implied":
        words += ", no entry of its own"
    if event.kind == "opaque":
        words += ", lower content hidden"
    if event.fields:
        words += f" ({', '.join(event.fields)})"
    if event.hidden_by is not None:
        words += f", hidden by L{event.hidden_by + 1}"
    return words


def _node(node: NodeResult) -> str:
    out = f"{node.kind} {node.mode} {node.uid}:{node.gid}"
    if node.kind == "file":
        out += f" {plural(node.size, 'byte')}"
    if node.kind == "symlink":
        out = f"symlink -> {node.target}"
    return out + (f", {node.nlink} names" if node.nlink > 1 else "")


# ---- views ------------------------------------------------------------------------------------------------------


def print_views(console: Console, result: ViewsResult) -> None:
    """Print who refuses, which paths differ, and why."""
    print_line(console, heading(result.image))
    console.print()
    for view, refusal in result.refusals.items():
        print_line(
            console,
            Text(f"{view:<11}", style="bold"),
            Text("refuses ", style="red"),
            safe(f"L{refusal.layer + 1}, entry {refusal.entry}: {refusal.reason}"),
        )
    shown = [view for view in result.views if view not in result.refusals]
    if result.refusals:
        console.print()
    if result.total:
        _print_differences(console, result, shown)
    elif len(shown) > 1:
        console.print(Text(f"{', '.join(shown)} show the same filesystem."))
        console.print()
    _print_notes(console, result)


def _print_differences(console: Console, result: ViewsResult, shown: list[str]) -> None:
    console.print(f"{plural(result.total, 'path')} differ between views:" if result.total > 1 else "1 path differs:")
    console.print()
    for difference in result.differences[:MOST_PATHS]:
        groups = _groups(difference, shown)
        print_line(
            console, safe(difference.path, "bold"), Text("   "), Text(", ".join(difference.codes), style="bold yellow")
        )
        width = max(len(views) for views, _ in groups)
        for views, words in groups:
            print_line(console, Text(f"  {views:<{width}}   "), safe(words or "-", "" if words else "red"))
    if result.total > MOST_PATHS:
        console.print(Text(f"... and {number(result.total - MOST_PATHS)} more; --json lists them", style="dim"))
    console.print()


def _groups(difference: Difference, shown: list[str]) -> list[tuple[str, str]]:
    """Return (views that agree, what they show) in the order of the views; "" for views without the path."""
    there = [facts for facts in difference.shown.values() if facts is not None]
    words: dict[str, list[str]] = {}
    for view in shown:
        facts = difference.shown.get(view)
        words.setdefault(_facts(facts, there) if facts is not None else "", []).append(view)
    return [(", ".join(views), said) for said, views in words.items()]


def _facts(facts: Facts, others: list[Facts]) -> str:
    """Say what a view shows, with what is not the same in the others."""
    if facts.kind == "ghost":
        return "a name without a file"
    words = [facts.kind]
    if facts.kind != "symlink" and len({(f.mode, f.uid, f.gid) for f in others}) > 1:
        words.append(f"{facts.mode:04o} {facts.uid}:{facts.gid}")
    if facts.kind == "symlink":
        words.append(f"-> {facts.target}")
    if facts.kind != "dir" and facts.layer is not None and len({(f.layer, f.entry) for f in others}) > 1:
        words.append(f"L{facts.layer + 1}")
    if len({f.xattrs for f in others}) > 1:
        words.append(", ".join(name for name, _ in facts.xattrs) or "no attributes")
    if facts.mtime is not None and len({f.kind for f in others}) == 1 and len({f.mtime for f in others}) > 1:
        words.append(f"@{facts.mtime[0]}")
    return " ".join(words)


def _print_notes(console: Console, result: ViewsResult) -> None:
    if not result.notes:
        if result.agree:
            console.print("Nothing in the layers depends on the engine.")
        return
    by_code: dict[str, list[ViewNote]] = {}
    for note in result.notes:
        by_code.setdefault(note.code, []).append(note)
    for code, notes in by_code.items():
        print_line(console, Text(code, style="bold yellow"), Text("  "), Text(result.codes.get(code, "")))
        for note in notes:
            place = f"L{note.where.layer + 1} " if note.where.layer is not None else ""
            print_line(console, Text("  "), safe(f"{place}{note.where.path or ''}", "bold"))
            for line in wrap(terminal(note.message), max(40, min(console.width, 120) - 4)):
                print_line(console, Text(f"    {line}"))
            if note.more:
                console.print(Text(f"    and {number(note.more)} more like it", style="dim"))
