"""The sentences about a prediction: each is worded once, here, and every document that says it takes it from here.

They begin in lower case and end without a full stop, so that a row of a list, a sentence of a chapter and a cell can
hold them.  What the values themselves say (a title of a step, a reason, a fix) is worded in `process/` and stays as it
is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from imagepeel.evidence import Location, layer_label
from imagepeel.present.document import Level, Span, SpanKind, Text, code, words
from imagepeel.process.spec.failure import Judge, Outcome, Stage
from imagepeel.process.spec.hedged import NOT_HERE
from imagepeel.process.spec.values import (
    Addition,
    Credentials,
    NeededLibrary,
    Origin,
    PidOne,
    Prediction,
    ReaderKind,
    Step,
    Verdict,
    WordReader,
)
from imagepeel.text import plural, shortened

_ENGINES = {"docker": "Docker", "k8s": "Kubernetes", "cri-containerd": "a kubelet with containerd", "cri-o": "CRI-O"}
"""Engines that people write otherwise than --engine does."""
_ORIGINS: dict[Origin, str] = {
    "image": "the image",
    "engine": "the engine",
    "runtime": "the runtime",
    "user": "an option of this call",
}
_LONGEST = 1000
"""Characters of a command line that are shown; --json has it whole."""

PARTLY = "What follows is as far as the layers that are here show; a missing one may change it."
"""What stands in front of a prediction of an image that lacks a layer."""
INEXACT = "the text of the script does not prove what it becomes in the end"
"""Of a process 1 that is not exact."""


def engine_name(label: str) -> str:
    """Return an engine as people write it: `Docker 28`, `Kubernetes 1.37`."""
    family, _, version = label.partition("@")
    return f"{_ENGINES.get(family, family)} {version}".strip()


def place_in_words(where: Location | None) -> str:
    """Return where something comes from in a few words: `L3, step 5`, or the place in the config or the manifest."""
    if where is None:
        return ""
    if where.layer is not None:
        return layer_label(where.layer, where.step)
    if where.pointer is None:
        return ""
    listed = "manifest" if where.pointer.startswith("/layers") else "config"
    return f"{'manifest.json' if where.member == 'manifest.json' else listed} {where.pointer}"


# ---- the verdict ------------------------------------------------------------------------------------------------


def verdict_kind(outcome: Outcome) -> SpanKind:
    """Return how a verdict looks: what neither runs nor fails is a warning."""
    kinds: dict[Outcome, SpanKind] = {Outcome.RUNS: "good", Outcome.FAILS: "bad"}
    return kinds.get(outcome, "warn")


def verdict_word(outcome: Outcome) -> Span:
    """Return the verdict for people: one that runs `starts`, which is all that an image can prove."""
    return Span("starts" if outcome is Outcome.RUNS else outcome, verdict_kind(outcome))


def not_promised(found: Prediction) -> Iterator[str]:
    """Yield what a start that succeeds leaves open: what scripts were taken to do, and the program itself."""
    if found.verdict.kind is Outcome.RUNS:
        yield from found.assumes
        yield "what the program does once it runs: that depends on more than the image"


_READERS: dict[ReaderKind, str] = {"name": "the shell", "nobody": "nobody reads it", "unknown": "not known"}
"""Readers that are not their own word with an article."""


def reader_in_words(reader: WordReader) -> str:
    """Return who reads a word: `the runtime: the program, looked up in PATH`."""
    return f"{_READERS.get(reader.by, f'the {reader.by}')}: {reader.how}"


def verdict_in_short(verdict: Verdict) -> Span:
    """Return a verdict as a cell has it: `RUNS`, `FAILS ENOEXEC exit 255`."""
    exits = f"exit {verdict.exit_code}" if verdict.exit_code is not None else ""
    return Span(" ".join(filter(None, (verdict.kind, verdict.errno, exits))), verdict_kind(verdict.kind))


def ground(verdict: Verdict) -> str:
    """Return what a verdict rests on: the cause, the conditions, or why there is no proof; "" for one that runs."""
    return verdict.why or verdict.message or "; ".join(verdict.depends) or verdict.reason


def operator_reads(verdict: Verdict) -> tuple[str, ...]:
    """Return the lines of a failure that the operator reads on this engine."""
    return tuple(verdict.text.splitlines() or [verdict.message])


def exit_in_words(verdict: Verdict) -> str:
    """Return which exit codes a failure has: `exit code 255, and 128 is recorded for the container`."""
    code = verdict.exit_code
    returned = "the command line returns no code of it" if code is None else f"exit code {code}"
    state = verdict.state_exit_code
    return returned + (f", and {state} is recorded for the container" if state not in (None, code) else "")


def refusal(verdict: Verdict) -> str:
    """Return who refuses and with which errno: `the kernel refused it: ENOENT`; "" where nobody does."""
    return "" if verdict.judge is None else verdict.judge.refused(verdict.errno)


# ---- the request ------------------------------------------------------------------------------------------------


def refused_before(found: Prediction) -> bool:
    """Whether the kernel is never asked, since loading, the engine or the runtime refuses first."""
    return found.verdict.kind is Outcome.FAILS and found.verdict.judge in (Judge.LOAD, Judge.ENGINE, Judge.RUNTIME)


def knows_user(found: Prediction) -> bool:
    """Whether USER could be turned into numbers: else nobody is the user, and there is no home."""
    step = next((step for step in found.steps if step.rule is Stage.USER), None)
    return step is None or step.outcome == "ok"


def without_program(found: Prediction) -> str:
    """Return why no file is known that the kernel could be asked for."""
    if all(step.rule is not Stage.LOOKUP or step.outcome == "ok" for step in found.steps):
        return "it does not come to looking for the program"
    # Where a store refuses the image, layers may be missing as well: one of them may have the program.
    if found.verdict.kind is Outcome.FAILS and found.verdict.judge is not Judge.LOAD:
        return "the program of the first word is not found"
    return "the program of the first word is not in the layers that are here"


def user_in_words(user: Credentials) -> str:
    """Return numbers and name, and the groups as the runtime gets them."""
    return f"{user.ids}, {user.groups_in_words}"


def origin_in_words(origin: Origin) -> str:
    """Return who set a variable."""
    return _ORIGINS[origin]


# ---- the trace --------------------------------------------------------------------------------------------------


def step_level(step: Step) -> Level:
    """Return how the outcome of a step looks: what nobody knows is a warning."""
    return "" if step.outcome == "ok" else "warn" if step.outcome == "unknown" else "bad"


def skipped(step: Step) -> Iterator[str]:
    """Yield each path that was looked at and not taken, and why."""
    for one in step.candidates:
        if one.outcome != "taken":
            yield f"not {one.path}: {one.reason or one.outcome}"


def libraries_in_words(libraries: Sequence[NeededLibrary]) -> str:
    """Return how many libraries are needed, and how many of them are not found or may be in a layer that is missing."""
    missing = sum(library.path is None and not library.how for library in libraries)
    elsewhere = sum(library.path is None and bool(library.how) for library in libraries)
    needed = plural(len(libraries), "needed library", "needed libraries")
    return needed + (f", {missing} not found" if missing else "") + (f", {elsewhere} {NOT_HERE}" if elsewhere else "")


# ---- what it becomes --------------------------------------------------------------------------------------------


def process_one(one: PidOne) -> Text:
    """Return process 1 as a command line, and as whom it runs."""
    return words(code(shortened(" ".join(one.argv), _LONGEST)), f" as {one.uid}:{one.gid}")


def stop_in_words(one: PidOne) -> str:
    """Return which signal a stop sends, who chose it, whether it is heard, and how long a stop takes."""
    if one.ends_at_once:
        return "it ends at once with exit code 0, before anybody stops it"
    origin = f" ({one.stop_signal_origin})" if one.stop_signal_origin not in ("", "default") else ""
    heard = {"yes": ", which it hears", "no": ", which it does not hear"}.get(
        one.hears_sigterm, ", and nobody can tell from the image whether it hears it"
    )
    time = "" if one.stop is None else f"; {one.stop.sentence('stopping')}"
    return f"a stop sends {one.stop_signal}{origin}{heard}{time}"


def hides_its_own(addition: Addition) -> bool:
    """Whether an addition hides nothing but what the image has at the same path."""
    return addition.hides == 1 and list(addition.examples) == [addition.path]


def hiding(addition: Addition) -> str:
    """Return how many paths of the image an addition hides, with examples; "" for none."""
    if not addition.hides:
        return ""
    lead = ": " if addition.hides == len(addition.examples) else ", such as "
    examples = f"{lead}{', '.join(addition.examples)}" if addition.examples else ""
    return f"hides {plural(addition.hides, 'path')} of the image{examples}"
