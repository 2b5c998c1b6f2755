"""Bundles, and what real runtimes start from them.

An answer is what the program of the bundle says of the process that it has become (`argv`, `cwd`, `env`), or `fails`
with the reason where no process came out of it.
"""

from __future__ import annotations

import io
import os
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from imagepeel import api, forge
from imagepeel.export.bundle import write_bundle
from imagepeel.export.extract import materialize
from imagepeel.forge import programs
from imagepeel.judge.command import Ran, known_command, run
from imagepeel.judge.verdict import JudgedCase, JudgeResult
from imagepeel.serialization import from_json

PLACES = ("{bundle}", "{id}")
_ADDED = ("HOSTNAME", "HOME")
"""Variables that engines and runtimes add, and that are not compared."""
_REASONS = ("no such file or directory", "permission denied", "exec format error", "not found")
"""The end of the texts in which runtimes and kernels refuse."""

_MOST = 8
"""Words or variables of one difference that are named."""

Answer = dict[str, list[str]]


class StartCase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One bundle: `entries` of its layer and `config` of its image are a recipe of the forge; `answers` by tool."""

    name: str
    rule: str
    source: str
    entries: list[dict[str, Any]]
    config: dict[str, Any]
    answers: dict[str, Answer] = {}


def start_cases() -> list[StartCase]:
    """Return the cases in the order of the file."""
    data = (Path(__file__).parent / "cases" / "starts.json").read_bytes()
    return from_json(data, list[StartCase])


def judge_starts(words: Sequence[str], progress: Callable[[int, int], None] | None = None) -> JudgeResult:
    """Give every bundle to a command and compare the process that it starts with what real runtimes start.

    Arguments: `words` of the command, with `{bundle}` for the directory of config.json and rootfs, and `{id}` for a
    name that no other container has.  `progress(done, of)` is called after each case.
    UsageError for a command that lacks `{bundle}`, or cannot be run.
    """
    command = known_command(words, PLACES, ("{bundle}",))
    cases = start_cases()
    judged = []
    for number, case in enumerate(cases, 1):
        judged.append(judge_start_case(case, command))
        if progress is not None:
            progress(number, len(cases))
    return JudgeResult(of="starts", command=command, cases=tuple(judged))


def judge_start_case(case: StartCase, command: Sequence[str]) -> JudgedCase:
    """Give one bundle to a command."""
    ran, answer = started(case, command)
    like = tuple(tool for tool, known in case.answers.items() if ran.exit_code is not None and known == answer)
    told: dict[str, Any] = {"name": case.name, "rule": case.rule, "source": case.source, "like": like}
    if like:
        return JudgedCase(held="holds", **told)
    if ran.exit_code is None:
        return JudgedCase(held="too slow", said=ran.last_words, **told)
    expected = next(iter(case.answers.values()))
    if "fails" in answer and "fails" not in expected:
        return JudgedCase(held="refuses", said=ran.last_words, **told)
    if "fails" in expected and "fails" not in answer:
        return JudgedCase(held="takes", said=f"it should fail: {' '.join(expected['fails'])}", **told)
    return JudgedCase(held="differs", changes=tuple(_changes(expected, answer)), **told)


def _changes(expected: Answer, answer: Answer) -> Iterator[str]:
    """Yield what is not as it should be; of variables the names alone, for they may be those of the learner's shell."""
    for key in sorted(expected.keys() | answer.keys()):
        wanted, found = expected.get(key, []), answer.get(key, [])
        if key == "env" and wanted != found:
            foreign = [word.partition("=")[0] for word in found if word not in wanted]
            lost = [word.partition("=")[0] for word in wanted if word not in found]
            if foreign:
                yield f"env: {', '.join(foreign[:_MOST])} is not from the config"
            if lost:
                yield f"env: {', '.join(lost[:_MOST])} is not as the config says"
        elif wanted != found:
            yield f"{key}: {wanted!r}, not {found[:_MOST]!r}"[:500]


def started(case: StartCase, command: Sequence[str]) -> tuple[Ran, Answer]:
    """Run a command on one bundle; return how it ended, and what it became."""
    image = {"entries": case.entries, "created_by": "COPY rootfs /"}
    recipe = forge.load(
        {"layers": [image], "names": [case.name], "config": case.config, "architecture": programs.machine()}
    )
    with tempfile.TemporaryDirectory(prefix="imagepeel-judge-") as top:
        bundle, folder = os.path.join(top, "bundle"), os.path.join(top, "work")
        os.mkdir(folder)
        with api.open(io.BytesIO(recipe.to_bytes())) as archive:
            write_bundle(archive.image(), bundle, unpack=lambda tree, where: materialize(tree, str(where)))
        name = "judge-" + uuid.uuid4().hex[:12]
        ran = run(command, {"bundle": bundle, "id": name}, folder)
        return ran, _answer(ran)


def _answer(ran: Ran) -> Answer:
    said: Answer = {}
    for line in ran.stdout.splitlines():
        key, found, value = line.partition("=")
        if (found and key in ("argv", "cwd")) or (key == "env" and value.partition("=")[0] not in _ADDED):
            said.setdefault(key, []).append(value)
    if "argv" in said:
        said["env"] = sorted(said.get("env", []))
        return said
    words = f"{ran.stderr}\n{ran.stdout}".lower()
    return {"fails": [next((reason for reason in _REASONS if reason in words), "without a known reason")]}
