"""What stores do with small archives: recorded loads always, real ones again where the programs are installed.

Docker 28, both stores, and podman 5.8 are not on such a machine; what they did was written down case by case beside the
shared cases, and stands in `tests/cases/test_load.py`.
"""

from __future__ import annotations

import json
import platform
import re
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE)]

import stores  # noqa: E402
from load_archives import ARCHIVES, A, docker, write  # noqa: E402

import imagepeel  # noqa: E402
from dockerd import alone  # noqa: E402
from imagepeel.results import LoadAnswer  # noqa: E402

RECORDED: dict[str, dict[str, Any]] = json.loads(stores.FILE.read_text())
SAMPLE = [
    "docker", "docker, two names", "docker, more DiffIDs than layers", "docker, cut before manifest.json",
    "a path twice", "a path twice, once with a slash", "a file below a link of its layer", "layout", "layout, no name",
    'docker, config.Cmd = "/a"', "a gzip layer, cut", "layout, another layer under its digest",
    "docker, manifest.json []", "docker, two images, the second without config", "layout, manifest not JSON",
]  # fmt: skip
OF_THE_HOST = {
    'docker, architecture = "arm64"',
    'layout, entry: platform = {"os": "linux", "architecture": "arm64"}',
}
"""Archives that a tool takes on a host of another architecture; our answer says so in a note."""


def answers_about(name: str, folder: Path) -> dict[str, list[LoadAnswer]]:
    """What we say of every image of an archive, by tool."""
    with imagepeel.open(write(name, folder), unread=True) as archive:
        found: dict[str, list[LoadAnswer]] = {}
        for image in archive.delivered():
            for answer in image.loadable():
                if name.startswith("both") and "oci-archive:" in answer.command:
                    continue  # of an image that is in the layout only; what was run reads manifest.json
                found.setdefault(answer.tool, []).append(answer)
        return found


def differences(name: str, tool: str, answers: list[LoadAnswer], seen: dict[str, Any]) -> list[str]:
    refused = [answer for answer in answers if not answer.takes]
    if seen["exit"]:
        texts = [answer.text for answer in refused if answer.exit_code == seen["exit"]]
        return [] if any(same(text, seen["text"]) for text in texts) else [f"{seen} is not {texts or answers}"]
    if any(answer.exit_code for answer in refused):
        return [f"it takes the archive, we say {refused[0].text}"]
    if any(answer.takes and not answer.id for answer in answers):
        return []  # the ID cannot be told, as of an archive of Docker 1.9
    unnamed = "<none>:<none>" if tool.startswith(("docker", "podman")) else ""
    wanted = {image for answer in answers if answer.takes for image in images_of(answer, unnamed)}
    if not any(answer.names for answer in answers) or "images" not in seen:
        return []
    return [] if wanted == set(seen["images"]) else [f"{sorted(wanted)} are not {seen['images']}"]


def images_of(answer: LoadAnswer, unnamed: str) -> list[str]:
    """The rows in which a store lists an image; some list one without a name too."""
    return [f"{name} {answer.id}".strip() for name in answer.names or ([unnamed] if unnamed else [])]


def same(ours: str, theirs: str) -> bool:
    """Whether two texts say the same: what a logger escapes is not told apart."""
    return _plain(ours) == _plain(theirs)


def _plain(text: str) -> str:
    """A text without what a logger escapes, the middle of long paths, and offsets that only a decompressor knows."""
    text = re.sub(r"\\+", "", text.strip())
    text = re.sub(r"(\S{12})\S{60,}?(:?)(?=\s|$)", r"\1<long>\2", text)
    return re.sub(r"before offset (?:\d+|<n>)", "before offset <n>", text)


@pytest.mark.parametrize("name", ARCHIVES)
def test_the_stores_did_what_we_say(name: str, tmp_path: Path) -> None:
    answers = answers_about(name, tmp_path)
    wrong = {
        tool: lines for tool in stores.TOOLS if (lines := differences(name, tool, answers[tool], RECORDED[name][tool]))
    }
    if name in OF_THE_HOST and platform.machine() != "aarch64":
        assert set(wrong) == {"containerd@1.6"}
        (answer,) = answers["containerd@1.6"]
        assert RECORDED[name]["containerd@1.6"]["text"] in " ".join(answer.notes)
        return
    assert wrong == {}


@pytest.mark.judge
@pytest.mark.root
@pytest.mark.slow
def test_the_stores_still_do_it() -> None:
    reason = stores.why_not()
    if reason:
        pytest.skip(reason)
    with alone():
        found = dict(stores.observe(SAMPLE))
    for name in SAMPLE:
        for tool, seen in found[name].items():
            known = RECORDED[name][tool]
            assert (seen["exit"], seen.get("images")) == (known["exit"], known.get("images")), (name, tool)
            assert same(seen.get("text", ""), known.get("text", "")), (name, tool)


@pytest.mark.parametrize("layer", [b"hello" * 300, A[:1024] + A[:300]], ids=["no tar", "cut in a header"])
def test_skopeo_copies_a_layer_that_nobody_can_unpack(layer: bytes, tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    path.write_bytes(docker(layer))
    with imagepeel.open(path) as archive:
        answers = {answer.tool: answer for answer in archive.images()[0].loadable()}
    # skopeo 1.9.3 ends with 0; dockerd 20.10, podman 4.3, ctr 1.6 and buildah 1.28 refuse both.
    assert {tool: answers[tool].takes for tool in stores.TOOLS} == {tool: tool == "skopeo@1.9" for tool in stores.TOOLS}


def test_a_directory_is_judged_as_if_it_were_packed(tmp_path: Path) -> None:
    with imagepeel.open(write("layout", tmp_path)) as packed:
        taken = [answer.outcome for answer in packed.images()[0].loadable()]
    import tarfile

    folder = tmp_path / "folder"
    with tarfile.open(tmp_path / "image.tar") as tar:
        tar.extractall(folder, filter="data")
    with imagepeel.open(folder) as unpacked:
        assert [answer.outcome for answer in unpacked.images()[0].loadable()] == taken
