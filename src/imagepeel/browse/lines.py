"""How a layer, a path and a step of the start look as one line, and the words above the panes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from imagepeel.browse.search import MOST_FOUND, Found
from imagepeel.browse.tree import MARK_WORDS, FileRow, FileTree
from imagepeel.evidence import layer_label, text
from imagepeel.layers.layer import Layer
from imagepeel.present.heading import brief_step
from imagepeel.present.prediction import verdict_kind
from imagepeel.render.escape import terminal
from imagepeel.render.layout import Line, cells
from imagepeel.render.terminal import BOLD, DIM, STYLES
from imagepeel.text import number, size

if TYPE_CHECKING:
    from imagepeel.process.spec.values import Prediction

BAR = 6
"""Columns of the bar of the largest layer."""
MOST_INDENT = 12
"""Levels that move a name to the right; deeper ones would push it out of the pane."""

_MARK_STYLES = {"A": "32", "M": "33", "D": "31", "S": "36", ".": DIM}
_KEYS = (
    ("Tab, Shift+Tab", "go to the next pane, to the one before"),
    ("up down, k j", "move; Page Up, Page Down, Home (g), End (G)"),
    ("Enter, right, l", "open a directory; of a step of the start: go to its file"),
    ("left, h", "close the directory, or go to the one above"),
    ("*", "open everything below"),
    ("/", "search: part of a name, *.conf, /etc/*, >1M, <4k; Escape ends it"),
    (":", "go to a path"),
    ("s", "sort by size, or by name"),
    ("m", "only what the layer changed"),
    ("1 2 3 4 5, [ ]", "content, bytes of the header, facts, life of the path, blame"),
    ("b", "blame: who brought each line"),
    ("z", "this pane alone, or all of them"),
    ("v", "the filesystem of another engine"),
    ("d", "what differs from another layer, or another image"),
    ("c", "copy the imagepeel command that shows the same"),
    ("r", "the receipt: commands that show the same without imagepeel"),
    ("x", "write this file or directory to the disk"),
    ("e", "save the screen as SVG"),
    ("Ctrl+p", "all commands by name"),
    ("q", "end"),
)


class Signs(NamedTuple):
    """What stands before a closed and an open directory, and what a bar is made of."""

    closed: str = "▸ "
    opened: str = "▾ "
    bar: str = "█"


ASCII = Signs("+ ", "- ", "#")


def keys() -> list[Line]:
    """Return what each key does, and what the marks mean."""
    out: list[Line] = [[(f"{key:<18}", BOLD), (words, "")] for key, words in _KEYS]
    out += [[], [("marks".ljust(18), BOLD), ("what the chosen layer does to a path", "")]]
    return out + [[(f"  {mark:<16}", _MARK_STYLES[mark]), (words, "")] for mark, words in MARK_WORDS.items()]


def layer_line(layers: Sequence[Layer], index: int, signs: Signs) -> Line:
    """Return the line of the layer with an index from 0, of all layers for -1: stored bytes, as a bar too, and step."""
    sizes = [layer.blob_size or 0 for layer in layers]
    if index < 0:
        return [("all layers  ", BOLD), (size(sum(sizes)), DIM)]
    layer, own, most = layers[index], sizes[index], max(sizes) or 1
    bar = signs.bar * (max(1, round(BAR * own / most)) if own else 0)
    head = (f"{layer.label:<4}{bar:<{BAR}} {size(own):>8}  ", "")
    wrong = layer.state if not layer.readable else "damaged" if layer.scanned and layer.error is not None else ""
    if wrong:
        return [head, (wrong, STYLES["bad"])]
    return [head, (terminal(brief_step(layer.created_by, "(no history step)")), DIM)]


def files_title(tree: FileTree, layer: Layer | None, sought: str, found: Found | None) -> str:
    """Return what the tree is: view, layer (None: after all), order, and what is searched for, or the layer's step."""
    rootfs = tree.rootfs
    parts = [f"{rootfs.view}: {f'after {layer.label}' if layer else 'all layers'}"]
    for holds, words in (
        (not rootfs.complete, "incomplete"),
        (rootfs.refusal is not None, "best effort"),
        (layer is not None and not tree.marked, "this view keeps no layers apart"),
        (tree.changes_only, "changes"),
        (tree.order == "size", "by size" if tree.sizes is not None else "counting ..."),
        (tree.cut, "too many to open all"),
    ):
        if holds:
            parts.append(words)
    if sought:
        parts.append(f"/{sought}")
        if found is None:
            parts.append("searching ...")
        elif found.total > MOST_FOUND:
            parts.append(f"the first {number(MOST_FOUND)} of {number(found.total)}")
        else:
            parts.append(f"{number(found.total)} found")
    elif layer is not None:
        # The pane of the layers has room for a word of it.
        parts.append(brief_step(layer.created_by, "(no history step)"))
    return terminal("  ".join(parts))


def file_line(row: FileRow, tree: FileTree, signs: Signs, width: int, *, found: bool) -> Line:
    """Return the line of a path: mark, bytes, name, and the layer that brings it where it has room."""
    count = tree.size(row)
    opened = found or row.path in tree.opened
    style = _MARK_STYLES.get(row.mark, "")
    line: Line = [
        (f"{row.mark or ' '} ", style),
        (f"{size(count) if count is not None else '':>8} ", DIM),
        (
            "  " * min(row.depth, MOST_INDENT) + ((signs.opened if opened else signs.closed) if row.is_dir else "  "),
            DIM,
        ),
        (terminal(text(row.name)), style or ("1;34" if row.is_dir else "")),
    ]
    if row.node.kind == "symlink":
        line.append((f" -> {terminal(text(row.node.target))}", DIM))
    elif row.node.kind not in ("file", "dir"):
        line.append((f" ({row.node.kind})", DIM))
    if row.node.layer is not None:
        label = f" {layer_label(row.node.layer)}"
        room = width - sum(cells(part) for part, _ in line) - len(label)
        if room >= 0:
            line.append((" " * room + label, DIM))
    return line


def step_line(found: Prediction, at: int) -> Line:
    """Return one step of a start: who decides, what, and how where it does not go on."""
    step = found.steps[at]
    bad = step.outcome != "ok"
    style = STYLES[verdict_kind(found.verdict.kind)] if bad else ""
    judge = step.judge.words.removeprefix("the ").partition(",")[0]
    line: Line = [(f"{judge:<10} {f'round {step.round}' if step.round else '':<9}", DIM), (terminal(step.title), style)]
    if bad:
        line.append((f"  {terminal(step.outcome_in_words)}", style))
    if step.where is not None and step.where.layer is not None:
        line.append((f"  {layer_label(step.where.layer)}", DIM))
    return line


def start_title(found: Prediction) -> str:
    """Return the verdict in one line: process 1, or what the judge says who refuses."""
    verdict, one = found.verdict, found.pid1
    if verdict.runs and one is not None:
        said = f"process 1 is {' '.join(one.argv)}"
    else:
        said = verdict.message or verdict.reason or "; ".join(verdict.depends) or found.execve
    return terminal(f"{verdict.kind} on {found.engine}: {said}")
