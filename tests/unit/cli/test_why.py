"""imagepeel why: which words are the image, the text and standard input; what it exits with; one screen."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import imagepeel
from imagepeel.decoding.prove import own_words
from imagepeel.process.spec.failure import FailureCode, Outcome
from imagepeel.process.spec.values import Verdict
from imagepeel.render.schemas import schema_of
from missing import blobs, without

Run = Callable[..., Any]
Make = Callable[..., Path]
KERNEL = "exec /app/server: no such file or directory"


def result(run_cli: Run, *words: Any, **more: Any) -> dict[str, Any]:
    document = json.loads(run_cli("why", *words, "--json", **more).stdout)
    jsonschema.validate(document, schema_of("why"))
    found: dict[str, Any] = document["result"]
    return found


@pytest.mark.parametrize("image_first", [True, False])
def test_an_archive_is_the_image_wherever_it_stands(image_first: bool, run_cli: Run, forge_archive: Make) -> None:
    words: list[Any] = [forge_archive("no-loader"), KERNEL]
    found = result(run_cli, *(words if image_first else words[::-1]))
    assert found["image"]["number"] == 1
    assert {proof["verdict"]["id"] for proof in found["proofs"] if proof["fits"]} == {"F24"}
    (proof,) = [proof for proof in found["proofs"] if proof["fits"]]
    assert set(proof["engines"]) - set(proof["verbatim"]) == {"cri-o@1", "podman@6.1"}  # crun has words of its own


def test_the_engine_that_is_named_is_asked_alone(run_cli: Run, forge_archive: Make) -> None:
    found = result(run_cli, forge_archive("no-loader"), KERNEL, "--engine", "podman")
    (proof,) = found["proofs"]
    assert proof["engines"] == ["podman"] and proof["fits"] and proof["verbatim"] == []


def test_an_image_that_starts_does_not_say_it(run_cli: Run, forge_archive: Make) -> None:
    done = run_cli("why", forge_archive("hello"), KERNEL)
    assert done.exit_code == 0
    assert "not from here" in done.stdout and "proved" not in done.stdout


def test_standard_input_is_the_text(run_cli: Run) -> None:
    assert result(run_cli, "-", stdin=f"noise\n{KERNEL}\n".encode())["readings"][0]["about"] == "/app/server"


def test_nothing_recognised_is_said_and_is_no_success(run_cli: Run) -> None:
    done = run_cli("why", "all is well")
    assert done.exit_code == 1
    assert done.stdout.startswith("not recognised") and "does not mean that nothing is wrong" in done.stdout


def test_what_a_script_of_the_image_says_is_its_own() -> None:
    """Its words are nobody else's: they are looked for in what the prediction says that the script writes."""
    ends = Verdict(kind=Outcome.FAILS, id=FailureCode.SHELL_LINE_FAILS, runtime_text="Postgres:\n  needs a password\n")
    assert own_words("web-1\nneeds a password", ends)
    assert not own_words("needs a user", ends) and not own_words("", ends)
    other = Verdict(kind=Outcome.FAILS, id=FailureCode.LOADER_MISSING, runtime_text="needs a password")
    assert not own_words("needs a password", other)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-", "text"], "- and a text were given"),
        ([" "], "there is no text"),
        (["ARCHIVE"], "there is no text"),
        (["ARCHIVE", "ARCHIVE", "127"], "one image"),
        (["LOG"], "no image"),
        (["127", "--engine", "lxc"], "no engine is called"),
    ],
)
def test_a_wrong_call_is_one_error(
    words: list[str], said: str, run_cli: Run, forge_archive: Make, tmp_path: Path
) -> None:
    (tmp_path / "build.log").write_text(KERNEL)
    named = {"ARCHIVE": forge_archive("hello"), "LOG": tmp_path / "build.log"}
    done = run_cli("why", *(named.get(word, word) for word in words))
    assert done.exit_code == 2, done.stdout
    assert said in done.stderr


@pytest.mark.parametrize(("name", "code"), [("/nowhere/image.tar", 14), ("docker://127.0.0.1:1/nginx", 16)])
def test_an_image_that_is_not_there_is_no_text(name: str, code: int, run_cli: Run) -> None:
    assert run_cli("why", name, "127").exit_code == code


def test_a_missing_layer_proves_nothing(run_cli: Run, forge_archive: Make, tmp_path: Path) -> None:
    whole = forge_archive("no-loader", kind="oci-archive")
    cut = without(whole, blobs(whole)["L2"], tmp_path / "cut.tar")
    done = run_cli("why", cut, KERNEL)
    assert "not known" in done.stdout and "proved" not in done.stdout
    assert done.exit_code == 14


@pytest.mark.parametrize("text", [KERNEL, "137", 'exec: "app": executable file not found in $PATH', "OOMKilled"])
def test_an_answer_is_one_screen(text: str, run_cli: Run) -> None:
    lines = run_cli("why", text, env={"COLUMNS": "80"}).stdout.splitlines()
    assert len(lines) <= 24
    assert all(len(line) <= 80 for line in lines if "docker" not in line and "kubectl" not in line)


def test_secrets_of_a_text_are_masked(run_cli: Run) -> None:
    text = "exec /run --password=hunter2hunter2: no such file or directory"
    assert "hunter2hunter2" not in run_cli("why", text).stdout
    assert "hunter2hunter2" not in run_cli("why", text, "--json").stdout
    assert "hunter2hunter2" in run_cli("why", text, "--show-secrets").stdout


def test_python_has_both(forge_archive: Make) -> None:
    assert imagepeel.why(KERNEL).readings[0].causes[0].id == "loader-missing"
    assert not imagepeel.why("all is well").recognised
    with imagepeel.open(forge_archive("no-loader")) as archive:
        proofs = archive.image().why(KERNEL, engine="docker").proofs
        assert [proof.fits for proof in proofs] == [True]


def test_all_shows_each_cause_with_its_command(run_cli: Run) -> None:
    causes = json.loads(run_cli("why", "127", "--json").stdout)["result"]["readings"][0]["causes"]
    brief, whole = (run_cli("why", "127", *more).stdout for more in ([], ["--all"]))
    assert len(causes) > 12 and "--all has their commands" in brief and "--all" not in whole
    for number, cause in enumerate(causes, 1):
        assert f"{number}. " in whole and " ".join(cause["words"].split()) in " ".join(whole.split())
        assert cause["receipt"]["command"] in whole
