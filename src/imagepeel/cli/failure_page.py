"""Write the pages of the failures, `docs/reference/failures.md` and one for each failure in the folder beside it.

    python -m imagepeel.cli.failure_page docs/reference

A page each: what goes wrong, who refuses, and what the operator sees on each engine.  All of it is predicted for an
image that fails in that way: the bad image of the rule with that code, or one of those made here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from imagepeel import api
from imagepeel.archive.source import MemorySource
from imagepeel.decoding.causes import misleading
from imagepeel.decoding.decode import decode
from imagepeel.findings.catalogue import find_rule
from imagepeel.findings.example import archive_of
from imagepeel.findings.rules.examples import find_example
from imagepeel.forge.elf import LOADERS, elf
from imagepeel.forge.entry import directory, file, symlink
from imagepeel.forge.image import ImageSpec
from imagepeel.forge.layout import IndexSpec
from imagepeel.forge.programs import hello
from imagepeel.forge.specimens import holding, sound
from imagepeel.present.prediction import exit_in_words, ground, refusal
from imagepeel.process.engines.registry import MATRIX_ENGINES
from imagepeel.process.image_prediction import predict_image
from imagepeel.process.spec.failure import FailureCode, Judge, Outcome, Stage
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.values import Verdict
from imagepeel.receipts.why import telling_command
from imagepeel.results.why import name_of

_LONGEST = 400
"""Characters of a text that are shown."""

_MUSL = (
    b"\0/lib:/usr/local/lib:/usr/lib\0%.*s/etc/ld-musl-x86_64.path\0"
    b"Error loading shared library %s: %m (needed by %s)\0"
)
"""What tells the loader of musl from others, and the directories that are compiled into it."""


def _closed_loader() -> ImageSpec:
    program = file("app", elf(interpreter=LOADERS["amd64"], needed=["libc.so.6"]), 0o755)
    loader = file("lib64/ld-linux-x86-64.so.2", elf(soname="ld-linux-x86-64.so.2"), 0o644)
    return holding(directory("lib64"), loader, program, entrypoint=["/app"])


def _no_library_of_musl() -> ImageSpec:
    loader = "lib/ld-musl-x86_64.so.1"
    program = file("app", elf(interpreter=f"/{loader}", needed=["libshop.so.1"]), 0o755)
    return holding(directory("lib"), file(loader, elf(rodata=_MUSL), 0o755), program, entrypoint=["/app"])


def _init_of_s6() -> ImageSpec:
    overlay = (directory("package"), directory("package/admin"), directory("package/admin/s6-overlay"))
    return holding(*overlay, file("init", hello(), 0o755), entrypoint=["/init"])


# Ways to fail that share a rule with another one, whose image is the rule's example.
_OWN: Mapping[FailureCode, Callable[[], ImageSpec | IndexSpec]] = {
    FailureCode.FILE_ON_THE_WAY: lambda: sound(entrypoint=["/etc/passwd/app"]),
    FailureCode.WORKDIR_DANGLING: lambda: holding(symlink("work", "/gone"), workdir="/work"),
    FailureCode.TOOL_FAILS: lambda: find_example("SHEBANG-ONE-ARGUMENT").bad(),
    FailureCode.LOADER_REFUSED: _closed_loader,
    FailureCode.LIBRARY_MISSING_MUSL: _no_library_of_musl,
    FailureCode.INIT_NOT_FIRST: _init_of_s6,
}
_OPTIONS = {
    FailureCode.INIT_NOT_FIRST: ("--init", ProcessOptions(init=True)),
    FailureCode.RUN_AS_NON_ROOT: ("--run-as-non-root", ProcessOptions(run_as_non_root=True)),
    FailureCode.IDS_UNMAPPED: ("--rootless", ProcessOptions(rootless=True)),
}
_PLAIN = ("", ProcessOptions())

_INTRO = """# Failures

This page and those of the failures are made by `python -m imagepeel.cli.failure_page docs/reference`.

A start can fail in {count} ways. Each has a name here and a code. The code stands in the JSON of `imagepeel process`
(`verdict.id`), and `imagepeel wtf --explain CODE` tells its story. What the operator sees differs: another judge on
each engine may report the same missing file, in other words and with another exit code. Somebody who has only a text
asks the other way round: `imagepeel why 'exec /app: no such file or directory'`
([my container does not start](../how-to/my-container-does-not-start.md)).

