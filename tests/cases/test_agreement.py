"""No two commands contradict each other about one file, pair by pair.

`contradictions` holds loading against starting: views, process, wtf, check, explain and loadable.  `statements` takes
what every command says of a topic of its own: how it starts, how many layers it has, how large they are, whether it is
whole, which code it ends with.  Over every input of the shared cases, over the teaching images, over every kind of
archive, over each kind of damage, and over a part of the archives that real tools loaded.
"""

from __future__ import annotations

import json
import sys
import tarfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import imagepeel
from imagepeel import forge
from imagepeel.errors import ImagepeelError
from imagepeel.findings.subject import PROFILES
from imagepeel.forge.gallery import NAMES
from imagepeel.loading.answer import Cause
from imagepeel.loading.registry import TOOLS
from imagepeel.process.engines.registry import MATRIX_ENGINES, find_engine
from imagepeel.process.loaded import tools_of
from imagepeel.process.spec.failure import Judge, Outcome

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "differential")]

from load_archives import ARCHIVES, write  # noqa: E402

from damaged import GRAVEST, damaged  # noqa: E402

Case = Callable[[str, str], Path]
Run = Callable[..., Any]
VIEWS = ("runtime", "docker@20.10", "docker@28", "docker", "podman")
ENGINES = tuple(dict.fromkeys((*MATRIX_ENGINES, *PROFILES, "docker@28", "podman@5.8")))


def contradictions(image: imagepeel.Image) -> Iterator[str]:
    """What two commands say of one image and cannot both be true."""
    answers = {(answer.tool, answer.store): answer for answer in image.loadable()}
    refusals = image.views(VIEWS).refusals if image.complete else {}
    for tool in TOOLS:
        answer = answers[tool.label, tool.store]
        if answer.cause in (Cause.UNPACK, Cause.PATH_TWICE) and tool.view not in refusals:
            yield f"loadable: {answer.label} refuses a layer, views: {tool.view} does not"
        if answer.takes and tool.view in refusals:
            yield f"loadable: {answer.label} takes it, views: {tool.view} refuses a layer"
    failing = []
    for engine in ENGINES:
        prediction = image.process(engine=engine)
        verdict = prediction.verdict
        own = [answers[tool.label, tool.store] for tool in tools_of(find_engine(engine)[0])]
        if verdict.judge is Judge.LOAD:
            failing.append(engine)
            if any(answer.takes for answer in own):
                yield f"process: {engine} cannot load it, loadable: {[str(answer) for answer in own]}"
        if verdict.kind is Outcome.RUNS and own and all(answer.refuses_image for answer in own):
            yield f"process: it RUNS on {engine}, loadable: {[str(answer) for answer in own]}"
        of_file = own and all(answer.cause in (Cause.FORMAT, Cause.CHOICE) for answer in own)
        told = any("does not take the file" in note or "as an import does" in note for note in prediction.notes)
        if verdict.kind is Outcome.RUNS and of_file and not told:
            yield f"process: it RUNS on {engine} without a word of the file, loadable: {[str(one) for one in own]}"
    found = image.findings()
    high = [finding.rule for finding in found if finding.severity == "high"]
    if any(engine in PROFILES for engine in failing) and not high:
        yield f"process: {failing} cannot load it, wtf and check: nothing of high severity"
    default = image.process()
    story = " ".join(str(image.explain()).split())
    if default.verdict.judge is Judge.LOAD and " ".join(default.verdict.why.split())[:60] not in story:
        yield "process: it cannot be loaded, explain: not a word of it"


READING = (
    ("images",), ("layers",), ("du",), ("waste",), ("views",), ("dockerfile",), ("process",), ("process", "--matrix"),
    ("operate",), ("explain",), ("wtf",), ("anatomy",), ("ls",),
)  # fmt: skip


