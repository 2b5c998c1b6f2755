"""`trace` on a terminal.  Every text of an image passes `escape.terminal` here."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from imagepeel.history.builders import instruction
from imagepeel.render.terminal_tables import STEP_WIDTH, heading, print_line, safe
from imagepeel.results.views import EventResult, NodeResult, TraceResult
from imagepeel.text import number, plural, shortened

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
