"""Public reports that were answered rightly from the start, made again in small: they stay answered.

The ids are those of the page of the bug reports; what is right is its column "why".
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import imagepeel
from imagepeel import forge
from imagepeel.archive.source import MemorySource
from imagepeel.forge import programs

Run = Callable[..., Any]
Make = Callable[..., Path]

HELLO = forge.file("bin/hello", programs.hello(), 0o755)
BASE = forge.layer(HELLO)


def opened(*layers: forge.LayerSpec, kind: str = "docker-archive", **settings: Any) -> imagepeel.Archive:
    settings.setdefault("names", "demo:1")
    data = forge.to_bytes(forge.image(*layers, entrypoint=["/bin/hello"], **settings), kind)
    return imagepeel.open(MemorySource(data, "demo.tar"))


def refusals(archive: imagepeel.Archive) -> dict[str, str]:
    """Tool to the words with which it refuses; what takes the image is left out."""
    return {answer.label: answer.text for answer in archive.image().loadable() if not answer.takes}


def found(archive: imagepeel.Archive, rule: str) -> list[str]:
    return [finding.message for finding in archive.image().findings() if finding.rule == rule]


# ---- formats and archives ------------------------------------------------------------------------------------


def test_c03_a_colon_in_the_name_of_a_file(forge_archive: Make, run_cli: Run, tmp_path: Path) -> None:
    path = tmp_path / "rocky8:8.x.tar"
    shutil.copy(forge_archive("hello"), path)
    assert run_cli("layers", path).exit_code == 0
    assert run_cli("process", path).exit_code == 0


class Counted(MemorySource):
    """A file that counts the bytes that are read of it."""

    read = 0

    def pread(self, offset: int, size: int) -> bytes:
        data = super().pread(offset, size)
        Counted.read += len(data)
        return data


@pytest.mark.parametrize("kind", ["docker-archive", "oci-archive"])
def test_c04_names_and_layers_need_no_layer(kind: str) -> None:
    """3.2 GB took skopeo inspect 23.8 s: the documents are some kilobytes."""
    big = [forge.layer(forge.file(f"big{number}", bytes(4_000_000)), compression="none") for number in range(3)]
    data = forge.to_bytes(forge.image(BASE, *big, names="demo:1"), kind)
    assert len(data) > 12_000_000
    Counted.read = 0
    with imagepeel.open(Counted(data, "big.tar")) as archive:
        assert [len(record.layers) for record in archive.records] == [4]
        assert archive.records[0].image_id
    assert Counted.read < 200_000


def test_f07_a_chart_and_an_image_under_one_tag(run_cli: Run, tmp_path: Path) -> None:
    chart = forge.layer(media_type="application/vnd.cncf.helm.chart.content.v1.tar+gzip", blob=b"a chart")
    specs = forge.index(
        forge.image(chart, names="1.0", config_type="application/vnd.cncf.helm.config.v1+json"),
        forge.image(BASE, names="1.0", entrypoint=["/bin/hello"]),
        names="1.0",
    )
    path = tmp_path / "both.tar"
    path.write_bytes(forge.to_bytes(specs, "oci-archive"))
    rows = json.loads(run_cli("images", "--json", path).stdout)["result"]["images"]
    assert sorted(row["kind"] for row in rows) == ["helm", "image"]
    assert run_cli("layers", path).exit_code == 0
    assert json.loads(run_cli("layers", "--json", path).stdout)["result"]["image"]["artifact"] == ""


def test_f09_equal_layers_as_links(forge_archive: Make) -> None:
    """docker save 1.10 to 24 writes a layer that comes again as a link to its first copy."""
    same = forge.layer(forge.file("same", "x" * 600))
    spec = forge.image(BASE, same, forge.layer(forge.file("other", "y")), same, names="twice:1")
    path = forge_archive(spec, name="whole.tar", kind="docker-archive")
    with tarfile.open(path) as members:
        assert any(member.issym() and member.name.endswith("/layer.tar") for member in members)
    with imagepeel.open(path) as archive:
        image = archive.image()
        assert len(image.layers) == 4 and image.complete
        assert image.layers[1].diff_id == image.layers[3].diff_id
        waste = image.waste()
        assert waste.files - waste.visible == 600 and [item.path for item in waste.items] == ["/same"]


def test_f13_another_diff_id(run_cli: Run, forge_archive: Make) -> None:
    """Docker says `invalid diffID for layer 0: expected "...", got "..."`."""
    spec = forge.image(BASE, names="demo:1", faults=[forge.Fault(kind="diff-id")])
    path = forge_archive(spec, name="diffid.tar", kind="docker-archive")
    done = run_cli("layers", path)
    assert done.exit_code == 12 and "MISMATCH" in done.stdout
    with imagepeel.open(path) as archive:
        actual = json.loads(run_cli("layers", "--json", path).stdout)["result"]["layers"][0]["checks"]
        (got,) = [check["actual"] for check in actual if check["what"] == "diff_id"]
        text = refusals(archive)["docker@20.10 (own store)"]
    assert text == f'invalid diffID for layer 0: expected "sha256:{"f" * 64}", got "{got}"'


def test_f14_an_archive_without_names() -> None:
    with opened(BASE, names=()) as archive:
        answers = {answer.label: answer for answer in archive.image().loadable()}
    assert answers["docker@28 (own store)"].takes and answers["docker@28 (own store)"].names == ()
    assert not answers["containerd@1.6"].takes and "gives the image no name" in answers["containerd@1.6"].why


def test_f19_an_unpacked_archive_is_read(forge_archive: Make, tmp_path: Path) -> None:
    for kind in ("docker-archive", "oci-archive"):
        with tarfile.open(forge_archive("hello", kind=kind)) as source:
            source.extractall(tmp_path / kind, filter="data")
        with imagepeel.open(tmp_path / kind) as archive:
            assert archive.image().complete


# ---- layers and root filesystem ------------------------------------------------------------------------------


def test_l02_a_file_where_a_directory_is_needed() -> None:
    with opened(BASE, forge.layer(forge.file("a", b""), forge.file("a/b", b"y"))) as archive:
        assert refusals(archive)["containerd@1.6"].endswith("mkparent <store>/a: not a directory: unknown")
        assert found(archive, "UNPACK-REFUSED")


def test_l03_a_whiteout_behind_its_file() -> None:
    """`failed to mknod ...: file exists`, in the words of each engine."""
    with opened(BASE, forge.layer(forge.file("f", b"1"), forge.whiteout("f"))) as archive:
        words = refusals(archive)
        assert found(archive, "WHITEOUT-ORDER")
    assert words["docker@20.10 (own store)"].endswith('failed to mknod("/f", S_IFCHR, 0): file exists')
    assert words["docker@28 (own store)"] == "failed to mknod('f', S_IFCHR, 0): file exists"
    assert words["containerd@1.6"].endswith('failed to convert whiteout file ".wh.f": file exists: unknown')
    assert "processing tar file(file exists): exit status 1" in words["podman@4.3"]


def test_l04_owner_and_mode_of_a_directory_without_entry() -> None:
    home = forge.layer(forge.directory("home/app", 0o700, 1000, 1000), HELLO)
    with opened(home, forge.layer(forge.file("home/app/x", b"1"))) as archive:
        (message,) = found(archive, "PARENT-NOT-DESCRIBED")
    assert "containerd keeps 0700 1000:1000" in message and "/home/app" in message


def test_l07_files_that_nobody_may_read(forge_archive: Make, tmp_path: Path) -> None:
    spec = forge.image(BASE, forge.layer(forge.directory("shut", 0), forge.file("shut/x", b"1", 0)), names="shut:1")
    path = forge_archive(spec, name="shut.tar")
    if shutil.which("setpriv") is None:
        pytest.skip("no setpriv")
    shared = tmp_path / "shared"
    shared.mkdir()
    words = ["setpriv", "--bounding-set", "-all", "--inh-caps", "-all", sys.executable, "-m", "imagepeel", "extract"]
    done = subprocess.run([*words, str(path), str(shared / "out")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_l08_hardlinks_with_absolute_names() -> None:
    linked = forge.layer(forge.file("a/one", b"x"), forge.hardlink("b/two", "/a/one"))
    with opened(BASE, linked) as archive:
        image = archive.image()
        assert image.rootfs.refusal is None and not refusals(archive)
        assert image.rootfs.read("/b/two") == b"x"


@pytest.mark.parametrize("uid", [369_884_941, 2_097_152 + 7])
def test_l10_l21_ids_that_rootless_engines_lack(uid: int) -> None:
    with opened(BASE, forge.layer(forge.file("srv/far", b"x", uid=uid))) as archive:
        (message,) = found(archive, "ROOTLESS-IDS")
        assert archive.image().rootfs.lookup("/srv/far").uid == uid
    assert "/srv/far" in message and str(uid) in message


def test_l14_file_capabilities_are_told() -> None:
    capable = forge.file("bin/ping", b"x", 0o755, xattrs={"security.capability": b"\1\0\0\2\0 \0\0" + bytes(12)})
    with opened(BASE, forge.layer(capable)) as archive:
        assert any("/bin/ping" in message for message in found(archive, "ROOTLESS-DROPS"))


def test_l15_a_colon_in_a_path_is_a_path(run_cli: Run, forge_archive: Make) -> None:
    """A bug of docker 19.03: nothing to do, and nothing to stumble over."""
    spec = forge.image(BASE, forge.layer(forge.file("srv/a:b/c", b"x")), names="colon:1")
    path = forge_archive(spec, name="colon.tar")
    assert run_cli("cat", path, "/srv/a:b/c").stdout == "x"


def test_l16_a_chain_of_links_is_no_circle(run_cli: Run, forge_archive: Make) -> None:
    chain = [forge.symlink(f"l{number}", f"l{number + 1}") for number in range(6)]
    spec = forge.image(BASE, forge.layer(*chain, forge.file("l6", b"the end")), names="chain:1")
    path = forge_archive(spec, name="chain.tar")
    done = run_cli("trace", path, "/l0")
    assert done.exit_code == 0 and all(f"l{number}" in done.stdout for number in range(7))
    assert "circle" not in done.stdout and run_cli("cat", path, "/l0").stdout == "the end"


@pytest.mark.parametrize("form", ["gnu", "pax"])
def test_l18_names_of_more_than_a_hundred_characters(form: str) -> None:
    name = "/".join(["a" * 60] * 4)
    with opened(BASE, forge.layer(forge.file(name, b"long", form=form))) as archive:
        assert archive.image().rootfs.read("/" + name) == b"long"


def test_d01_a_step_without_content_shifts_nothing() -> None:
    layers = (
        forge.layer(HELLO, created_by="COPY hello /bin/hello # buildkit"),
        forge.layer(created_by="WORKDIR / # buildkit"),
        forge.layer(forge.file("last", b"x"), created_by="COPY last / # buildkit"),
    )
    with opened(*layers) as archive:
        steps = [archive.image().config.history[layer.step or 0].created_by for layer in archive.image().layers]
    assert [step.split()[0] for step in steps] == ["COPY", "WORKDIR", "COPY"]
    assert "last" in steps[2]