def statements(run: Run, path: Path) -> dict[str, dict[str, object]]:
    """What commands say of one archive: topic -> command -> its answer; a command that says nothing is not there."""
    said: dict[str, dict[str, object]] = defaultdict(dict)
    done = {" ".join(words): run(*words, path, *(["--json"] if words != ("ls",) else [])) for words in READING}
    for name, one in done.items():
        if one.exit_code in (0, 11, 12, 14) and name != "images" and not name.startswith("process"):
            said["exit code"][name] = one.exit_code
    told = {
        name: json.loads(one.stdout)["result"]
        for name, one in done.items()
        if name not in ("ls", "explain", "operate") and one.stdout.startswith("{")
    }
    if "process" not in told:
        return said
    heads = {name: result["image"] for name, result in told.items() if isinstance(result.get("image"), dict)}
    chosen = heads["process"]["number"]
    row = next(one for one in told["images"]["images"] if one["number"] == chosen)
    for name, head in heads.items():
        said["number"][name] = head["number"]
        said["digest"][name] = head["digest"]
        said["platform"][name] = head["platform"]
        said["complete"][name] = head["complete"]
        said["not known"][name] = [gap["what"] for gap in head["not_known"]]
    # `images` reads no layer, so it does not see that one is damaged.
    if not any(gap["damaged"] for gap in heads["process"]["not_known"]):
        said["complete"]["images"] = row["complete"]
    if row["layers"] is not None:
        said["layers"] = {"images": row["layers"], "layers": len(told["layers"]["layers"])}
        said["layers"] |= {name: len(told[name]["layers"]) for name in ("du", "anatomy") if name in told}
    stored = [layer["blob_size"] for layer in told["layers"]["layers"]]
    if None not in stored and "waste" in told and row["complete"]:
        said["stored"] = {"layers": sum(stored), "waste": told["waste"]["blob_size"], "images": row["blob_size"]}
        said["stored"]["du"] = sum(layer["blob_size"] for layer in told["du"]["layers"])
    start = said["start"]
    prediction = told["process"]["prediction"]
    kind = start["process"] = prediction["verdict"]["kind"]
    own = prediction["architecture"]
    cells = told["process --matrix"]["cells"]
    start["process --matrix"] = next(
        cell["verdict"]["kind"]
        for cell in cells
        if (cell["engine"], cell["architecture"]) == (prediction["engine"], own)
    )
    story = " ".join(run("explain", path, env={"COLUMNS": "4000"}).stdout.split())
    ends = {
        "Which process it becomes is not written here": "UNKNOWN", "And run as a process, elsewhere": "UNKNOWN",
        "and no process": "UNKNOWN", "It does not start. What the operator will read": "FAILS",
        "Verdict: UNKNOWN on": "UNKNOWN",
        "Verdict: unknown": "UNKNOWN", "Verdict: DEPENDS": "DEPENDS", "Verdict: starts": "RUNS",
    }  # fmt: skip
    start["explain"] = next((answer for end, answer in ends.items() if end in story), "nothing")
    manual = " ".join(run("operate", path, env={"COLUMNS": "4000"}).stdout.split())
    answer = manual.partition("when it is told to. ")[2].partition("Portable?")[0]
    # Where something is unsettled the manual does not answer, or answers for the process that it becomes if it starts.
    if "It does not start" in answer:
        start["operate"] = "FAILS"
    elif "Process 1 is" in answer and kind == "FAILS":
        start["operate"] = "not FAILS"
    said["config"]["process"] = bool(prediction["argv"]) or (not heads["process"]["not_known"] and kind != "UNKNOWN")
    if "the history is not known" in run("dockerfile", path).stdout:
        said["config"]["dockerfile"] = False
    high = {finding["rule"] for finding in told["wtf"]["findings"] if finding["severity"] == "high"}
    if said["exit code"].get("layers") in (11, 12):
        said["damage"] = {"exit code": True, "wtf": bool(high)}
    return said


def disagreements(run: Run, path: Path) -> list[str]:
    """The topics of which two commands say two things."""
    return [
        f"{topic}: {answers}"
        for topic, answers in statements(run, path).items()
        if len({repr(answer) for answer in answers.values()}) > 1
    ]


def told_of(path: Path) -> list[str]:
    try:
        with imagepeel.open(path) as archive:
            return [line for image in archive.images()[:3] for line in contradictions(image)]
    except ImagepeelError:
        return []


@pytest.mark.parametrize("family, one", [("bug-reports", "f06c-docker.tar"), ("real-images", "artifact.tar")])
def test_commands_agree_about_the_cases(case: Case, family: str, one: str) -> None:
    inputs = sorted(path for path in case(family, one).parent.iterdir() if ".tar" in path.name)
    wrong = {path.name: lines for path in inputs if (lines := told_of(path))}
    assert len(inputs) >= 10
    assert wrong == {}


