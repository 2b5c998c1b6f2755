"""What proves the sentences of chapter 5: the places of a prediction, and the commands that show the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagepeel.errors import ImagepeelError
from imagepeel.evidence import Evidence, Location, Receipt, text
from imagepeel.present.document import proof
from imagepeel.present.story.context import StoryContext
from imagepeel.process.spec.failure import Stage
from imagepeel.receipts.quoting import HEX, LOOK_AT_START, hex_line, plain_text

if TYPE_CHECKING:
    from imagepeel.process.spec.values import Prediction, Step

FIRST_LINE = 60
"""Characters of the first line of a script that are shown."""


def argv_receipt(context: StoryContext) -> Receipt | None:
    """Return the command that shows what the config asks for."""
    run = context.image.config.config
    pointer = "/config/Entrypoint" if run.entrypoint else "/config/Cmd" if run.cmd else "/config"
    return context.config_receipt(pointer, "what the config asks for")


def verdict_proof(context: StoryContext, found: Prediction) -> Evidence:
    """Return what decides a verdict: its place, and the file of the step that failed."""
    verdict = found.verdict
    failed = [step for step in found.steps if step.outcome != "ok"]
    step = failed[-1] if failed else (found.steps[-1] if found.steps else None)
    place = verdict.where
    receipts: list[Receipt | None] = []
    if step is not None:
        receipts.extend(inspect(context, step))
    if place is not None and place.pointer is not None:
        receipts.append(context.config_receipt(place.pointer, "where the config says so"))
        place = context.config_place(place.pointer, place.step)
    elif place is not None:
        receipts.append(context.at(place, "the file", LOOK_AT_START, hex_line(first_bytes(context, place))))
    if not any(receipts):
        receipts.extend(inspect_any(context, found))
    if not any(receipts):
        receipts.append(argv_receipt(context))
    return proof(place, *receipts)


def inspect_any(context: StoryContext, found: Prediction) -> list[Receipt]:
    """Return the receipts of the last step that looked at a file."""
    for step in reversed(found.steps):
        if step.rule in (Stage.LOOKUP, Stage.EXECVE):
            receipts = inspect(context, step)
            if receipts:
                return receipts
    return []


def path_proof(context: StoryContext, found: Prediction) -> Evidence | None:
    """Return the proof of which file is asked for; None where none was found."""
    step = next((step for step in found.steps if step.rule == Stage.LOOKUP and step.outcome == "ok"), None)
    if step is None or step.where is None:
        return None
    place = context.file_of(step)
    receipt = context.at(place, "the first bytes of the program", LOOK_AT_START, hex_line(first_bytes(context, place)))
    return proof(step.where, receipt, argv_receipt(context))


def inspect(context: StoryContext, step: Step) -> list[Receipt]:
    """Return the receipts of a step: its file through the filters that show the same."""
    stream = context.stream_of(step)
    if stream is None:
        return []
    out = []
    for filter_ in step.inspect or (LOOK_AT_START,):
        out.append(context.receipts.inspect(stream, filter_, _expect(context, step, filter_)))
    return out


def _expect(context: StoryContext, step: Step, filter_: str) -> str:
    head = first_bytes(context, context.file_of(step))
    if "head -n 1" in filter_:
        line = head.partition(b"\n")[0].rstrip(b"\r")
        shown = text(line)
        return shown if len(line) < FIRST_LINE and plain_text(shown) and "\\" not in shown else ""
    if "-hW" in filter_ and step.outcome == "ok":
        return "ELF Header:"
    if "-lW" in filter_ and step.outcome == "ok":
        loader = _loader_behind(context, step)
        if loader and plain_text(loader):
            return f"[Requesting program interpreter: {loader}]"
    return hex_line(head) if HEX in filter_ else ""


def _loader_behind(context: StoryContext, step: Step) -> str:
    """The loader that the program of a step names: the kernel opens it in the same round, without a call."""
    steps = context.prediction.steps if context.prediction is not None else ()
    behind = steps[steps.index(step) + 1 :]
    loader = next(
        (one for one in behind if one.rule == Stage.EXECVE and one.round == step.round and not one.call), None
    )
    return loader.path or "" if loader is not None else ""


def first_bytes(context: StoryContext, place: Location | None) -> bytes:
    """Return the first 256 bytes of a file; b"" where it cannot be read."""
    if place is None or place.layer is None or place.entry is None:
        return b""
    layer = context.image.layers[place.layer]
    try:
        entry = layer.table[place.entry]
        return layer.open(entry).pread(0, 256) if entry.kind == "file" else b""
    except (ImagepeelError, IndexError):
        return b""


def favourite(context: StoryContext, found: Prediction) -> Receipt | None:
    """Return the one command of the chapter that everybody should try."""
    for step in found.steps:
        if step.rule == Stage.EXECVE and step.round == 1:
            head = first_bytes(context, context.file_of(step))
            if head.startswith(b"#!"):
                return next(iter(inspect(context, step)), None)
            found_ = context.at(context.file_of(step), "its first bytes", LOOK_AT_START, hex_line(head))
            if found_ is not None:
                return found_
    return argv_receipt(context)
