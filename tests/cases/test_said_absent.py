"""Cards and predictions say what they are not about, and what nobody can know."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import imagepeel
from imagepeel import forge
from imagepeel.forge.specimens import sound

Make = Callable[..., Path]
Run = Callable[..., Any]


def shown(value: object) -> str:
    """What a card says, in text and in HTML."""
    bundle = value._repr_mimebundle_()  # type: ignore[attr-defined]
    return " ".join(re.sub("<[^>]+>", " ", text) for text in bundle.values())


@pytest.mark.parametrize("verb", ["", "process", "waste", "findings", "explain"])
def test_a_card_names_the_images_that_it_is_not_about(verb: str, forge_archive: Make) -> None:
    both = forge.index(sound(), sound(architecture="arm64"), names="demo:1")
    path = forge_archive(both, name="both.tar", kind="oci-archive")
    with imagepeel.open(path) as archive:
        image = archive.image(platform="linux/amd64")
        assert "not #2 (linux/arm64)" in shown(getattr(image, verb)() if verb else image)
    with imagepeel.open(forge_archive(sound(), name="one.tar", kind="oci-archive")) as archive:
        assert "examined" not in shown(getattr(archive.image(), verb)() if verb else archive.image())


def test_nobody_is_the_user_that_is_not_known(run_cli: Run, forge_archive: Make) -> None:
    """users D3: `user 0:0`, `home /` beside `HOME=/root`, and `process 1 ... as 0:0`, of a start that is refused."""
    done = run_cli("process", forge_archive(sound(user="nosuch"), name="nosuch.tar"), "--verbose")
    assert "unable to find user nosuch" in done.stdout
    assert "USER nosuch cannot be turned into numbers" in done.stdout
    for words in ("0:0", "home /", "HOME=", "process 1", "a stop sends"):
        assert words not in done.stdout, words
    known = run_cli("process", forge_archive(sound(), name="known.tar"), "--verbose").stdout
    assert all(words in known for words in ("0:0", "HOME=", "process 1", "a stop sends"))


@pytest.mark.parametrize("packer", ["gzip", "bz2"])
def test_bytes_behind_a_packed_archive_have_their_place(packer: str, run_cli: Run, tmp_path: Path) -> None:
    """real-images 17: they were said to stand at archive offset 0."""
    packed = importlib.import_module(packer).compress(forge.to_bytes(sound(), "docker-archive"))
    (tmp_path / "tail.tar").write_bytes(packed + b"junk" * 9)
    done = run_cli("wtf", tmp_path / "tail.tar", "--json")
    found = [one for one in json.loads(done.stdout)["result"]["findings"] if "36 bytes after" in one["message"]]
    places = {place.get("file_offset") for one in found for place in one["locations"]}
    assert places - {None} == {len(packed)}
    assert f"byte {len(packed)} of the file" in run_cli("wtf", tmp_path / "tail.tar").stdout
    assert "archive offset 0" not in run_cli("wtf", tmp_path / "tail.tar").stdout
