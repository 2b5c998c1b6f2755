"""Chapter 5: the process that an engine starts from the image: the literal request, its rounds, the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagepeel.errors import ImagepeelError
from imagepeel.evidence import Evidence, Location, Receipt, text
from imagepeel.present.document import (
    AnnotatedBytes,
    Block,
    Level,
    Piece,
    ReceiptRef,
    Round,
    Span,
    Steps,
    claim,
    code,
    note,
    path,
    proof,
    term,
    value,
    words,
)
from imagepeel.present.process import verdict_kind
from imagepeel.present.story.context import StoryContext
from imagepeel.process.predict import predict
from imagepeel.process.spec.failure import FailureCode, Judge, Stage
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.trace import vector
from imagepeel.receipts.quoting import plain_text, xxd_line
from imagepeel.tables import number_name
from imagepeel.text import few, joined, noun, plural, title

if TYPE_CHECKING:
    from imagepeel.process.spec.values import Prediction, Step, Verdict

ID = "process"
_OTHERS = ("docker@28", "containerd@2", "podman@5.8", "k8s@2")
"""One engine of each kind whose decisions differ."""
_NAMES = {"docker": "Docker", "containerd": "containerd", "podman": "podman", "k8s": "Kubernetes"}
_FIRST_LINE = 60


def chapter(context: StoryContext) -> tuple[str, list[Block]]:
    """Return title and blocks of the chapter."""
    blocks: list[Block] = []
    if context.image.os not in ("", "linux"):
        _foreign(context, blocks)
        return "And run as a process, elsewhere", blocks
    found = context.prediction
    if found is None:
        _unknown(context, blocks)
        return "Which process it becomes is not written here", blocks
    failed = found.verdict.kind == "FAILS" and context.rootfs.complete and context.rootfs.refusal is None
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
    receipt = _favourite(context, found)
    if receipt is not None:
        blocks.append(ReceiptRef(receipt=receipt))
    return "And run as a process" if not failed else "And run as a process: it does not start", blocks


def engine_name(label: str) -> str:
    """An engine as people write it: `Docker 28`, `Kubernetes`."""
    family, _, version = label.partition("@")
    if family == "k8s":
        return f"Kubernetes (containerd {version})"
    return f"{_NAMES.get(family, family)} {version}".strip()


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
    if context.unknown:
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
            "The image is for ", value(context.image.os), ", and what is known here is how Linux starts a process. ",
            *(("The config asks for ", code(vector(tuple(command))), ".") if command else ()),
            by=proof(
                context.config_place("/os"),
                context.config_receipt("/os", "the operating system that the config names"),
                _argv_receipt(context) or context.receipts.listing(),
            ),
        )
    )  # fmt: skip


# ---- failure first ----------------------------------------------------------------------------------------


def _failure(context: StoryContext, found: Prediction, blocks: list[Block]) -> None:
    verdict = found.verdict
    by = _verdict_proof(context, found)
    code_ = f" (exit code {verdict.exit_code})" if verdict.exit_code is not None else ""
    blocks.append(
        claim(
            "It does not start. What the operator will read from ", value(engine_name(found.engine)), code_, ":", by=by,
            level="bad",
        )
    )  # fmt: skip
    blocks.append(claim(code(verdict.text or verdict.message), by=by))
    if verdict.why:
        blocks.append(claim(Span("Why: ", "term"), Span(verdict.why), ".", by=by))
    if verdict.fix:
        blocks.append(claim(Span("Fix: ", "good"), Span(verdict.fix), ".", by=by))


def _verdict_proof(context: StoryContext, found: Prediction) -> Evidence:
    verdict = found.verdict
    failed = [step for step in found.steps if step.outcome != "ok"]
    step = failed[-1] if failed else (found.steps[-1] if found.steps else None)
    place = verdict.where
    receipts: list[Receipt | None] = []
    if step is not None:
        receipts.extend(_inspect(context, step))
    if place is not None and place.pointer is not None:
        receipts.append(context.config_receipt(place.pointer, "where the config says so"))
        place = context.config_place(place.pointer, place.step)
    elif place is not None:
        receipts.append(context.at(place, "the file", "head -c 32 | xxd", xxd_line(_head(context, place))))
    if not any(receipts):
        receipts.extend(_inspect_any(context, found))
    if not any(receipts):
        receipts.append(_argv_receipt(context))
    return proof(place, *receipts)


def _inspect_any(context: StoryContext, found: Prediction) -> list[Receipt]:
    for step in reversed(found.steps):
        if step.rule in (Stage.LOOKUP, Stage.EXECVE):
            receipts = _inspect(context, step)
            if receipts:
                return receipts
    return []


# ---- the request ------------------------------------------------------------------------------------------


def _argv_receipt(context: StoryContext) -> Receipt | None:
    run = context.image.config.config
    pointer = "/config/Entrypoint" if run.entrypoint else "/config/Cmd" if run.cmd else "/config"
    return context.config_receipt(pointer, "what the config asks for")


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
    early = (
        found.verdict.kind == "FAILS" and found.verdict.judge in (Judge.ENGINE, Judge.RUNTIME)
    ) or not context.certain
    if found.path is None:
        missed = any(step.rule == Stage.LOOKUP and step.outcome != "ok" for step in found.steps)
        blocks.append(
            claim(
                code(vector(found.argv)), ". It does not come to looking for the program." if not missed
                else ". The program of the first word is not found." if context.rootfs.complete
                else ". The program of the first word is not in the layers that are here.", by=by,
            )
        )  # fmt: skip
        return
    blocks.append(
        claim(
            value(engine_name(found.engine)), " would ask the kernel" if early else " will ask the kernel",
            ", with the system call ", term("execve"), ":", by=by,
        )
    )  # fmt: skip
    blocks.append(claim(code(found.execve), by=_path_proof(context, found) or by))


def _path_proof(context: StoryContext, found: Prediction) -> Evidence | None:
    step = next((step for step in found.steps if step.rule == Stage.LOOKUP and step.outcome == "ok"), None)
    if step is None or step.where is None:
        return None
    place = context.file_of(step)
    receipt = context.at(place, "the first bytes of the program", "head -c 32 | xxd", xxd_line(_head(context, place)))
    return proof(step.where, receipt, _argv_receipt(context))


def _identity(context: StoryContext, found: Prediction, blocks: list[Block]) -> None:
    user, image = found.user, context.image
    run = image.config.config
    receipts = [context.config_receipt("/config/User", "USER of the image")] if run.user else []
    passwd = next((step for step in found.steps if step.rule == Stage.USER), None)
    place = passwd.where if passwd is not None else None
    if place is not None and place.layer is not None:
        receipts.append(context.at(place, "the users that the image knows"))
    receipts = receipts or [context.config_receipt("/config", "the defaults for the process: no User")]
    extra = [str(group) for group in user.groups if group != user.gid]
    groups = f", also in {noun(len(extra), 'group')} {joined(extra[:8])}" if extra else ""
    named = f"{user.name} ({user.uid}:{user.gid})" if user.name else f"{user.uid}:{user.gid}"
    if passwd is None or passwd.outcome == "ok":
        who: tuple[Span | str, ...] = ("It runs as ", value(named), groups, ",")
    else:
        who = ("USER ", code(user.spec or run.user), " cannot be turned into numbers. It would start")
    default = not run.user and not user.uid
    blocks.append(
        claim(
            *who, " in ", path(found.cwd), ".",
            *((" The image names no ", code("USER"), ", which means root.") if default else ()),
            by=proof(context.config_place("/config/User"), place, *receipts),
        )
    )  # fmt: skip
    by_origin: dict[str, list[str]] = {}
    for variable in found.env:
        by_origin.setdefault(variable.origin, []).append(variable.name)
    told = []
    for origin, names in by_origin.items():
        who_set = {"image": "the image", "engine": "the engine", "runtime": "the runtime", "user": "this call"}[origin]
        shown = f" ({joined(names[:4])})" if origin != "image" and len(names) <= 4 else ""
        told.append(f"{few(len(names))} from {who_set}{shown}")
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
    rounds: list[Round] = []
    last = 0
    for step in found.steps:
        if step.rule == Stage.LOOKUP:
            looked = _lookup(context, found, step)
            if looked is not None:
                rounds.append(looked)
        elif step.rule in (Stage.EXECVE, Stage.LOADER):
            label = f"round {step.round}" if step.round and step.round != last else "loader"
            last = step.round or last
            rounds.append(_round(context, step, label))
    return tuple(rounds)


def _lookup(context: StoryContext, found: Prediction, step: Step) -> Round | None:
    """The search in PATH, where there was one; a word with a slash is taken as it is."""
    if not found.argv or "/" in found.argv[0]:
        return None
    skipped = [c for c in step.candidates if c.outcome != "taken"]
    taken = [c for c in step.candidates if c.outcome == "taken"]
    dirs = [candidate.path.rpartition("/")[0] or "/" for candidate in skipped]
    by = proof(
        context.config_place("/config/Env"),
        step.where,
        context.config_receipt("/config/Env", "the PATH of the image") if context.image.config.env else None,
        _argv_receipt(context),
    )
    if taken:
        what = f"found in {taken[0].path.rpartition('/')[0] or '/'}" + (
            f", after {plural(len(dirs), 'directory')} without it" if dirs else ", the first directory of PATH"
        )
        return Round(label="PATH", path=found.argv[0], what=words(what), origin="", evidence=by)
    reasons = ", ".join(f"{c.path}: {c.reason}" for c in skipped[:4])
    more = f", and {len(skipped) - 4} more" if len(skipped) > 4 else ""
    return Round(
        label="PATH", path=found.argv[0],
        what=words(Span("not found", "bad"), f" ({reasons}{more})" if reasons else ""),
        origin="", evidence=by, level="bad",
    )  # fmt: skip


def _round(context: StoryContext, step: Step, label: str) -> Round:
    shown = step.path or ""
    lead = step.title
    for prefix in (f"{shown} is ", f"{shown} "):
        if lead.startswith(prefix):
            lead = lead[len(prefix) :]
            break
    else:
        if step.rule == Stage.LOADER:
            lead = "is loaded with its libraries" if step.outcome == "ok" else "needs libraries"
        elif lead.startswith("the loader "):
            lead = "the loader (PT_INTERP) that the program names"
    details = [part for part in step.detail if part]
    if step.rule == Stage.LOADER:
        details = details[1:] if step.outcome != "ok" else []
    if lead == "a program" and details:
        lead, details = details[0], details[1:]
    what = [Span(lead, "bad" if step.outcome not in ("ok", "unknown") else "plain")]
    if details:
        what.append(Span("; " + "; ".join(details[:3])))
    if step.outcome not in ("ok", "unknown"):
        what.append(Span(f" [{step.outcome_in_words}]", "bad"))
    level: Level = "bad" if step.outcome not in ("ok", "unknown") else ""
    receipts: list[Receipt | None] = list(_inspect(context, step))
    if not receipts:
        receipts.append(_argv_receipt(context))
    return Round(
        label=label,
        path=shown,
        what=tuple(what),
        origin=context.origin(step.where),
        evidence=proof(step.where, *receipts),
        level=level,
    )


def _inspect(context: StoryContext, step: Step) -> list[Receipt]:
    """The receipts of a step: its file through the filters that show the same."""
    stream = context.stream_of(step)
    if stream is None:
        return []
    out = []
    for filter_ in step.inspect or ("head -c 32 | xxd",):
        out.append(context.receipts.inspect(stream, filter_, _expect(context, step, filter_)))
    return out


def _expect(context: StoryContext, step: Step, filter_: str) -> str:
    head = _head(context, context.file_of(step))
    if "head -n 1" in filter_:
        line = head.partition(b"\n")[0].rstrip(b"\r")
        shown = text(line)
        return shown if len(line) < _FIRST_LINE and plain_text(shown) else ""
    if "-hW" in filter_ and step.outcome == "ok":
        return "ELF Header:"
    if "-lW" in filter_ and step.outcome == "ok":
        loader = _loader_behind(context, step)
        if loader and plain_text(loader):
            return f"[Requesting program interpreter: {loader}]"
    return xxd_line(head) if filter_.endswith("xxd") else ""


def _loader_behind(context: StoryContext, step: Step) -> str:
    """The loader that the program of a step names: the kernel opens it in the same round, without a call."""
    steps = context.prediction.steps if context.prediction is not None else ()
    behind = steps[steps.index(step) + 1 :]
    loader = next(
        (one for one in behind if one.rule == Stage.EXECVE and one.round == step.round and not one.call), None
    )
    return loader.path or "" if loader is not None else ""


def _head(context: StoryContext, place: Location | None) -> bytes:
    if place is None or place.layer is None or place.entry is None:
        return b""
    layer = context.image.layers[place.layer]
    try:
        entry = layer.table[place.entry]
        return layer.open(entry).pread(0, 256) if entry.kind == "file" else b""
    except (ImagepeelError, IndexError):
        return b""


def _bytes(context: StoryContext, found: Prediction, blocks: list[Block]) -> None:
    """What the kernel looks at first: the opening bytes of the first file of the chain."""
    step = next((step for step in found.steps if step.rule == Stage.EXECVE and step.round == 1), None)
    if step is None:
        return
    head = _head(context, context.file_of(step))
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
                meaning=words("its interpreter, to the end of the line: ", code(text(line[2 : 2 + _FIRST_LINE]))),
            ),
        ]
    if not pieces:
        return
    receipt = context.at(context.file_of(step), "its first bytes", "head -c 32 | xxd", xxd_line(head))
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
    step = next((step for step in found.steps if step.rule == Stage.LOADER), None)
    receipts: list[Receipt | None] = [*_inspect(context, step)] if step is not None else []
    names = joined([*(library.name for library in there[:4]), *([f"{len(there) - 4} more"] if len(there) > 4 else [])])
    gone = [library for library in found.libraries if library.path is None]
    blocks.append(
        claim(
            "The ", term("loader"), " finds ", value(len(there)), " of ", value(len(found.libraries)),
            " shared libraries", f": {names}" if names else "", ".",
            *((" Not found: ", Span(joined([library.name for library in gone[:4]]), "bad"), ".") if gone else ()),
            by=proof(*(library.where for library in there[:4]), *(receipts or [_argv_receipt(context)])),
            level="bad" if gone else "",
        )
    )  # fmt: skip


# ---- afterwards -------------------------------------------------------------------------------------------


def _pid1(context: StoryContext, found: Prediction, blocks: list[Block]) -> None:
    first = found.pid1
    if first is None or found.verdict.kind == "FAILS":
        return
    place = next((step.where for step in reversed(found.steps) if step.rule == Stage.EXECVE), None)
    receipts: list[Receipt | None] = [*_inspect_any(context, found)] or [_argv_receipt(context)]
    certain = "" if first.exact else " as far as the script shows"
    shown = first.path or (first.argv[0] if first.argv else "")
    slow = first.stop is not None and not first.stop.never
    hears: dict[str, tuple[Span | str, ...]] = {
        "yes": ("It ends on ", code(first.stop_signal), ": ", Span(first.why), "."),
        "no": ("It does not react to ", code(first.stop_signal), ": ", Span(first.why), ".",
               f" Stopping takes {first.grace_seconds} seconds, then it is killed." if slow else ""),
        "unknown": ("Does ", code(first.stop_signal), " end it? Not certain: ", Span(first.why), "."),
    }  # fmt: skip
    blocks.append(
        claim(
            "Process 1 (", term("PID 1"), ") is ", path(shown), certain, ". ", *hears[first.hears_sigterm],
            by=proof(place, *receipts), level="warn" if first.hears_sigterm == "no" else "",
        )
    )  # fmt: skip


def _hidden(context: StoryContext, found: Prediction, blocks: list[Block]) -> None:
    covering = [item for item in found.additions if item.hides and item.path]
    if not covering:
        return
    listing = context.receipts.layer_listing(context.here[0]) if context.here else None
    blocks.append(
        claim(
            "The engine puts its own over ", value(joined([item.path for item in covering[:4]])), ": ",
            value(plural(sum(item.hides for item in covering), "path")), " of the image cannot be seen by the process.",
            by=proof(*(Location(path=item.path) for item in covering[:4]), listing or _argv_receipt(context)),
        )
    )  # fmt: skip


def _verdict(context: StoryContext, found: Prediction, blocks: list[Block]) -> None:
    if not context.rootfs.complete:
        blocks.append(
            claim(
                Span("Verdict: unknown", "warn"), ". A layer is missing or damaged, and what it holds may decide.",
                by=_verdict_proof(context, found), level="warn",
            )
        )  # fmt: skip
        return
    if context.rootfs.refusal is not None:
        blocks.append(
            claim(
                Span("Verdict: it never gets this far", "bad"), ". The image cannot be unpacked (chapter 4).",
                by=_verdict_proof(context, found), level="bad",
            )
        )  # fmt: skip
        return
    verdicts = _everywhere(context, found)
    by = _verdict_proof(context, found)
    groups: dict[tuple[str, str], list[str]] = {}
    for label, verdict in verdicts:
        groups.setdefault((verdict.kind, _in_short(verdict)), []).append(engine_name(label))
    parts: list[Span | str] = []
    told = found.verdict.why if found.verdict.kind == "FAILS" else ""
    for (kind, short), engines in groups.items():
        if short == told:
            # The first sentences of the chapter said it.
            short = "" if len(groups) == 1 else "the reason above"
        parts.extend((Span(kind, verdict_kind(kind)), " on ", joined(engines), f": {short}" if short else "", ". "))
    level: Level = "bad" if found.verdict.kind == "FAILS" else ""
    blocks.append(claim(Span("Verdict: ", "term"), *parts, by=by, level=level))
    strict = _non_root(context) if found.verdict.kind != "FAILS" else None
    if strict is not None:
        blocks.append(
            claim(
                "On Kubernetes with ", code("runAsNonRoot"), " it ", Span("FAILS", "bad"), ": ", code(strict.message),
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


def _in_short(verdict: Verdict) -> str:
    if verdict.kind == "FAILS":
        return verdict.why or verdict.message
    if verdict.kind == "DEPENDS":
        return "it depends on " + joined(list(verdict.depends[:3]))
    return verdict.reason if verdict.kind == "UNKNOWN" else ""


def _everywhere(context: StoryContext, found: Prediction) -> list[tuple[str, Verdict]]:
    """The verdict of the engine that was asked for first, then of one engine of each other kind."""
    out = [(found.engine, found.verdict)]
    family = found.engine.partition("@")[0]
    for engine in _OTHERS:
        if engine.partition("@")[0] == family:
            continue
        other = predict(
            context.rootfs, context.image.config, ProcessOptions(engine=engine), architecture=context.image.architecture
        )
        out.append((other.engine, other.verdict))
    return out


def _non_root(context: StoryContext) -> Verdict | None:
    options = ProcessOptions(engine="k8s@2", run_as_non_root=True)
    strict = predict(context.rootfs, context.image.config, options, architecture=context.image.architecture).verdict
    return strict if strict.kind == "FAILS" and strict.id == FailureCode.RUN_AS_NON_ROOT else None


def _favourite(context: StoryContext, found: Prediction) -> Receipt | None:
    for step in found.steps:
        if step.rule == Stage.EXECVE and step.round == 1:
            head = _head(context, context.file_of(step))
            if head.startswith(b"#!"):
                return next(iter(_inspect(context, step)), None)
            found_ = context.at(context.file_of(step), "its first bytes", "head -c 32 | xxd", xxd_line(head))
            if found_ is not None:
                return found_
    return _argv_receipt(context)


__all__ = ["ID", "chapter", "engine_name"]
