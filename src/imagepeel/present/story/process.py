"""Chapter 5: the process that an engine starts from the image: the literal request, its rounds, the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagepeel.evidence import Location, Receipt, text
from imagepeel.masking import masked_words
from imagepeel.present.document import (
    AnnotatedBytes,
    Block,
    Level,
    Piece,
    ReceiptRef,
    Round,
    Span,
    Steps,
    Text,
    claim,
    code,
    note,
    path,
    proof,
    term,
    value,
    words,
)
from imagepeel.present.prediction import (
    INEXACT,
    PARTLY,
    engine_name,
    exit_in_words,
    ground,
    hides_its_own,
    hiding,
    knows_user,
    libraries_in_words,
    operator_reads,
    origin_in_words,
    process_one,
    refusal,
    refused_before,
    skipped,
    step_level,
    stop_in_words,
    verdict_kind,
    verdict_word,
    without_program,
)
from imagepeel.present.story.context import StoryContext
from imagepeel.present.story.process_proof import (
    FIRST_LINE,
    argv_receipt,
    favourite,
    first_bytes,
    inspect,
    inspect_any,
    path_proof,
    verdict_proof,
)
from imagepeel.process.engines.registry import KUBERNETES
from imagepeel.process.image_prediction import predict_image
from imagepeel.process.spec.failure import FailureCode, Outcome, Stage
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.trace import quote, vector
from imagepeel.receipts.quoting import LOOK_AT_START, hex_line
from imagepeel.tables import not_for_linux, number_name
from imagepeel.text import few, joined, listed, plural, title

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imagepeel.process.spec.values import Origin, Prediction, Step, Verdict

ID = "process"
_SAID = 4
"""Sentences about one step of the trace that are shown."""


def chapter(context: StoryContext) -> tuple[str, list[Block]]:
    """Return title and blocks of the chapter."""
    blocks: list[Block] = []
    found = context.prediction
    if found is None:
        _unknown(context, blocks)
        return "Which process it becomes is not written here", blocks
    if not_for_linux(context.image.os, context.image.architecture):
        _foreign(context, blocks)
        return "And run as a process, elsewhere", blocks
    if not context.knowledge.layers:
        blocks.append(claim(PARTLY, by=proof(context.archive_place(), context.receipts.listing()), level="warn"))
    failed = found.verdict.kind is Outcome.FAILS
    if failed:
        _failure(context, found, blocks)
    _request(context, found, blocks)
    _identity(context, found, blocks)
    rounds = _rounds(context, found)
    if rounds:
        blocks.append(Steps(rounds=rounds))
    _bytes(context, found, blocks)
    _libraries(context, found, blocks)
    _pid1(context, found, blocks)
    _hidden(context, found, blocks)
    _verdict(context, found, blocks)
    receipt = favourite(context, found)
    if receipt is not None:
        blocks.append(ReceiptRef(receipt=receipt))
    return "And run as a process" if not failed else "And run as a process: it does not start", blocks


def _unknown(context: StoryContext, blocks: list[Block]) -> None:
    record = context.image.record
    listing = context.receipts.listing()
    if context.bare:
        blocks.append(
            claim(
                "A process needs a program, arguments, a user and an environment. They stand in the ", term("config"),
                ", and this file has none. Whoever imports it (", code("docker import"), ") has to say them again.",
                by=proof(context.archive_place(), listing),
            )
        )  # fmt: skip
        return
    if not context.knowledge.layer_list:
        blocks.append(
            claim(
                "The config says what to start, the ", term("manifest"), " says which config, and it is missing.",
                by=proof(Location(member="index.json", blob=record.digest), listing), level="bad",
            )
        )  # fmt: skip
        return
    blocks.append(
        claim(
            "The config is ", Span(record.config_state, "bad"), ", and with it entrypoint, command, environment, "
            "user and directory. No engine starts this image.",
            by=proof(Location(member=record.config_member or None), listing), level="bad",
        )
    )  # fmt: skip


def _foreign(context: StoryContext, blocks: list[Block]) -> None:
    run = context.image.config.config
    command = [*(run.entrypoint or ()), *(run.cmd or ())]
    blocks.append(
        claim(
            "The image is for ", value(context.image.platform), ", and known here is how Linux starts a process. ",
            *(("The config asks for ", code(vector(tuple(command))), ".") if command else ()),
            by=proof(
                context.config_place("/os"),
                context.config_receipt("/os", "the operating system that the config names"),
                argv_receipt(context) or context.receipts.listing(),
            ),
        )
    )  # fmt: skip


# ---- failure first ----------------------------------------------------------------------------------------


def _failure(context: StoryContext, found: Prediction, blocks: list[Block]) -> None:
    verdict = found.verdict
    by = verdict_proof(context, found)
    blocks.append(
        claim(
            "It does not start. What the operator will read from ", value(engine_name(found.engine)),
            f" ({exit_in_words(verdict)}):", by=by, level="bad",
        )
    )  # fmt: skip
    blocks.append(claim(code("\n".join(operator_reads(verdict))), by=by))
    refused = refusal(verdict)
    if verdict.why:
        who = f" {title(refused)}." if refused else ""
        blocks.append(claim(Span("Why: ", "term"), Span(verdict.why), ".", who, by=by))
    if verdict.fix:
        # Without a full stop: it may be a command that people copy.
        blocks.append(claim(Span("Fix: ", "good"), Span(verdict.fix), by=by))


# ---- the request ------------------------------------------------------------------------------------------


def _request(context: StoryContext, found: Prediction, blocks: list[Block]) -> None:
    step = next((step for step in found.steps if step.rule == Stage.COMMAND), None)
    how = step.detail[0] if step is not None and step.detail else ""
    run = context.image.config.config
    receipts = [
        context.config_receipt(pointer, f"{pointer.rpartition('/')[2]} of the config")
        for pointer, given in (("/config/Entrypoint", run.entrypoint), ("/config/Cmd", run.cmd))
        if given
    ]
    by = proof(
        context.config_place("/config/Entrypoint" if run.entrypoint else "/config/Cmd"), *receipts,
        *([] if receipts else [context.config_receipt("/config", "the defaults for the process")]),
    )  # fmt: skip
    if not found.argv:
        blocks.append(
            claim("The config asks for nothing: neither ", code("Entrypoint"), " nor ", code("Cmd"), ".", by=by)
        )
        return
    count = len(found.argv)
    blocks.append(
        claim(
            "What to run stands in the config: ", Span(how),
            ". Its words are the " if count > 1 else ". Its one word is the ",
            term("argv"), ".", by=by,
        )
    )  # fmt: skip
    early = refused_before(found) or not context.certain
    if found.path is None:
        blocks.append(claim(code(vector(found.argv)), f". {title(without_program(found))}.", by=by))
        return
    blocks.append(
        claim(
            value(engine_name(found.engine)), " would ask the kernel" if early else " will ask the kernel",
            ", with the system call ", term("execve"), ":", by=by,
        )
    )  # fmt: skip
    blocks.append(claim(code(found.execve), by=path_proof(context, found) or by))
    for kind, said in (("nobody", "Nobody reads "), ("name", "The program does not get ")):
        unread = [
            (word, one) for word, one in zip(masked_words(found.argv), found.readers, strict=False) if one.by == kind
        ]
        if unread:
            listing = listed([quote(word) for word, _ in unread], 4)
            blocks.append(claim(said, value(listing), f": {unread[0][1].how}.", by=by, level="warn"))


def _identity(context: StoryContext, found: Prediction, blocks: list[Block]) -> None:
    user, image = found.user, context.image
    if user is None:
        return
    run = image.config.config
    receipts = [context.config_receipt("/config/User", "USER of the image")] if run.user else []
    passwd = next((step for step in found.steps if step.rule == Stage.USER), None)
    place = passwd.where if passwd is not None else None
    if place is not None and place.layer is not None:
        receipts.append(context.at(place, "the users that the image knows"))
    receipts = receipts or [context.config_receipt("/config", "the defaults for the process: no User")]
    if knows_user(found):
        who: tuple[Span | str, ...] = (
            "It would run as " if found.verdict.kind == "FAILS" else "It runs as ",
            value(user.ids),
            f", {user.groups_in_words},",
        )
    else:
        who = ("USER ", code(user.spec or run.user), " cannot be turned into numbers. It would start")
    default = not run.user and not user.uid
    partly = () if context.knowledge.layers else (", as far as the layers that are here show",)
    blocks.append(
        claim(
            *who, " in ", path(found.cwd), *partly, ".",
            *((" The image names no ", code("USER"), ", which means root.") if default else ()),
            by=proof(context.config_place("/config/User"), place, *receipts),
        )
    )  # fmt: skip
    by_origin: dict[Origin, list[str]] = {}
    for variable in found.env:
        by_origin.setdefault(variable.origin, []).append(variable.name)
    told = []
    for origin, names in by_origin.items():
        shown = f" ({joined(names[:4])})" if origin != "image" and len(names) <= 4 else ""
        told.append(f"{few(len(names))} from {origin_in_words(origin)}{shown}")
    blocks.append(
        claim(
            "Its environment has ", value(plural(len(found.env), "variable")), ": ", Span(joined(told)), ".",
            by=proof(
                context.config_place("/config/Env"),
                context.config_receipt("/config/Env", "the variables of the image")
                if run.env else context.config_receipt("/config", "the defaults for the process"),
            ),
        )
    )  # fmt: skip


# ---- rounds -----------------------------------------------------------------------------------------------


def _rounds(context: StoryContext, found: Prediction) -> tuple[Round, ...]:
    """One row for the search in PATH, and one a round: the program that the kernel opens, with its loader."""
    rounds: list[Round] = []
    of_round: dict[int, list[Step]] = {}
    for step in found.steps:
        if step.rule == Stage.LOOKUP:
            looked = _lookup(context, found, step)
            if looked is not None:
                rounds.append(looked)
        elif step.rule in (Stage.EXECVE, Stage.LOADER):
            number = step.round or max(of_round, default=1)
            of_round.setdefault(number, []).append(step)
    told: set[Text] = set()
    return (*rounds, *(_round(context, f"round {number}", steps, told) for number, steps in of_round.items()))


def _lookup(context: StoryContext, found: Prediction, step: Step) -> Round | None:
    """The search in PATH, where there was one; a word with a slash is taken as it is."""
    if not found.argv or "/" in found.argv[0]:
        return None
    by = proof(
        context.config_place("/config/Env"),
        step.where,
        context.config_receipt("/config/Env", "the PATH of the image") if context.image.config.env else None,
        argv_receipt(context),
    )
    return Round(
        label="PATH", path=found.argv[0], what=_told(step, *skipped(step)), origin="", evidence=by,
        level=step_level(step),
    )  # fmt: skip


def _round(context: StoryContext, label: str, steps: Sequence[Step], told: set[Text]) -> Round:
    """The row of a round; `told` are the sentences about loaders that stand in rows above."""
    first, *behind = steps
    parts = [_told(first)]
    for step in behind:
        words_ = _told(step)
        if step.outcome != "ok" or words_ not in told:
            parts.append(words_)
        told.add(words_)
    receipts: list[Receipt | None] = [receipt for step in steps for receipt in inspect(context, step)]
    if not receipts:
        receipts.append(argv_receipt(context))
    return Round(
        label=label,
        path=first.path or "",
        what=words(*(part for told_ in parts for part in (Span("; "), told_)))[1:],
        origin=context.origin(first.where),
        evidence=proof(*(step.where for step in steps), *dict.fromkeys(receipts)),
        level=next((level for level in map(step_level, reversed(steps)) if level), ""),
    )


def _told(step: Step, *more: str) -> Text:
    """Return what the trace says about a step, and its outcome where that is no success."""
    said = [part for part in (*step.detail, *more) if part] or [step.title]
    if len(said) > _SAID:
        said = [*said[:_SAID], f"{len(said) - _SAID} more"]
    level = step_level(step)
    return words("; ".join(said), Span(f" [{step.outcome_in_words}]", level) if level else "")


def _bytes(context: StoryContext, found: Prediction, blocks: list[Block]) -> None:
    """What the kernel looks at first: the opening bytes of the first file of the chain."""
    step = next((step for step in found.steps if step.rule == Stage.EXECVE and step.round == 1), None)
    if step is None:
        return
    head = first_bytes(context, context.file_of(step))
    pieces: list[Piece] = []
    if head.startswith(b"\x7fELF") and len(head) >= 20:
        order = "big" if head[5] == 2 else "little"
        machine = int.from_bytes(head[18:20], "big" if order == "big" else "little")
        named = number_name(machine, little=order == "little")
        pieces = [
            Piece(offset=0, data=head[:4], meaning=words("the magic of ", term("ELF"), ": a compiled program")),
            Piece(offset=4, data=head[4:5], meaning=words({1: "32 bits", 2: "64 bits"}.get(head[4], "an odd class"))),
            Piece(offset=18, data=head[18:20], meaning=words("built for ", value(named))),
        ]
    elif head.startswith(b"#!"):
        line = head.partition(b"\n")[0]
        pieces = [
            Piece(offset=0, data=b"#!", meaning=words("the ", term("shebang"), ": a script")),
            Piece(
                offset=2,
                data=line[2:26],
                meaning=words("its interpreter, to the end of the line: ", code(text(line[2 : 2 + FIRST_LINE]))),
            ),
        ]
    if not pieces:
        return
    receipt = context.at(context.file_of(step), "its first bytes", LOOK_AT_START, hex_line(head))
    blocks.append(
        AnnotatedBytes(
            caption=words(
                "The kernel does not look at names. It reads the first bytes of ", path(step.path or ""), ":"
            ),
            pieces=tuple(pieces),
            evidence=proof(step.where, receipt),
        )
    )


def _libraries(context: StoryContext, found: Prediction, blocks: list[Block]) -> None:
    if not found.libraries:
        return
    there = [library for library in found.libraries if library.path is not None]
    gone = [library for library in found.libraries if library.path is None and not library.how]
    step = next((step for step in found.steps if step.rule == Stage.LOADER), None)
    receipts: list[Receipt | None] = [*inspect(context, step)] if step is not None else []
    names = listed([library.name for library in found.libraries], 4)
    blocks.append(
        claim(
            "The ", term("loader"), " looks for ", value(libraries_in_words(found.libraries)), f": {names}.",
            *((" Not found: ", Span(listed([library.name for library in gone], 4), "bad"), ".") if gone else ()),
            by=proof(*(library.where for library in there[:4]), *(receipts or [argv_receipt(context)])),
            level="bad" if gone else "",
        )
    )  # fmt: skip


# ---- afterwards -------------------------------------------------------------------------------------------


def _pid1(context: StoryContext, found: Prediction, blocks: list[Block]) -> None:
    first = found.pid1
    if first is None or found.verdict.kind is Outcome.FAILS:
        return
    place = next((step.where for step in reversed(found.steps) if step.rule == Stage.EXECVE), None)
    receipts: list[Receipt | None] = [*inspect_any(context, found)] or [argv_receipt(context)]
    blocks.append(
        claim(
            "Process 1 (", term("PID 1"), ") is ", process_one(first), f"; {INEXACT}" if not first.exact else "", ". ",
            f"{title(stop_in_words(first))}. ", Span(f"Why: {first.why}." if first.why else ""),
            by=proof(place, *receipts), level="warn" if first.hears_sigterm == "no" else "",
        )
    )  # fmt: skip
    if first.fix:
        blocks.append(claim(Span("Fix: ", "good"), Span(first.fix), by=proof(place, *receipts)))


def _hidden(context: StoryContext, found: Prediction, blocks: list[Block]) -> None:
    covering = [item for item in found.additions if item.hides and item.path]
    if not covering:
        return
    listing = context.receipts.layer_listing(context.here[0]) if context.here else None
    own = [str(item.path) for item in covering if hides_its_own(item)]
    more = [f"{item.path} {hiding(item)}" for item in covering if not hides_its_own(item)]
    parts = (f"{listed(own)}, in place of the image's own" if own else "", listed(more, 4) if more else "")
    told = "; ".join(filter(None, parts))
    blocks.append(
        claim(
            "What the engine adds lies over the image: ", Span(told), ".",
            by=proof(*(Location(path=item.path) for item in covering[:4]), listing or argv_receipt(context)),
        )
    )  # fmt: skip


def _verdict(context: StoryContext, found: Prediction, blocks: list[Block]) -> None:
    by = verdict_proof(context, found)
    groups: dict[tuple[Outcome, str], list[str]] = {}
    for label, verdict in context.verdicts:
        groups.setdefault((verdict.kind, ground(verdict)), []).append(engine_name(label))
    parts: list[Span | str] = []
    told = ground(found.verdict) if found.verdict.kind is Outcome.FAILS else ""
    for (kind, short), engines in groups.items():
        if short == told:
            # The first sentences of the chapter said it.
            short = "" if len(groups) == 1 else "the reason above"
        parts.extend((verdict_word(kind), " on ", joined(engines), f": {short}" if short else "", ". "))
    if context.rootfs.refusal is not None:
        parts.append("Chapter 4 has more about unpacking.")
    looks = verdict_kind(found.verdict.kind)
    level: Level = "bad" if looks == "bad" else "warn" if found.verdict.kind is Outcome.UNKNOWN else ""
    blocks.append(claim(Span("Verdict: ", "term"), *parts, by=by, level=level))
    strict = _non_root(context) if found.verdict.runs else None
    if strict is not None:
        blocks.append(
            claim(
                "On Kubernetes with ", code("runAsNonRoot"), " it ", Span(strict.kind, verdict_kind(strict.kind)), ": ",
                code(strict.message),
                ". ",
                "Fix: ", Span(strict.fix), ".",
                by=proof(context.config_place("/config/User"), context.config_receipt("/config", "User, if any")),
                level="warn",
            )
        )  # fmt: skip
    wrong = [layer for layer in context.image.layers if layer.verified is False]
    if wrong:
        blocks.append(
            claim(
                Span("But first it has to be loaded, and engines refuse that: ", "bad"), "see what does not match in "
                "chapter 2.", by=proof(wrong[0].location, context.receipts.layer_digest(wrong[0])), level="bad",
            )
        )  # fmt: skip
    for remark in found.notes:
        blocks.append(note(Span(title(remark)), "."))


def _non_root(context: StoryContext) -> Verdict | None:
    options = ProcessOptions(engine=KUBERNETES, run_as_non_root=True)
    strict = predict_image(context.image, options).verdict
    return strict if strict.id is FailureCode.RUN_AS_NON_ROOT else None


__all__ = ["ID", "chapter"]