@pytest.mark.parametrize("name", NAMES)
def test_commands_agree_about_the_teaching_images(forge_archive: Callable[..., Path], name: str) -> None:
    assert told_of(forge_archive(name)) == []


@pytest.mark.parametrize("name", sorted(ARCHIVES)[::9])
def test_commands_agree_about_archives_that_tools_refuse(name: str, tmp_path: Path) -> None:
    assert told_of(write(name, tmp_path)) == []


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An image in every kind of archive, and what is no archive of an image at all."""
    folder = tmp_path_factory.mktemp("kinds")
    made = {kind: forge.write(forge.build("hello"), folder / f"{kind}.tar", kind=kind) for kind in forge.KINDS}
    for name, members in {
        "plain": ("bin/tool", "notes"),
        "windows-layer": ("Files/a", "Hives/b"),
        "whiteout": ("etc/.wh.passwd",),
        "empty": (),
    }.items():
        made[name] = folder / f"{name}.tar"
        with tarfile.open(made[name], "w") as tar:
            for member in members:
                tar.addfile(tarfile.TarInfo(member))
    return made


@pytest.mark.parametrize("kind", [*forge.KINDS, "plain", "windows-layer", "whiteout", "empty"])
def test_every_command_says_the_same_of_every_kind_of_archive(kind: str, kinds: dict[str, Path], run_cli: Run) -> None:
    assert disagreements(run_cli, kinds[kind]) == []
    assert told_of(kinds[kind]) == []


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return damaged(tmp_path_factory.mktemp("damaged"))


@pytest.mark.parametrize("kind", GRAVEST)
def test_every_command_says_the_same_of_every_kind_of_damage(kind: str, broken: dict[str, Path], run_cli: Run) -> None:
    assert disagreements(run_cli, broken[kind]) == []
    assert told_of(broken[kind]) == []


@pytest.mark.parametrize(("family", "one"), [
    ("bug-reports", "f06c-docker.tar"), ("real-images", "artifact.tar"), ("judges", "missing-config"),
])  # fmt: skip
def test_every_command_says_the_same_of_the_cases(family: str, one: str, case: Case, run_cli: Run) -> None:
    inputs = sorted(path for path in case(family, one).parent.iterdir() if ".tar" in path.name or path.is_dir())
    wrong = {path.name: lines for path in inputs if (lines := disagreements(run_cli, path))}
    assert wrong == {}


@pytest.mark.parametrize("kind", ["layer", "rootfs", "plain", "windows-layer", "whiteout"])
def test_what_a_file_without_config_starts_is_not_known_until_somebody_says_the_command(
    kind: str, kinds: dict[str, Path], run_cli: Run, tmp_path: Path
) -> None:
    """`docker import` takes the command from its caller (`--change`)."""
    done = run_cli("process", kinds[kind], "--json")
    verdict = json.loads(done.stdout)["result"]["prediction"]["verdict"]
    assert (done.exit_code, verdict["kind"]) == (0, "UNKNOWN")
    assert "no config belongs to it" in verdict["reason"]
    matrix = json.loads(run_cli("process", "--matrix", kinds[kind], "--json").stdout)["result"]
    assert {cell["verdict"]["kind"] for cell in matrix["cells"]} == {"UNKNOWN"}
    bundle = run_cli("bundle", kinds[kind], tmp_path / "bundle")
    assert bundle.exit_code == 2 and "name a command" in bundle.stderr and not (tmp_path / "bundle").exists()
    named = json.loads(run_cli("process", kinds[kind], "--json", "--", "/hello").stdout)["result"]["prediction"]
    # A layer of Windows starts nothing on Linux, whoever names a command.
    expected = {"layer": "RUNS", "rootfs": "RUNS", "windows-layer": "UNKNOWN"}.get(kind, "FAILS")
    assert named["verdict"]["kind"] == expected
    assert kind == "windows-layer" or any("as an import does" in note for note in named["notes"])


def test_an_image_and_its_layer_alone_differ_in_the_config(kinds: dict[str, Path], run_cli: Run) -> None:
    done = run_cli("diff", "--exit-code", kinds["docker-archive"], kinds["layer"])
    assert done.exit_code == 1 and "/config/Entrypoint" in done.stdout
    done = run_cli("diff", "--exit-code", kinds["layer"], kinds["layer"])
    assert done.exit_code == 0 and "Config" not in done.stdout and "Process" not in done.stdout
