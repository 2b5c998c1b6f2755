"""Loading as a judge: the shared cases with what was seen of real engines (the columns of their page)."""

from __future__ import annotations

import io
import json
import sys
import tarfile
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


def test_what_was_seen_elsewhere_is_called_measured(case: Case) -> None:
    """Docker 28 and podman 5.8 are measured where this table has them, and nowhere else."""
    sys.path.append(str(Path(__file__).parents[1] / "differential"))
    from load_watched import kept, of_cases

    found = of_cases(case("bug-reports", "l22a-dup-dir.tar").parent)
    assert found == {label: kept()[label] for label in (D28, D28C, PODMAN5)}


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


# ---- what is about the file only -----------------------------------------------------------------------------


def findings(run_cli: RunCli, path: Path, rule: str) -> list[dict[str, Any]]:
    found = json.loads(run_cli("wtf", "--json", path).stdout)["result"]["findings"]
    return [each for each in found if each["rule"] == rule]


def test_a_layout_is_told_where_docker_load_does_not_read_it(case: Case, run_cli: RunCli) -> None:
    """bug-reports F21: docker 20.10 and 28 say `open .../blobs/json`, and both have two ways out."""
    path = case("bug-reports", "f21-pure-oci.tar")
    with imagepeel.open(path) as archive:
        image = archive.image()
        for engine in ("docker@20.10", "docker@28"):
            found = image.process(engine=engine)
            assert found.verdict.kind is Outcome.RUNS
            (note,) = [note for note in found.notes if "does not take the file" in note]
            assert "open <tmp>/blobs/json: no such file or directory" in note
        for engine in ("docker@29.7", "containerd", "podman"):
            assert not [note for note in image.process(engine=engine).notes if "does not take the file" in note]
    (finding,) = findings(run_cli, path, "FILE-NOT-TAKEN")
    assert finding["severity"] == "info"
    assert "type=docker" in finding["fix"] and "skopeo copy" in finding["fix"]
    assert run_cli("check", path).exit_code == 0


def test_a_folder_too_many_is_refused_by_all(case: Case, run_cli: RunCli) -> None:
    path = case("real-images", "one-level-down.tar")
    with imagepeel.open(path) as archive:
        image = archive.image()
        assert not any(answer.takes for answer in image.loadable())
        for engine in ("docker@20.10", "docker@28", "docker@29.7", "containerd", "k8s", "podman", "cri-o", "nerdctl"):
            verdict = image.process(engine=engine).verdict
            assert (verdict.kind, verdict.judge, verdict.id) == (Outcome.FAILS, Judge.LOAD, "F64"), engine
            assert "tar -C images" in verdict.fix
        assert image.process(engine="runc").verdict.kind is Outcome.RUNS
    (finding,) = findings(run_cli, path, "FILE-NOT-TAKEN")
    assert finding["severity"] == "high"
    assert run_cli("check", path).exit_code == 1


def packed_below(whole: Path, folder: str, target: Path, *, wrap: str = "") -> Path:
    """The same archive with everything one folder down."""
    import bz2
    import gzip

    out = io.BytesIO()
    with tarfile.open(whole) as source, tarfile.open(fileobj=out, mode="w") as packed:
        for member in source:
            data = source.extractfile(member) if member.isfile() else None
            member.name = f"{folder}/{member.name}"
            packed.addfile(member, data)
    data = out.getvalue()
    target.write_bytes({"": lambda: data, "gz": lambda: gzip.compress(data), "bz2": lambda: bz2.compress(data)}[wrap]())
    return target


@pytest.mark.parametrize("wrap", ["", "gz", "bz2"])
@pytest.mark.parametrize("kind", ["docker-archive", "oci-archive", "docker-save-25", "docker-v1.0"])
def test_any_archive_one_folder_down_is_refused(
    forge_archive: Callable[..., Path], tmp_path: Path, run_cli: RunCli, kind: str, wrap: str
) -> None:
    path = packed_below(forge_archive("hello", kind=kind), "saved", tmp_path / "below.tar", wrap=wrap)
    with imagepeel.open(path) as archive:
        image = archive.image()
        assert not any(answer.takes for answer in image.loadable())
        for engine in ("docker@20.10", "docker@29.7", "containerd", "podman"):
            verdict = image.process(engine=engine).verdict
            assert (verdict.kind, verdict.judge) == (Outcome.FAILS, Judge.LOAD), engine
    assert run_cli("check", path).exit_code == 1


def test_a_save_of_before_1_10_loads_in_dockers_old_store_only(
    forge_archive: Callable[..., Path], run_cli: RunCli
) -> None:
    """real-images 18: podman's reader says `loading tar component manifest.json: file does not exist`."""
    path = forge_archive("shop", kind="docker-v1.0")
    with imagepeel.open(path) as archive:
        image = archive.image()
        for engine in ("docker@20.10", "docker@28"):
            assert image.process(engine=engine).verdict.kind is Outcome.RUNS
        for engine in ("docker@29.7", "containerd", "k8s", "podman@4.3", "podman@6.1", "cri-o"):
            verdict = image.process(engine=engine).verdict
            assert (verdict.kind, verdict.judge) == (Outcome.FAILS, Judge.LOAD), engine
        for engine, shown in (("podman@4.3", "manifest.json"), ("podman", '"manifest.json"')):  # 5.7.1 had the quotes
            words = f"loading tar component {shown}: file does not exist"
            assert words in image.process(engine=engine).verdict.text
        assert "RUNS on Docker" not in " ".join(str(image.explain()).split())
    assert run_cli("check", path).exit_code == 1


