"""quiz: questions of an image's own facts; the answers are what tarfile, the forge and a real runc say."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import imagepeel
from imagepeel import forge
from imagepeel.errors import Ambiguous
from imagepeel.present.quiz import LETTERS, Question, Quiz, quiz_of

Run = Callable[..., Any]
Make = Callable[..., Path]


def quiz(path: Path, seed: int = 0, count: int = 100) -> Quiz:
    with imagepeel.open(path) as archive:
        try:
            return quiz_of(archive.image(), seed=seed, count=count)
        except Ambiguous:
            return quiz_of(archive.image("#1"), seed=seed, count=count)


def answers(path: Path, seed: int = 0) -> dict[str, str]:
    return {one.about: one.choices[one.answer] for one in quiz(path, seed).questions}


def held(path: Path) -> list[dict[str, int]]:
    """Names and sizes of the files of each layer, base first, by tarfile."""
    with tarfile.open(path) as archive:
        manifest = json.load(archive.extractfile("manifest.json"))  # type: ignore[arg-type]
        layers = []
        for name in manifest[0]["Layers"]:
            with tarfile.open(fileobj=archive.extractfile(name)) as layer:
                layers.append({f"/{one.name}": one.size for one in layer if one.isreg() or one.islnk()})
    return layers


def asked(path: Path, about: str) -> list[Question]:
    return [one for seed in range(12) for one in quiz(path, seed).questions if one.about == about]


def test_the_answers_about_shop_are_those_of_tarfile_and_runc(forge_archive: Make) -> None:
    path = forge_archive("shop")
    layers, right = held(path), answers(path)
    assert right["layers"] == str(len(layers)) == "8"
    # tests/differential/test_forge_judges.py starts it under runc: exe, uid and gid of process 1.
    assert (right["pid1"], right["user"]) == ("/srv/shop/bin/serve", "999:999")
    shipped = sum(sum(size for name, size in layer.items() if "/.wh." not in name) for layer in layers)
    (sizes,) = {one.question for one in asked(path, "sizes")}
    assert f"{shipped:,} bytes" in sizes
    gone = asked(path, "gone")
    assert {one.choices[one.answer] for one in gone} >= {"/srv/shop/.env"}
    for one in gone:
        whiteouts = {name.replace("/.wh.", "/") for layer in layers for name in layer if "/.wh." in name}
        parents = {f"{Path(name).parent}/" for layer in layers for name in layer if name.endswith(".wh..wh..opq")}
        answer = one.choices[one.answer]
        assert answer in whiteouts or any(answer.startswith(parent) for parent in parents)
        assert any(answer in layer for layer in layers)
    for one in asked(path, "origin"):
        name = one.question.split()[3].rstrip(",")
        last = max(number for number, layer in enumerate(layers, 1) if name in layer)
        assert one.choices[one.answer].startswith(f"L{last} ")


@pytest.mark.parametrize(
    ("name", "about", "answer"),
    [
        ("no-loader", "text", "exec /app/server: no such file or directory"),
        ("no-exec-bit", "exit-code", "126"),
        ("wrong-architecture", "text", "exec /hello: exec format error"),
        ("unknown-user", "exit-code", "125"),
        ("hello", "user", "0:0"),
    ],
)
def test_answers_about_a_start(name: str, about: str, answer: str, forge_archive: Make) -> None:
    """Texts and codes are those that tests/scenarios recorded of a real dockerd."""
    assert answers(forge_archive(name))[about] == answer


@pytest.mark.parametrize("name", forge.NAMES)
def test_each_question_can_be_answered_and_is_proved(name: str, forge_archive: Make) -> None:
    path = forge_archive(name)
    first = quiz(path, 3)
    assert quiz(path, 3) == first
    assert len({one.question for one in first.questions}) == len(first.questions)
    for one in first.questions:
        assert 3 <= len(one.choices) == len(set(one.choices)) <= 4
        assert 0 <= one.answer < len(one.choices)
        assert one.why and one.evidence.receipts and one.evidence.locations
        assert one.about != "pid1" or one.choices[one.answer].startswith("/")
    assert len(quiz(path, 3, 2).questions) <= 2


@pytest.mark.parametrize("name", ["missing-blob", "wrong-digest", "attack-two-shapes"])
def test_what_is_not_known_is_not_asked(name: str, forge_archive: Make) -> None:
    about = set(answers(forge_archive(name)))
    if name == "missing-blob":
        assert not about & {"origin", "gone", "sizes", "largest", "pid1", "user", "judge", "text", "exit-code"}
    assert not about & {"pid1", "user", "environment", "reader"}


@pytest.mark.parametrize(
    ("name", "path", "answer"),
    [
        # The conformance cases with these names are recorded from containerd, Docker, podman and umoci.
        ("resurrect", "/data/secret", "only where layers are laid over each other"),
        ("linkshadow", "/bin/extra", "only where layers are laid over each other"),
    ],
)
def test_a_path_is_asked_for_where_views_differ(name: str, path: str, answer: str, forge_archive: Make) -> None:
    found = {one.question: one.choices[one.answer] for one in asked(forge_archive(name), "views")}
    assert found[f"In which filesystem of the image is {path}?"] == answer
    same = {one.choices[one.answer] for one in asked(forge_archive("shop"), "views")}
    assert len(same) == 1 and same.pop().startswith("in both")


def test_who_takes_the_file_is_asked(forge_archive: Make) -> None:
    """Docker before its containerd store reads manifest.json only, which a plain OCI archive lacks."""
    told = asked(forge_archive("shop", kind="oci-archive"), "loading")
    assert {one.choices[one.answer] for one in told} == {"docker@20.10 (own store)"}
    assert not asked(forge_archive("shop"), "loading")
    ids = asked(forge_archive("shop"), "store-id")
    assert {one.choices[one.answer] for one in ids} == {"the config"}
    for one in (*told, *ids):
        assert one.evidence.receipts and one.evidence.locations


def test_a_file_that_comes_again_is_not_gone(tmp_path: Path) -> None:
    files = [forge.file(f"f{number}", "x") for number in range(4)]
    again = forge.layer(forge.file("gone", "new"))
    spec = forge.image(forge.layer(forge.file("gone", "old"), *files), forge.layer(forge.whiteout("gone")), again)
    assert "gone" not in answers(forge.write(spec, tmp_path / "again.tar"))


def test_right_answers_from_a_pipe(run_cli: Run, forge_archive: Make) -> None:
    path = forge_archive("shop")
    told = quiz(path, 5, 4)
    right = [LETTERS[one.answer] for one in told.questions]
    words = ("quiz", path, "--seed", "5", "--count", "4")
    done = run_cli(*words, stdin=("\n".join(right) + "\n").encode())
    assert done.exit_code == 0 and done.stdout.splitlines()[-1] == "4 of 4 right"
    for one in told.questions:
        assert one.why.split()[0] in done.stdout
    wrong = ["b" if right[0] == "a" else "a", *right[1:]]
    done = run_cli(*words, "--receipts", stdin=(" \nwhat\n" + "\n".join(wrong).upper()).encode())
    assert done.exit_code == 1 and done.stdout.splitlines()[-1] == "3 of 4 right"
    assert f"$ {told.questions[0].evidence.receipts[0].command}" in done.stdout
    done = run_cli(*words, stdin=f"{right[0]}\nq\n{right[1]}\n".encode())
    assert done.exit_code == 1 and done.stdout.splitlines()[-1] == "1 of 4 right"


def test_the_questions_with_their_answers(run_cli: Run, forge_archive: Make) -> None:
    path = forge_archive("shop")
    result = json.loads(run_cli("quiz", path, "--json", "--seed", "5", "--count", "4").stdout)["result"]
    told = quiz(path, 5, 4)
    assert [(one["question"], one["choices"][one["answer"]]) for one in result["questions"]] == [
        (one.question, one.choices[one.answer]) for one in told.questions
    ]
    assert result["seed"] == 5
    assert "Answers" in run_cli("quiz", path, "--markdown").stdout


def test_an_archive_from_standard_input_leaves_nobody_to_answer(forge_archive: Make) -> None:
    words = [sys.executable, "-m", "imagepeel", "quiz", "-"]
    data = forge_archive("hello").read_bytes()
    done = subprocess.run(words, input=data, capture_output=True, start_new_session=True, check=False)
    assert done.returncode == 2 and b"there is no terminal to answer on" in done.stderr
    done = subprocess.run([*words, "--json"], input=data, capture_output=True, start_new_session=True, check=True)
    assert json.loads(done.stdout)["result"]["questions"]
