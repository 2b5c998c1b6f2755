"""Loading as a judge: the shared cases with what was seen of real engines (the columns of their page)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import imagepeel
from imagepeel.process.spec.failure import Judge, Outcome
from imagepeel.results import LoadAnswer

Case = Callable[[str, str], Path]
RunCli = Callable[..., Any]

D20, D28, D28C, PODMAN4, PODMAN5, CTR = (
    "docker@20.10 (own store)",
    "docker@28 (own store)",
    "docker@28 (containerd store)",
    "podman@4.3",
    "podman@5.8",
    "containerd@1.6",
)
TWICE = "duplicates of file paths not supported"
BELOW = "mkdir /nix/store/bbb-symlink: file exists"
ROOTFS = "rootFS is not set"

# Case -> tool -> what its text ends in or holds, "" where it takes the image.
SEEN: dict[str, dict[str, str]] = {
    "l22a-dup-dir.tar": {D20: TWICE, D28: TWICE, D28C: "", PODMAN4: TWICE, PODMAN5: TWICE, CTR: ""},
    "l22b-dup-file.tar": {D20: TWICE, D28: TWICE, D28C: "", PODMAN4: TWICE, PODMAN5: TWICE, CTR: ""},
    "l22d-dup-slash.tar": {D20: "", D28: "", D28C: "", PODMAN4: "", PODMAN5: "", CTR: ""},
    "l01c-below-own-symlink.tar": {D20: BELOW, D28C: "", PODMAN4: BELOW, PODMAN5: BELOW, CTR: ""},
    "l05-hardlink-whiteout.tar": {D20: "", D28: "", D28C: "", PODMAN4: "", CTR: ""},
    "f06c-docker.tar": {
        D20: "invalid image JSON, no RootFS key", D28: "invalid image JSON, no RootFS key", D28C: "",
        PODMAN4: ROOTFS, PODMAN5: ROOTFS,
    },
    "f10-stale-manifest.tar": {D20: "", PODMAN4: ""},
    "f12c-cut-at-end.tar": {
        D20: "/json: no such file or directory", D28: "/json: no such file or directory",
        D28C: "unrecognized image format", PODMAN4: "manifest.json: file does not exist",
    },
    "f21-pure-oci.tar": {
        D20: "open <tmp>/blobs/json: no such file or directory",
        D28: "open <tmp>/blobs/json: no such file or directory",
        D28C: "", CTR: "",
    },
}  # fmt: skip


def answers(path: Path) -> dict[str, LoadAnswer]:
    with imagepeel.open(path) as archive:
        return {answer.label: answer for answer in archive.images()[0].loadable()}


@pytest.mark.parametrize("name", SEEN)
def test_who_takes_a_case(case: Case, name: str) -> None:
    found = answers(case("bug-reports", name))
    for label, text in SEEN[name].items():
        assert found[label].takes is not bool(text), (label, str(found[label]))
        assert text in found[label].text, label


def test_docker_28_is_known_to_do_both_below_a_link(case: Case) -> None:
    """Its extractor refuses, and the package that was run took the image."""
    found = answers(case("bug-reports", "l01c-below-own-symlink.tar"))[D28]
    assert found.outcome == "unknown" and BELOW in found.text and "28.5.2" in found.why


def test_names_and_ids_of_a_layout(case: Case) -> None:
    path = case("bug-reports", "f21-pure-oci.tar")
    found = answers(path)
    assert found[D28C].names == ("latest:latest",) and found[D28C].id_of == "manifest"
    assert found[PODMAN4].names == ("localhost/latest:latest",) and found[PODMAN4].id_of == "config"
    assert found[PODMAN4].id == "sha256:fbbdd5c66dbbd6c0fde1fcd3972b930ffa776c3107b9b0aaa17d9ed8e7bd6b60"
    assert any("type=docker" in way for way in found[D20].ways) and any("skopeo copy" in way for way in found[D20].ways)


def test_an_index_is_the_id_where_the_name_points_at_one(case: Case) -> None:
    found = answers(case("bug-reports", "p05-arm64-has-amd64.tar"))
    assert found[CTR].id_of == "index" and found[D28C].id_of == "index"
    assert found[CTR].id == "sha256:c4a728ba5836573568e8140bb070659968719c8b9fe767dfb25dec2ba5d14e72"


def test_what_was_read_is_marked(case: Case) -> None:
    found = answers(case("bug-reports", "f21-pure-oci.tar"))
    read = {answer.tool for answer in found.values() if answer.evidence == "read"}
    assert read == {"docker@29", "docker@29.7", "podman@6.1", "containerd@2", "nerdctl@2", "kind@0.30"}


@pytest.mark.parametrize("engine", ["docker@20.10", "docker@28", "podman@4.3", "podman@5.8", "cri-o"])
@pytest.mark.parametrize("name", ["l22a-dup-dir.tar", "l22b-dup-file.tar"])
def test_load_is_the_judge_of_a_path_twice(case: Case, name: str, engine: str) -> None:
    with imagepeel.open(case("bug-reports", name)) as archive:
        verdict = archive.image().process(engine=engine).verdict
    assert verdict.kind is Outcome.FAILS and verdict.judge is Judge.LOAD and TWICE in verdict.text


@pytest.mark.parametrize("engine", ["containerd", "k8s", "nerdctl"])
def test_containerd_takes_a_path_twice(case: Case, engine: str) -> None:
    with imagepeel.open(case("bug-reports", "l22b-dup-file.tar")) as archive:
        assert archive.image().process(engine=engine).verdict.judge is not Judge.LOAD


@pytest.mark.parametrize(
    "name, rule",
    [
        ("l22a-dup-dir.tar", "DUPLICATE-ENTRY"),
        ("l22b-dup-file.tar", "DUPLICATE-ENTRY"),
        ("l01c-below-own-symlink.tar", "STORE-REFUSES-LAYER"),
        ("f06c-docker.tar", "CONFIG-WITHOUT-ROOTFS"),
        ("f12c-cut-at-end.tar", "CUT-SAVE"),
        ("f12-truncated.tar.gz", "CUT-SAVE"),
    ],
)
def test_the_gate_fails(case: Case, run_cli: RunCli, name: str, rule: str) -> None:
    done = run_cli("check", str(case("bug-reports", name)), "--format", "json")
    assert done.exit_code == 1 and rule in done.stdout


@pytest.mark.parametrize("name", ["f12c-cut-at-end.tar", "f12-truncated.tar.gz"])
def test_a_cut_save_is_unknown(case: Case, run_cli: RunCli, name: str) -> None:
    path = case("bug-reports", name)
    done = run_cli("process", str(path), "--json")
    assert done.exit_code == 11
    assert json.loads(done.stdout)["result"]["prediction"]["verdict"]["kind"] == "UNKNOWN"
    assert run_cli("images", str(path)).exit_code == 11


def test_layers_that_are_left_out_stop_loading(case: Case) -> None:
    """Fault 2a: nobody reads a sentence of a runtime, since no engine loads the file."""
    with imagepeel.open(case("real-images", "layer-left-out.tar")) as archive:
        image = archive.image()
        for engine in ("docker@28", "podman@5.8", "containerd"):
            verdict = image.process(engine=engine).verdict
            assert verdict.kind is Outcome.UNKNOWN or verdict.judge is Judge.LOAD
        assert not any(answer.takes for answer in image.loadable() if answer.tool.startswith(("docker", "podman")))
