"""What is said: exit codes, masked secrets, evidence and fixes of the cases that once said something else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagepeel import forge

Case = Callable[[str, str], Path]
Make = Callable[..., Path]
Run = Callable[..., Any]


@pytest.mark.parametrize("command", ["explain", "images", "trace", "waste", "operate", "process", "wtf", "layers"])
def test_c01_the_first_line_is_enough(command: str, case: Case) -> None:
    """bug-reports C01, real-images 7, users H1."""
    words = [sys.executable, "-m", "imagepeel", command, str(case("real-images", "groups.tar"))]
    shell = '"$@" | head -1; exit ${PIPESTATUS[0]}'
    done = subprocess.run(
        ["bash", "-c", shell, "-", *words, *(["/etc/group"] if command == "trace" else [])],
        capture_output=True,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"\n") == 1


# ---- an image that runtimes refuse ------------------------------------------------------------------------------


def refused() -> forge.ImageSpec:
    """`a` is a file, and the same layer has a file below it: containerd answers `not a directory`."""
    return forge.image(
        forge.layer(forge.file("a", b"x" * 700), forge.file("kept", b"k" * 300), forge.file("twice", b"1" * 50)),
        forge.layer(forge.file("twice", b"2" * 60), forge.file("a", b""), forge.file("a/b", b"y" * 100)),
        names="refused:1",
    )


def test_waste_and_find_answer_about_a_refused_image(run_cli: Run, forge_archive: Make) -> None:
    """real-images 8, users G2: it is a result, so the code is 0."""
    archive = forge_archive(refused(), name="refused.tar")
    for words in (["waste"], ["waste", "--json"], ["find", "--removed"], ["find", "--removed", "--json"], ["du"]):
        done = run_cli(words[0], archive, *words[1:])
        assert done.exit_code == 0, done.stderr
        assert "a runtime refuses to unpack this image at layer L2" in done.stderr
        assert "command line" not in done.stderr


def test_what_a_refused_image_hides_is_not_given_a_cause(forge_archive: Make) -> None:
    import imagepeel

    with imagepeel.open(forge_archive(refused(), name="refused.tar")) as archive:
        waste = archive.image().waste()
        assert waste.files == 700 + 300 + 50 + 100 + 60
        hidden = {(item.path, item.layer): item.cause for item in waste.items}
        assert hidden["/twice", 0] == "unattributed"
        assert set(hidden.values()) == {"unattributed"}
        for layer in waste.layers:
            assert sum(layer.content.values()) == layer.content_size


def test_a_damaged_layer_ends_waste_and_find_with_11(case: Case, run_cli: Run) -> None:
    archive = case("bug-reports", "f12-truncated.tar.gz")
    for words in (["waste"], ["find", "--removed"]):
        assert run_cli(words[0], archive, *words[1:]).exit_code == 11


def test_a_view_without_layers_is_still_a_wrong_question(run_cli: Run, forge_archive: Make) -> None:
    done = run_cli("find", forge_archive("shop"), "--removed", "--view", "sequential")
    assert done.exit_code == 2
    assert "keeps no tree of a single layer" in done.stderr
