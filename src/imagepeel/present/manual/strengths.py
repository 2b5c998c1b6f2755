"""Lesson 1: is it ephemeral, disposable, portable?"""

from __future__ import annotations

from imagepeel.present.document import Block, Column, Row, Table, Text, good, path, words
from imagepeel.present.manual.facts import Answer, Operator, question
from imagepeel.present.prediction import (
    INEXACT,
    ground,
    libraries_in_words,
    process_one,
    stop_in_words,
    verdict_in_short,
)
from imagepeel.process.engines.registry import layer_limit
from imagepeel.process.spec.failure import Outcome
from imagepeel.tables import go_name
from imagepeel.text import listed, plural, title

_STATE = ("BAKED-DATABASE", "STALE-LOCK", "DATABASE-WITHOUT-VOLUME")
_MERGE = ("LINK-SHADOWED", "FILE-BECOMES-DIRECTORY", "ROOT-OPAQUE", "RESURRECTED", "UNPACK-REFUSED", "WHITEOUT-ORDER")
_IDS = 65535


def chapter(operator: Operator) -> list[Block]:
    """Return the blocks of the chapter."""
    return [*_ephemeral(operator), *_disposable(operator), *_portable(operator)]


def _ephemeral(operator: Operator) -> list[Block]:
    ask = "ephemeral"
    blocks: list[Block] = [question("Ephemeral?", "A container may be thrown away at any time. Nothing in it is kept.")]
    state = operator.findings_of(*_STATE)
    blocks += operator.told(ask, "no", state)
    volumes = operator.run.volumes
    if volumes:
        named = listed(sorted(volumes))
        blocks.append(
            operator.answer(
                ask,
                "depends",
                f"It declares {plural(len(volumes), 'volume')} (",
                path(named),
                "): what is written there outlives the container, if somebody mounts it.",
                by=operator.by_config("/config/Volumes"),
            )
        )
    if not operator.known.everything:
        blocks.append(operator.unseen(ask, "Whether its layers hold state and which volumes it declares"))
    elif not state and not volumes:
        blocks.append(
            operator.answer(
                ask,
                "yes",
                "No database files, lock files or volumes are in it: its layers hold no state.",
                by=operator.by_listing(),
            )
        )
    return blocks


def _disposable(operator: Operator) -> list[Block]:
    ask = "disposable"
    blocks: list[Block] = [question("Disposable?", "It starts at once, and it stops when it is told to.")]
    prediction = operator.context.prediction
    by = operator.by_config("/config", "the defaults for the process")
    if prediction is None or not operator.context.certain:
        what = "Which process it becomes cannot be told from this archive."
        return [*blocks, operator.answer(ask, "unknown", what, by=by)]
    if prediction.verdict.kind is Outcome.FAILS:
        return [*blocks, operator.answer(ask, "no", f"It does not start: {ground(prediction.verdict)}.", by=by)]
    pid1 = prediction.pid1
    if operator.foreign:
        return [*blocks, operator.answer(ask, "unknown", f"{title(operator.foreign)}.", by=by)]
    if pid1 is None:
        what = "Nobody can tell from the tarball who is process 1 in the end."
        return [*blocks, operator.answer(ask, "unknown", what, by=by)]
    why = f" Why: {pid1.why}." if pid1.why else ""
    inexact = f"; {INEXACT}" if not pid1.exact else ""
    ending = f"{inexact}. {title(stop_in_words(pid1))}.{why}"
    blocks.append(operator.answer(ask, pid1.hears_sigterm, "Process 1 is ", process_one(pid1), ending, by=by))
    if pid1.fix:
        blocks.append(operator.answer(ask, "fact", "Fix: ", good(pid1.fix.rstrip(".")), ".", by=by))
    return blocks


def _portable(operator: Operator) -> list[Block]:
    ask = "portable"
    blocks: list[Block] = [question("Portable?", "The same bytes run the same way wherever they are put.")]
    blocks += _matrix(operator)
    prediction = operator.context.prediction
    if prediction is not None and prediction.libraries and operator.context.certain:
        missing = [library.name for library in prediction.libraries if library.path is None]
        names = f": {listed(missing)}" if missing else ", all of them in the image"
        blocks.append(
            operator.answer(
                ask,
                "no" if missing else "yes",
                f"{libraries_in_words(prediction.libraries)}{names}.",
                by=operator.by_path(prediction.path or "/"),
            )
        )
    blocks += operator.told(ask, "depends", operator.findings_of(*_MERGE))
    if not operator.foreign:
        blocks.append(_ids(operator, ask))
    layers = len(operator.image.layers)
    if not operator.known.layer_list:
        return [*blocks, operator.unseen(ask, "How many layers it has")]
    stated = max(layers, len(operator.image.config.diff_ids))
    blocks.append(
        operator.answer(
            ask,
            "yes" if stated <= layer_limit()[1] else "no",
            f"{plural(stated, 'layer')} of the {layer_limit()[1]} that Docker takes.",
            by=operator.by_config("/rootfs/diff_ids"),
        )
    )
    return blocks


def _ids(operator: Operator, ask: str) -> Block:
    metas = [meta for layer in operator.image.layers for meta in layer.table.metas]
    highest = max((max(meta.uid, meta.gid) for meta in metas), default=0)
    fits = highest <= _IDS
    if fits and not operator.known.layers:
        return operator.unseen(ask, "The highest owner id in its layers")
    return operator.answer(
        ask,
        "yes" if fits else "no",
        f"The highest owner id in its layers is {highest}: rootless engines, which have 65,536 of them, ",
        "can unpack it." if fits else "cannot unpack it.",
        by=operator.by_listing(),
    )


def _matrix(operator: Operator) -> list[Block]:
    """The verdicts, engine by engine and architecture by architecture."""
    ask = "portable"
    found = operator.matrix
    if operator.foreign:
        return [operator.answer(ask, "unknown", f"{title(operator.foreign)}.", by=operator.by_config("/config"))]
    if found is None or not operator.context.certain:
        what = "Where it starts cannot be told from this archive."
        return [operator.answer(ask, "unknown", what, by=operator.by_config("/config"))]
    by = operator.by_config("/config", "the defaults for the process")
    rows = []
    for engine in found.engines:
        cells: list[Text] = [words(engine)]
        cells += (words(verdict_in_short(cell.verdict)) for cell in found.row(engine))
        rows.append(Row(cells=tuple(cells), evidence=by))
    own = operator.image.architecture or "amd64"
    native = {cell.verdict.kind for cell in found.cells if cell.architecture == go_name(own)}
    kind: Answer = "yes" if native == {Outcome.RUNS} else "no" if native == {Outcome.FAILS} else "depends"
    says = {
        "yes": f"It starts on every engine on {own}.",
        "no": f"It starts on no engine on {own}.",
        "depends": f"Whether it starts on {own} depends on the engine:",
    }[kind]
    if not native:
        kind, says = "unknown", f"Whether it starts on {own} is not known: no rules are known for that architecture."
    return [
        operator.answer(ask, kind, says, by=by),
        Table(columns=(Column("engine"), *(Column(name) for name in found.architectures)), rows=tuple(rows)),
    ]
