"""`diff` on a terminal.  Every text of an image passes `escape.terminal` here."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.text import Text

from imagepeel.history.builders import instruction
from imagepeel.render.terminal_tables import STEP_WIDTH, heading, print_line, safe
from imagepeel.results.diff import DiffNode, DiffPath, DiffResult
from imagepeel.results.difference import LayerMatch, ValueChange
from imagepeel.text import number, plural, shortened, size

_SIGN = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}


def print_diff(console: Console, result: DiffResult, *, every: bool) -> None:
    """Print what differs; `every` lists what is in a directory that one side lacks path by path."""
    if result.first_layers is not None and result.second_layers is not None:
        print_line(console, heading(result.first))
        what = f"L1 to L{result.first_layers} against L1 to L{result.second_layers}, {result.view} view"
        print_line(console, Text(what))
    else:
        print_line(console, Text("- ", style="red"), heading(result.first))
        print_line(console, Text("+ ", style="green"), heading(result.second))
    if result.layers is not None:
        _title(console, "Layers")
        shared = result.layers.shared
        same = plural(len(shared), "layer") + " shared"
        if result.layers.prefix:
            same += f", the first {result.layers.prefix} from the base on" if result.layers.prefix > 1 else ", the base"
        console.print(f"  {same}, {size(sum(layer.content_size for layer in shared))} of content")
        for style, layers in (("removed", result.layers.only_first), ("added", result.layers.only_second)):
            for layer in layers:
                _layer(console, style, layer)
    if result.config is not None:
        _title(console, "Config", "the same" if not result.config else "")
        for change in result.config:
            if not change.pointer.startswith("/history/"):
                _value(console, change)
        _history(console, [change for change in result.config if change.pointer.startswith("/history/")])
    if result.process is not None:
        _title(console, "Process", "the same" if not result.process else "")
        for change in result.process:
            _value(console, change)
    counts = f"{number(result.added)} added, {number(result.removed)} removed, {number(result.changed)} changed"
    _title(console, f"Paths below {result.path}" if result.path != "/" else "Paths", counts)
    for line in _paths(result.paths, every):
        print_line(console, *line)
    if not result.exact and result.paths:
        console.print("Equal sizes and CRC-32 count as equal content; leave --quick out to compare SHA-256.")


def _title(console: Console, words: str, note: str = "") -> None:
    console.print()
    print_line(console, safe(words, "bold"), safe(f": {note}" if note else ""))


def _layer(console: Console, kind: str, layer: LayerMatch) -> None:
    sign, style = _SIGN[kind]
    index = layer.first if layer.first is not None else layer.second
    step = shortened(instruction(layer.created_by), STEP_WIDTH) if layer.created_by else "(no history step)"
    words = f"  {sign} L{(index or 0) + 1}  {size(layer.content_size)}  "
    print_line(console, Text(words, style=style), safe(step))


def _value(console: Console, change: ValueChange) -> None:
    sign, style = _SIGN[change.kind]
    print_line(console, Text(f"  {sign} ", style=style), safe(change.pointer))
    before, after = change.before, change.after
    if isinstance(before, list) and isinstance(after, list):
        # Item by item, since an environment or an argument vector rarely changes as a whole.
        for item in before:
            if item not in after:
                _side(console, "removed", item)
        for item in after:
            if item not in before:
                _side(console, "added", item)
        if sorted(map(str, before)) == sorted(map(str, after)):
            print_line(console, Text("      in another order"))
        return
    if change.kind != "added":
        _side(console, "removed", before)
    if change.kind != "removed":
        _side(console, "added", after)


def _history(console: Console, changes: list[ValueChange]) -> None:
    """Print the steps that come and go; a step that only moved or differs in its time is counted."""
    if not changes:
        return
    old = [_step(change.before) for change in changes if change.kind != "added"]
    new = [_step(change.after) for change in changes if change.kind != "removed"]
    print_line(console, Text("  ~ ", style="yellow"), Text("/history"))
    quiet = 0
    for what, a, b, c, d in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if what == "equal":
            quiet += b - a
            continue
        for step in old[a:b]:
            _side(console, "removed", step)
        for step in new[c:d]:
            _side(console, "added", step)
    if quiet:
        console.print(f"      {plural(quiet, 'step')} with the same words at another time or place")


def _step(step: Any) -> str:
    return instruction(str(step.get("created_by", ""))) if isinstance(step, dict) else str(step)


def _side(console: Console, kind: str, value: Any) -> None:
    sign, style = _SIGN[kind]
    words = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    print_line(console, Text(f"      {sign} ", style=style), safe(words, style))


def _paths(paths: tuple[DiffPath, ...], every: bool) -> Iterator[tuple[Text, ...]]:
    at = 0
    while at < len(paths):
        change = paths[at]
        at += 1
        sign, style = _SIGN[change.kind]
        line = [Text(f"  {sign} ", style=style), safe(change.path, style)]
        node = change.after if change.kind == "added" else change.before
        if change.kind != "changed" and node is not None and node.kind == "dir" and not every:
            inside = change.path.rstrip("/") + "/"
            start = at
            while at < len(paths) and paths[at].kind == change.kind and paths[at].path.startswith(inside):
                at += 1
            if at > start:
                below = [p.after if change.kind == "added" else p.before for p in paths[start:at]]
                # Names of one file carry one entry: its bytes count once.
                files = {(n.layer, n.entry): n.size for n in below if n is not None and n.kind == "file"}
                total = sum(files.values())
                line.append(Text(f"/  ({plural(at - start, 'path')} below, {size(total)})", style="dim"))
        elif change.kind == "changed" and change.before is not None and change.after is not None:
            line.append(safe("  " + ", ".join(_fields(change, change.before, change.after)), "dim"))
        elif node is not None:
            line.append(safe("  " + _what(node), "dim"))
        yield tuple(line)
        for text in change.text or ():
            shade = {"+": "green", "-": "red", "@": "cyan"}.get(text[:1], "")
            yield Text("    "), safe(text, shade)


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
