"""Lesson 1: is it ephemeral, disposable, portable?"""

from __future__ import annotations

from imagepeel.present.document import Block, Column, Row, Table, Text, bad, code, good, path, value, warn, words
from imagepeel.present.manual.facts import Operator, question
from imagepeel.text import plural

_STATE = ("BAKED-DATABASE", "STALE-LOCK", "DATABASE-WITHOUT-VOLUME")
_MERGE = ("LINK-SHADOWED", "FILE-BECOMES-DIRECTORY", "ROOT-OPAQUE", "RESURRECTED", "UNPACK-REFUSED", "WHITEOUT-ORDER")
_ENGINE_LAYERS = 125
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
        named = ", ".join(sorted(volumes)[:5])
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
    if not state and not volumes:
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
    if prediction.verdict.kind == "FAILS":
        return [*blocks, operator.answer(ask, "no", f"It does not start: {prediction.verdict.why}.", by=by)]
    pid1 = prediction.pid1
    if pid1 is None:
        what = "Nobody can tell from the tarball who is process 1 in the end."
        return [*blocks, operator.answer(ask, "unknown", what, by=by)]
    answers = {"yes": "yes", "no": "no"}
    heard = answers.get(pid1.hears_sigterm, "unknown")
    says = {
        "yes": "which ends on",
        "no": "which does not hear",
        "unknown": "and nobody can tell from the tarball whether it ends on",
    }[heard]
    why = f": {pid1.why}." if pid1.why else "."
    ending = f", {says} {pid1.stop_signal}{why}"
    blocks.append(operator.answer(ask, heard, "Process 1 is ", code(" ".join(pid1.argv)), ending, by=by))
    if pid1.seconds_to_stop:
        blocks.append(
            operator.answer(
                ask, "fact", "Seconds until it is gone after a stop: ", value(pid1.seconds_to_stop), ".", by=by
            )
        )
    if pid1.fix:
        blocks.append(operator.answer(ask, "fact", "Fix: ", good(pid1.fix.rstrip(".")), ".", by=by))
    return blocks


def _portable(operator: Operator) -> list[Block]:
    ask = "portable"
    blocks: list[Block] = [question("Portable?", "The same bytes run the same way wherever they are put.")]
    blocks += _matrix(operator)
    prediction = operator.context.prediction
    if prediction is not None and prediction.libraries:
        missing = [library for library in prediction.libraries if library.path is None]
        if missing:
            names = ", ".join(library.name for library in missing[:4])
            blocks.append(
                operator.answer(
                    ask,
                    "no",
                    f"{plural(len(missing), 'needed library', 'needed libraries')} missing: ",
                    code(names),
                    ".",
                    by=operator.by_path(prediction.path or "/"),
                )
            )
        else:
            blocks.append(
                operator.answer(
                    ask,
                    "yes",
                    f"All {plural(len(prediction.libraries), 'needed library', 'needed libraries')} of the program are "
                    "in the image.",
                    by=operator.by_path(prediction.path or "/"),
                )
            )
    blocks += operator.told(ask, "depends", operator.findings_of(*_MERGE))
    blocks.append(_ids(operator, ask))
    layers = len(operator.image.layers)
    blocks.append(
        operator.answer(
            ask,
            "yes" if layers <= _ENGINE_LAYERS else "no",
            f"{plural(layers, 'layer')} of the {_ENGINE_LAYERS} that Docker takes.",
            by=operator.by_config("/rootfs/diff_ids"),
        )
    )
    return blocks


def _ids(operator: Operator, ask: str) -> Block:
    metas = [meta for layer in operator.image.layers for meta in layer.table.metas]
    highest = max((max(meta.uid, meta.gid) for meta in metas), default=0)
    fits = highest <= _IDS
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
    if found is None or not operator.context.certain:
        what = "Where it starts cannot be told from this archive."
        return [operator.answer(ask, "unknown", what, by=operator.by_config("/config"))]
    by = operator.by_config("/config", "the defaults for the process")
    show = {"RUNS": good, "FAILS": bad}
    rows = []
    for engine in found.engines:
        cells: list[Text] = [words(engine)]
        for cell in found.row(engine):
            verdict = cell.verdict
            cells.append(words(show.get(verdict.kind, warn)(f"{verdict.kind} {verdict.errno}".strip())))
        rows.append(Row(cells=tuple(cells), evidence=by))
    own = operator.image.architecture or "amd64"
    native = {cell.verdict.kind for cell in found.cells if cell.architecture == own}
    kind = "yes" if native == {"RUNS"} else "no" if native == {"FAILS"} else "depends"
    says = {
        "yes": f"It starts on every engine on {own}.",
        "no": f"It starts on no engine on {own}.",
        "depends": f"Whether it starts on {own} depends on the engine:",
    }[kind]
    return [
        operator.answer(ask, kind, says, by=by),
        Table(columns=(Column("engine"), *(Column(name) for name in found.architectures)), rows=tuple(rows)),
    ]
