"""The Dockerfile of an image again, as far as its history tells: one instruction a step, with how sure we are of each.

`created_by` is free text that every builder words in its own way; nothing binds it to what happened.  The words of
the builders are in `history/builders.py`; here steps meet layers and the final config.  See
`docs/explanation/dockerfile.md`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import msgspec

from imagepeel._display import Shown
from imagepeel._lazy import late
from imagepeel.evidence import layer_label, steps_in_words
from imagepeel.history.attested import Attested, Disagreement
from imagepeel.history.builders import (
    DEFAULT_SHELL,
    EXACT,
    LIKELY,
    MAKES_FILES,
    UNKNOWN,
    Builder,
    Confidence,
    Keyword,
    Wording,
    go_list,
    json_list,
    read_step,
)
from imagepeel.oci.config import HistoryStep, ImageConfig

if TYPE_CHECKING:
    from imagepeel.layers.layer import Layer


class Instruction(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One line of the rebuilt Dockerfile.

    keyword: the Dockerfile word, "" where the step is no instruction of a Dockerfile or cannot be told.
    text: what stands behind it, in Dockerfile words; without a keyword the step's own words.
    raw: the step as the config has it.  step: its 0-based index, None for a layer that no step names.
    layer: 0-based index of the layer it made, None when it made none or nobody can tell.
    bytes, stored: decompressed and stored bytes of that layer.
    confidence: exact (the builder wrote this text), likely (quotes or words had to be filled in, or the layer holds
    more than this step), unknown.
    origin: classic, buildkit, buildah, kaniko, nix, jib, bazel, ko, apko, buildpacks, debuerreotype, import, squash,
    commit or unknown.
    shell: the words in front of a shell command, () for exec form, None where it does not apply.
    arguments: NAME=value of the build arguments that a RUN saw.
    """

    keyword: Literal[Keyword, ""] = ""
    text: str = ""
    raw: str = ""
    step: int | None = None
    layer: int | None = None
    bytes: int | None = None
    stored: int | None = None
    empty: bool = True
    confidence: Confidence = UNKNOWN
    origin: Builder = "unknown"
    shell: tuple[str, ...] | None = None
    arguments: tuple[str, ...] = ()
    author: str = ""
    comment: str = ""
    notes: tuple[str, ...] = ()