def test_an_unpacked_archive_is_nobodys_to_load(forge_archive: Callable[..., Path], tmp_path: Path) -> None:
    with tarfile.open(forge_archive("hello", kind="oci-archive")) as source:
        source.extractall(tmp_path / "out" / "below", filter="data")
    with imagepeel.open(tmp_path / "out") as archive:
        image = archive.image()
        assert image.process(engine="docker@20.10").verdict.kind is Outcome.RUNS
        assert "FILE-NOT-TAKEN" not in {finding.rule for finding in image.findings()}


@pytest.mark.parametrize(("kind", "engine"), [("docker-archive", "containerd@1.6"), ("docker-archive", "podman@4.3")])
def test_a_packed_archive_is_told_where_it_is_not_unpacked(
    forge_archive: Callable[..., Path], tmp_path: Path, kind: str, engine: str
) -> None:
    """ctr 1.6 takes no compression off, and podman 4.3 of Debian stops at gzip."""
    import gzip

    path = tmp_path / "image.tar.gz"
    path.write_bytes(gzip.compress(forge_archive("hello", kind=kind).read_bytes()))
    with imagepeel.open(path) as archive:
        found = archive.image().process(engine=engine)
        assert found.verdict.kind is Outcome.RUNS
        assert [note for note in found.notes if "does not take the file" in note]
        assert not [note for note in archive.image().process(engine="docker").notes if "does not take" in note]


# ---- a third description -------------------------------------------------------------------------------------


def test_repositories_is_held_against_the_list(case: Case, run_cli: RunCli) -> None:
    """bug-reports F10: docker 20.10 and podman take what manifest.json names."""
    path = case("bug-reports", "f10-stale-manifest.tar")
    (finding,) = findings(run_cli, path, "TWO-IMAGES")
    assert finding["severity"] == "medium"
    assert (
        "repositories names bashonubuntu:latest with 2 layers, manifest.json ubuntu:14.04 with 1 layer"
        in (finding["message"])
    )
    found = answers(path)
    assert found[D20].names == ("ubuntu:14.04",) and found[PODMAN4].names == ("localhost/ubuntu:14.04",)


@pytest.mark.parametrize("kind", ["docker-archive", "docker-save-25", "podman-archive", "nix", "nix-stream"])
def test_a_list_and_repositories_of_one_build_agree(forge_archive: Callable[..., Path], kind: str) -> None:
    with imagepeel.open(forge_archive("shop", kind=kind)) as archive:
        assert "repositories-differ" not in {anomaly.code for anomaly in archive.anomalies}


@pytest.mark.parametrize("change", ["name", "top"])
def test_a_changed_repositories_is_noticed(forge_archive: Callable[..., Path], tmp_path: Path, change: str) -> None:
    changed = io.BytesIO()
    with (
        tarfile.open(forge_archive("shop", kind="docker-archive")) as source,
        tarfile.open(fileobj=changed, mode="w") as packed,
    ):
        layers = sorted({member.name.partition("/")[0] for member in source if member.name.endswith("/layer.tar")})
        for member in source:
            data = source.extractfile(member).read() if member.isfile() else b""  # type: ignore[union-attr]
            if member.name == "repositories":
                value = json.loads(data)
                (name,) = value
                (tag,) = value[name]
                other = next(layer for layer in layers if layer != value[name][tag])
                value = {"other": value[name]} if change == "name" else {name: {tag: other}}
                data = json.dumps(value).encode()
                member.size = len(data)
            packed.addfile(member, io.BytesIO(data))
    (tmp_path / "changed.tar").write_bytes(changed.getvalue())
    with imagepeel.open(tmp_path / "changed.tar") as archive:
        (message,) = [one.message for one in archive.anomalies if one.code == "repositories-differ"]
        assert ("other:1.4 with 8 layers" if change == "name" else "names shop:1.4 with") in message


# ---- what only some options ask for --------------------------------------------------------------------------


def test_all_platforms_have_to_be_there_for_kind(tmp_path: Path) -> None:
    """kind#3795: it imports with --all-platforms, and a sparse save lists more than it carries."""
    from imagepeel import forge
    from imagepeel.forge.specimens import sound

    lacking = sound(architecture="arm64", faults=[forge.Fault(kind="manifest-missing")])
    (tmp_path / "sparse.tar").write_bytes(forge.to_bytes(forge.index(sound(), lacking, names="demo:1"), "oci-archive"))
    with imagepeel.open(tmp_path / "sparse.tar") as archive:
        (digest,) = [record.digest for record in archive.records if not record.available]
        found = {answer.label: answer for answer in archive.image(platform="linux/amd64").loadable()}
    assert found["kind@0.30"].text == f"ctr: content digest {digest}: not found"
    assert found["containerd@1.6"].takes and found["docker@28 (containerd store)"].takes and found["nerdctl@2"].takes
