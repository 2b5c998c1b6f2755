"""How a prediction looks: each kind of verdict, in words, with nothing left out that decides."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import msgspec

import imagepeel
from imagepeel.evidence import Location, Receipt
from imagepeel.present.document import Claim, plain
from imagepeel.present.prediction import process_one, stop_in_words, user_in_words
from imagepeel.present.process import process_document
from imagepeel.process.spec.failure import FailureCode, Judge, Outcome, Stage
from imagepeel.process.spec.values import (
    Addition,
    Candidate,
    Credentials,
    EnvVar,
    NeededLibrary,
    PidOne,
    Prediction,
    Step,
    StopTime,
    Verdict,
)
from imagepeel.render.terminal import print_document
from imagepeel.results.head import ImageHead
from imagepeel.results.process import MatrixCell, MatrixResult, ProcessOutput, ProcessResult
from imagepeel.text import title

Forge = Callable[..., Path]

HEAD = ImageHead(
    archive="app.tar", archive_kind="oci-layout", number=1, names=("app:1",), platform="linux/amd64", digest=None,
    image_id=None, complete=True, reason="",
)  # fmt: skip
HERE = Location(layer=2, step=5, path="/bin/app")
PREDICTION = Prediction(
    engine="docker@28",
    runtime="runc@1.3",
    architecture="amd64",
    argv=("tini", "app", "\x1b[31m"),
    path="/bin/tini",
    env=(
        EnvVar(name="A", value="1", origin="user", overrides=("image", "engine")),
        EnvVar(name="HOME", value="/", origin="runtime", why="no line in passwd"),
    ),
    user=Credentials(uid=7, gid=8, groups=(8, 9), name="app", spec="app", notes=("a surprise",)),
    cwd="/srv",
    steps=(
        Step(
            rule=Stage.COMMAND, judge=Judge.ENGINE, title="What shall run",
            where=Location(pointer="/config/Entrypoint"),
        ),
        Step(
            rule=Stage.LOOKUP,
            judge=Judge.RUNTIME,
            title="Which file",
            path="/bin/tini",
            where=HERE,
            candidates=(
                Candidate(path="/sbin/tini", outcome="EACCES", reason="no x bit"),
                Candidate(path="/bin/tini", outcome="taken", reason="mode 0755"),
            ),
        ),
        Step(
            rule=Stage.EXECVE, judge=Judge.KERNEL, title="exec", round=1, call="execve(...)", outcome="ENOENT",
            detail=("gone",),
        ),
    ),
    verdict=Verdict(kind=Outcome.RUNS, engine="docker@28"),
    pid1=PidOne(
        argv=("app",), uid=7, gid=8, exact=False, hears_sigterm="no", stop_signal="SIGQUIT",
        stop_signal_origin="StopSignal of the image", stop=StopTime(least=10, most=10, killed=True),
        why="no handler", fix="add one",
    ),
    libraries=(
        NeededLibrary(name="libc.so.6", path="/lib/libc.so.6", how="ld.so.cache", needed_by="/bin/app", where=HERE),
        NeededLibrary(name="libgone.so.1", path=None, how="", needed_by="/bin/app"),
    ),
    additions=(
        Addition(kind="mount", path="/proc", what="proc", origin="docker@28"),
        Addition(kind="mount", path="/dev", what="tmpfs", origin="docker@28", hides=2, examples=("/dev/a", "/dev/b")),
        Addition(kind="file", path="/etc/hosts", what="put in place", origin="docker@28"),
        Addition(kind="setting", path="", what="umask 0022", origin="docker@28"),
    ),
    wrapped=(("app", "-x"),),
    notes=("a last word",),
)  # fmt: skip


def printed(result: ProcessOutput, width: int = 2000) -> str:
    out = io.StringIO()
    print_document(process_document(result), out, width=width, receipts=True)
    return out.getvalue()


def shown(prediction: Prediction, width: int = 2000, receipts: tuple[tuple[Receipt, ...], ...] = ()) -> str:
    execve = prediction.execve
    return printed(
        ProcessResult(image=HEAD, view="runtime", execve=execve, prediction=prediction, receipts=receipts), width
    )


def test_a_prediction_that_runs_shows_everything_that_decides() -> None:
    lines = [line.strip() for line in shown(PREDICTION).splitlines()]
    for wanted in (
        "on docker@28 with runc@1.3, linux/amd64",
        "starts on docker@28",
        'execve("/bin/tini", ["tini", "app", "\\u001b[31m"], 2 variables)',
        "file  /bin/tini   L3, step 6",
        "user  7:8 (app), groups 8 9; USER app; home /",
        "in    /srv",
        "a surprise",
        "A=1   from an option of this call, replaces that of the image and the engine",
        "HOME=/   from the runtime: no line in passwd",
        "the engine",
        "command  What shall run   config /config/Entrypoint",
        "the runtime, before it executes",
        "not /sbin/tini: no x bit",
        "execve round 1  exec   ENOENT",
        "gone",
        "starts app -x",
        "app as 7:8",
        "the text of the script does not prove what it becomes in the end",
        "why   no handler",
        "fix   add one",
        "2 needed libraries, 1 not found",
        "mounts     /proc",
        "mount      /dev  tmpfs; hides 2 paths of the image: /dev/a, /dev/b",
        "files      /etc/hosts",
        "setting    umask 0022",
        "note: a last word",
    ):
        assert wanted in lines, wanted
    assert (
        "a stop sends SIGQUIT (StopSignal of the image), which it does not hear; stopping takes 10 seconds and "
        "ends in SIGKILL (exit 137)"
    ) in " ".join(lines)
    rows = [line.split() for line in lines if line.startswith("lib")]
    assert rows == [
        ["libc.so.6", "/lib/libc.so.6", "ld.so.cache", "L3,", "step", "6"],
        ["libgone.so.1", "not", "found"],
    ]


def test_a_failure_starts_with_what_the_operator_sees() -> None:
    verdict = Verdict(
        kind=Outcome.FAILS, id=FailureCode.NO_COMMAND, judge=Judge.RUNTIME, errno="EACCES", message="m",
        text="docker: first line\nsecond \x1b[2J line",
        exit_code=126, state_exit_code=128, why="the reason", fix="chmod +x", where=HERE, engine="docker@28",
    )  # fmt: skip
    lines = shown(msgspec.structs.replace(PREDICTION, verdict=verdict)).splitlines()
    assert lines[4:12] == [
        "docker: first line",
        "second \\x1b[2J line",
        "exit code 126, and 128 is recorded for the container",
        "",
        "why   the reason",
        "fix   chmod +x",
        "more  imagepeel wtf --explain F9",
        "FAILS: the runtime refused it: EACCES   L3, step 6",
    ]


def test_what_cannot_be_known_says_on_what_it_depends() -> None:
    depends = Verdict(kind=Outcome.DEPENDS, depends=("the kernel has binfmt_misc for arm64",), engine="docker@28")
    assert "  if    the kernel has binfmt_misc" in shown(msgspec.structs.replace(PREDICTION, verdict=depends))
    unknown = Verdict(kind=Outcome.UNKNOWN, reason="a layer is missing", engine="docker@28")
    text = shown(msgspec.structs.replace(PREDICTION, verdict=unknown))
    assert "UNKNOWN on docker@28\n  why   a layer is missing" in text


def test_lines_are_wrapped_for_a_terminal_and_receipts_never() -> None:
    command = "tar -xOf app.tar " + "x" * 100
    text = shown(PREDICTION, 60, ((), (Receipt(command=command),)))
    assert f"    $ {command}\n" in text
    assert max(len(line) for line in text.splitlines() if "$ " not in line) <= 60


def test_a_prediction_without_anything_is_still_one() -> None:
    empty = Prediction(
        engine="e", runtime="r", architecture="a", argv=(), path=None, env=(), user=Credentials(uid=0, gid=0), cwd="/",
        steps=(), verdict=Verdict(kind=Outcome.FAILS, message="no command specified", why="nothing to run"),
    )  # fmt: skip
    text = shown(empty)
    assert "no command specified\n" in text
    assert "execve" not in text and "process 1" not in text and "environment" not in text


def test_a_request_that_is_never_made_says_so() -> None:
    refused = Verdict(kind=Outcome.FAILS, judge=Judge.RUNTIME, errno="EACCES", message="m", why="no x bit")
    lines = [line.strip() for line in shown(msgspec.structs.replace(PREDICTION, verdict=refused)).splitlines()]
    assert lines[lines.index(PREDICTION.execve) + 1] == "the kernel is not asked: it was refused before"
    lookup = msgspec.structs.replace(PREDICTION.steps[1], outcome="ENOENT")
    missed = msgspec.structs.replace(PREDICTION, path=None, steps=(PREDICTION.steps[0], lookup))
    for verdict, why in (
        (refused, "the program of the first word is not found"),
        # What a missing layer may hold cannot be denied.
        (
            Verdict(kind=Outcome.UNKNOWN, reason="a layer is missing"),
            "the program of the first word is not in the layers that are here",
        ),
    ):
        lines = [line.strip() for line in shown(msgspec.structs.replace(missed, verdict=verdict)).splitlines()]
        assert lines[lines.index('["tini", "app", "\\u001b[31m"]') + 1] == why
    unasked = msgspec.structs.replace(missed, steps=PREDICTION.steps[:1], verdict=refused)
    assert "it does not come to looking for the program" in shown(unasked)


def test_a_failure_without_an_exit_code_still_tells_what_is_recorded() -> None:
    verdict = Verdict(kind=Outcome.FAILS, message="m", state_exit_code=128, engine="k8s@2")
    text = shown(msgspec.structs.replace(PREDICTION, verdict=verdict))
    assert "the command line returns no code of it, and 128 is recorded for the container" in text


def test_the_story_and_the_command_say_the_same(forge_archive: Forge) -> None:
    with imagepeel.open(forge_archive("shop")) as archive:
        image = archive.image()
        found = image.process()
        story = image.explain().chapter("process")
    told = " ".join(plain(block.text) for block in story.blocks if isinstance(block, Claim))
    page = " ".join(shown(found).split())
    assert found.pid1 is not None
    for sentence in (
        found.execve,
        user_in_words(found.user),
        stop_in_words(found.pid1),
        plain(process_one(found.pid1)),
    ):
        assert sentence in page
        assert sentence in told or title(sentence) in told


def test_the_matrix_says_each_failures_words_once() -> None:
    bad = Verdict(kind=Outcome.FAILS, id=FailureCode.NOT_IN_PATH, errno="ENOENT", text="the words", exit_code=1)
    cells = [
        MatrixCell(engine=engine, architecture=arch, verdict=bad if arch == "arm64" else PREDICTION.verdict)
        for engine in ("docker@28", "podman@5.8")
        for arch in ("amd64", "arm64")
    ]
    found = MatrixResult(
        image=HEAD, view="runtime", engines=("docker@28", "podman@5.8"), architectures=("amd64", "arm64"),
        cells=tuple(cells), agree=False,
    )  # fmt: skip
    lines = [line.split() for line in printed(found).splitlines()]
    assert lines[3:5] == [
        ["docker@28", "RUNS", "FAILS", "ENOENT", "exit", "1"],
        ["podman@5.8", "RUNS", "FAILS", "ENOENT", "exit", "1"],
    ]
    assert lines[-2:] == [["docker@28", "arm64,", "podman@5.8", "arm64"], ["the", "words"]]


def test_a_stop_without_a_grace_period_is_not_said_to_end_in_sigkill() -> None:
    never = StopTime(never=True).sentence()
    assert "SIGKILL" not in never and "seconds" not in never and "no grace period" in never
    assert StopTime(least=2, most=2).sentence() == "a stop takes 2 seconds"