All texts are predictions for one small image each, and predictions agree with
[recorded starts](../explanation/process-deviations.md). `<mount>` stands for the directory where the engine mounted the
image, `<container-id>` for the id of the container.

## Judges

| code | judge |
|---|---|
{judges}

## Stages

A prediction's steps name the stage that they belong to.

| code | stage |
|---|---|
{stages}

## All failures

| name | code | what goes wrong |
|---|---|---|
{failures}
"""


def verdicts(code: FailureCode) -> dict[str, Verdict]:
    """What becomes of the image of a failure, engine by engine."""
    spec = _OWN[code]() if code in _OWN else find_example(find_rule(code).id).bad()
    _, options = _OPTIONS.get(code, _PLAIN)
    with api.open(MemorySource(archive_of(spec))) as archive:
        image = next(iter(archive.images()))
        return {
            engine: predict_image(image, msgspec.structs.replace(options, engine=engine)).verdict
            for engine in MATRIX_ENGINES
        }


def pages() -> dict[str, str]:
    """Each page by its path in the folder of the reference."""
    intro = _INTRO.format(
        count=len(FailureCode),
        judges="\n".join(f"| `{judge}` | {judge.words} |" for judge in Judge),
        stages="\n".join(f"| `{stage}` | {stage.words} |" for stage in Stage),
        failures="\n".join(
            f"| [{name_of(code)}](failures/{name_of(code)}.md) | `{code}` | {code.words} |" for code in FailureCode
        ),
    )
    return {"failures.md": intro, **{f"failures/{name_of(code)}.md": _entry(code) for code in FailureCode}}


def _entry(code: FailureCode) -> str:
    found = verdicts(code)
    failing = {engine: verdict for engine, verdict in found.items() if verdict.id is code}
    first = next(iter(failing.values()))
    rule = find_rule(code).id
    option, _ = _OPTIONS.get(code, _PLAIN)
    lines = [
        f"# {name_of(code)}",
        "",
        f"**{code.words[:1].upper()}{code.words[1:]}** (`{code}`, rule [{rule}](../rules/{rule}.md)).",
        "",
        f"For example: {first.why}." + (f" Fix: {first.fix}." if first.fix else ""),
        "",
        "## What is read",
        *(["", f"With `{option}`:"] if option else []),
    ]
    groups: dict[tuple[str, str, str], list[str]] = {}
    for engine, verdict in failing.items():
        groups.setdefault((refusal(verdict), exit_in_words(verdict), verdict.text), []).append(engine)
    for (judged, exit_code, text), engines in groups.items():
        lines += ["", f"{', '.join(engines)}: {judged}; {exit_code}", ""]
        shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
        lines += [f"    {line}".rstrip() for line in shown.splitlines()]
    others: dict[str, list[str]] = {}
    for engine, verdict in found.items():
        if engine not in failing:
            others.setdefault(_otherwise(verdict), []).append(engine)
    for words, engines in others.items():
        lines += ["", f"{', '.join(engines)}: {words}"]
    return "\n".join([*lines, *_told_apart(code, [text for _, _, text in groups])]) + "\n"


def _told_apart(code: FailureCode, texts: Sequence[str]) -> Iterator[str]:
    """What else has the same words, what people take them for, and what shows that it is this failure."""
    readings = [one for text in texts for one in decode(text).readings if code in one.codes]
    same = dict.fromkeys(other for one in readings for other in one.codes if other is not code)
    receipt = telling_command(code, readings[0].about if readings else "")
    yield from ("", "## Is it this one?", "", f"This shows {receipt.shows}:", "", f"    {receipt.command}")
    if same:
        yield from ("", "Other failures are reported with some of these words:", "")
        yield from (f"- [{name_of(other)}]({name_of(other)}.md): {other.words}" for other in same)
    friends = misleading(code)
    if friends:
        yield from ("", "## What it is not")
        for said in friends:
            yield from ("", said)


def _otherwise(verdict: Verdict) -> str:
    if verdict.kind is Outcome.RUNS:
        return "it starts."
    if verdict.kind is Outcome.FAILS and verdict.id is not None:
        return f"it fails otherwise, [{verdict.id.words}]({name_of(verdict.id)}.md)."
    return f"{verdict.kind.lower()}: {ground(verdict)}."


def main(arguments: list[str]) -> int:
    """Write the pages into the folder that is named."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m imagepeel.cli.failure_page FOLDER\n")
        return 2
    for name, text in pages().items():
        path = Path(arguments[0]) / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