class RebuiltDockerfile(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """All instructions in order, and what is to be said about the whole.

    `attested` is the Dockerfile as the builder states it beside the image, which is the text then; nobody signed it.
    `disagreements` are where the history says another thing, `remarks` why an attestation was not used.
    """

    instructions: tuple[Instruction, ...] = ()
    notes: tuple[str, ...] = ()
    attested: Attested | None = None
    disagreements: tuple[Disagreement, ...] = ()
    remarks: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The recipe as text, each line with its layer, its bytes and how sure it is."""
        return render(self)


class LayerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What rebuilding needs of a layer; `steps` are the history steps that wrote it, () when nobody can tell."""

    index: int
    steps: tuple[int, ...] = ()
    bytes: int | None = None
    stored: int | None = None


def facts_of(layers: Sequence[Layer]) -> tuple[LayerFacts, ...]:
    """Return the facts of an image's layers."""
    return tuple(
        LayerFacts(
            index=layer.index,
            steps=layer.steps,
            bytes=layer.content_size if layer.readable else None,
            stored=layer.blob_size,
        )
        for layer in layers
    )


def rebuild_dockerfile(config: ImageConfig, layers: Sequence[LayerFacts], *, unknown: str = "") -> RebuiltDockerfile:
    """Return the Dockerfile that the history of a config tells, with its layers where they can be told.

    `unknown` says why nobody can read the config, "" where it was read.
    """
    history = config.history or ()
    by_step = {layer.steps[0]: layer for layer in layers if len(layer.steps) == 1}
    marks = zip(config.layer_steps, layers, strict=False)
    hung = {mark: layer for mark, layer in marks if layer.steps and layer.steps != (mark,)}
    shell: tuple[str, ...] = DEFAULT_SHELL
    out: list[Instruction] = []
    pending: list[int] = []
    for index, step in enumerate(history):
        words = read_step(step, shell, config.config)
        if words.keyword == "SHELL" and words.shell:
            shell = words.shell
        made = by_step.get(index)
        notes = list(words.notes)
        confidence = words.confidence
        shared: list[int] = []
        if step.empty_layer and words.keyword in MAKES_FILES:
            # buildah without --layers and docker build --squash put the files of many steps into one layer.
            pending.append(index)
            notes.append(
                "made no layer of its own: what it changed is in a later layer, or was dropped"
                if made is None
                else "the history says that it made no layer, and hangs its layer on a later step that writes no files"
            )
            confidence = LIKELY if confidence == EXACT else confidence
        elif not step.empty_layer:
            shared, pending = pending, []
            if shared and made is not None:
                notes.append(f"this layer may also hold what {steps_in_words(shared)} changed")
                confidence = LIKELY if confidence == EXACT else confidence
        if index in hung:
            notes = [*words.notes, "the builder hung the layer of earlier steps on this one"]
        elif not step.empty_layer and made is None:
            notes.append("which layer it made cannot be told")
        out.append(_instruction(index, step, words, made, confidence=confidence, notes=tuple(notes)))
        if index in hung and len(hung[index].steps) > 1:
            out.append(_shared_layer(hung[index]))
    named = {layer.index for layer in layers if layer.steps}
    for layer in layers:
        if layer.index not in named:
            out.append(
                Instruction(
                    layer=layer.index,
                    bytes=layer.bytes,
                    stored=layer.stored,
                    empty=False,
                    notes=() if unknown else ("no history step can be named for this layer",),
                )
            )
    notes = [f"the history is not known: {unknown}"] if unknown else _whole(config, history, layers, out)
    return RebuiltDockerfile(instructions=tuple(out), notes=tuple(notes))


def _instruction(
    index: int,
    step: HistoryStep,
    words: Wording,
    made: LayerFacts | None,
    *,
    confidence: Confidence,
    notes: tuple[str, ...],
) -> Instruction:
    return Instruction(
        keyword=words.keyword,
        text=words.text,
        raw=step.created_by,
        step=index,
        layer=made.index if made is not None else None,
        bytes=made.bytes if made is not None else None,
        stored=made.stored if made is not None else None,
        empty=step.empty_layer,
        confidence=confidence,
        origin=words.origin,
        shell=words.shell if words.keyword in ("RUN", "SHELL") else None,
        arguments=words.arguments,
        author=step.author,
        comment=step.comment,
        notes=notes,
    )


def _shared_layer(made: LayerFacts) -> Instruction:
    note = f"one layer for {steps_in_words(made.steps)} together: which of them changed what cannot be told"
    return Instruction(layer=made.index, bytes=made.bytes, stored=made.stored, empty=False, notes=(note,))


def _whole(
    config: ImageConfig, history: Sequence[HistoryStep], layers: Sequence[LayerFacts], found: Sequence[Instruction]
) -> list[str]:
    notes: list[str] = []
    if not history:
        notes.append("the config has no history: what made the layers is not known")
    elif layers and not any(layer.steps for layer in layers):
        made = sum(not step.empty_layer for step in history)
        notes.append(
            f"the history names {made} steps that made layers and the image has {len(layers)}: "
            "no line is attributed to a layer"
        )
    if found and not any(line.keyword == "FROM" for line in found):
        notes.append(
            "where the base image ends is not recorded; of a multi-stage build only the last stage leaves a trace"
        )
    return notes + _contradictions(config, found)


def _contradictions(config: ImageConfig, found: Sequence[Instruction]) -> list[str]:
    """Say where the final config is not what the last instruction of its kind says."""
    run, notes = config.config, []
    last: dict[str, str] = {line.keyword: line.text for line in found if line.keyword}
    for keyword, value in (("USER", run.user), ("WORKDIR", run.working_dir), ("STOPSIGNAL", run.stop_signal)):
        told = last.get(keyword, "").strip()
        relative = keyword == "WORKDIR" and not told.startswith("/")
        if told and "$" not in told and not relative and told.rstrip("/") != value.rstrip("/"):
            notes.append(f"the last {keyword} in the history is {told!r}, the config has {value!r}")
        elif keyword not in last and value and history_is_whole(found):
            notes.append(f"the config has {keyword} {value!r}, no step says so")
    for keyword, words in (("ENTRYPOINT", run.entrypoint), ("CMD", run.cmd)):
        told = last.get(keyword, "")
        listed = go_list(told)
        if listed is not None:
            if json_list(listed) != json_list(words or ()) and not (keyword == "CMD" and _entrypoint_after_cmd(found)):
                notes.append(f"the last {keyword} in the history is {told}, the config has {json_list(words or ())}")
        elif not told and words and history_is_whole(found):
            notes.append(f"the config has {keyword} {json_list(words)}, no step says so")
    return notes


def history_is_whole(found: Sequence[Instruction]) -> bool:
    """Whether the history looks like that of a Dockerfile, so that a missing instruction means something."""
    return any(line.origin in ("classic", "buildkit", "buildah", "kaniko") for line in found)


def _entrypoint_after_cmd(found: Sequence[Instruction]) -> bool:
    """An ENTRYPOINT clears the CMD that came from a base image."""
    order = [line.keyword for line in found if line.keyword in ("ENTRYPOINT", "CMD")]
    return bool(order) and order[-1] == "ENTRYPOINT"


_COMMAND = late("(?<![\n\r\v\f\x1c-\x1e\x85\u2028\u2029])[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]++(?=[ \t]*(?:::|##\\[))")
"""Line ends after which a CI system would read a command: GitHub's logs take `::error` at the start of a line."""


def render(dockerfile: RebuiltDockerfile) -> str:
    """Return the text of a rebuilt Dockerfile, with comments; names stay raw, so escape the text for its medium.

    No line of it begins like a workflow command (`::error`, `##[`): the line end before such words is written as `\\n`.
    """
    if dockerfile.attested is not None:
        return _COMMAND.sub(r"\\n", "\n".join(_original(dockerfile, dockerfile.attested))) + "\n"
    out = [_comment(note) for note in (*dockerfile.notes, *dockerfile.remarks)]
    for line in dockerfile.instructions:
        if out:
            out.append("")
        out.append(_comment(headline(line)))
        out += [_comment(note) for note in line.notes]
        if line.keyword:
            out.append(_COMMAND.sub(r"\\n", f"{line.keyword} {line.text}".rstrip()))
        elif line.text or line.comment:
            out.append(_comment(line.text or line.comment))
    return "\n".join(out) + "\n"


def _comment(words: str) -> str:
    """Return a comment of as many lines as the words have: a line end in them must not end the comment."""
    return "\n".join(f"# {line}" for line in words.splitlines() or [""])


def headline(line: Instruction) -> str:
    """Return what a comment above the line says: layer, bytes, confidence, builder."""
    if line.layer is not None:
        place = layer_label(line.layer) + (
            f", {line.bytes:,} bytes" if line.bytes is not None else ", not in the archive"
        )
    else:
        own = line.keyword in MAKES_FILES or not line.keyword
        place = "no layer" if line.empty else "a layer" if own else "no layer of its own"
    arguments = f", with {' '.join(line.arguments)}" if line.arguments else ""
    origin = f", {line.origin}" if line.origin not in ("", "unknown") else ""
    return f"{place}, {line.confidence}{origin}{arguments}"


_DIRECTIVE = late(r"#[ \t]*(?:syntax|escape|check)[ \t]*=")


def _original(dockerfile: RebuiltDockerfile, attested: Attested) -> Iterator[str]:
    """Yield the lines of a Dockerfile as the builder states it, with a comment above each that made a layer."""
    lines = attested.source.removesuffix("\n").split("\n")
    heads: dict[int, list[str]] = {}
    made = {line.layer: line for line in dockerfile.instructions if line.layer is not None}
    for layer, where in enumerate(attested.lines):
        if where is not None:
            size = made[layer].bytes if layer in made else None
            stored = f", {size:,} bytes" if size is not None else ", not in the archive"
            heads.setdefault(where.first, []).append(f"{layer_label(layer)}{stored}, attested")
    for found in dockerfile.disagreements:
        if found.lines is not None:
            heads.setdefault(found.lines.first, []).append(f"the history tells another step: {found.told}")
    first = 0
    # A parser directive counts only above everything else.
    while first < len(lines) and _DIRECTIVE.match(lines[first]):
        yield lines[first]
        first += 1
    yield _comment(f"{attested.filename} as the builder states it (SLSA {attested.version}): a claim, unsigned")
    yield from (_comment(remark) for remark in dockerfile.remarks)
    if any(found.layer is None for found in dockerfile.disagreements):
        yield _comment("its build steps made other layers than the image has")
    for number, line in enumerate(lines[first:], first + 1):
        yield from (_comment(head) for head in heads.get(number, ()))
        yield line
