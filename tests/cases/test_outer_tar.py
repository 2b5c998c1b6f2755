"""Facts of the tar around an image: owners, times, order, padding and end, told where they betray or hurt somebody."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import imagepeel
from imagepeel import forge
from imagepeel.loading.answer import LoadAnswer

Make = Callable[..., Path]
Run = Callable[..., Any]


def findings_of(run_cli: Run, archive: Path) -> dict[str, dict[str, Any]]:
    told = json.loads(run_cli("wtf", archive, "--json").stdout)
    return {finding["rule"]: finding for finding in told["result"]["findings"]}


def repacked(archive: Path, target: Path, *options: str, names: list[str] | None = None) -> Path:
    """The members of an archive in a tar that GNU tar writes."""
    folder = target.parent / (target.name + ".d")
    folder.mkdir()
    subprocess.run(["tar", "-xf", str(archive), "-C", str(folder)], check=True)
    listed = subprocess.run(["tar", "-tf", str(archive)], capture_output=True, text=True, check=True).stdout.split()
    words = ["tar", "-c", "--no-recursion", "--format=ustar", *options, "-f", str(target), "-C", str(folder)]
    subprocess.run([*words, *(names or listed)], check=True)
    return target


# ---- what the outer tar and the layers tell about their packer --------------------------------------------------


def test_the_name_of_the_packer_is_told(run_cli: Run, forge_archive: Make, tmp_path: Path) -> None:
    """Owners of the outer tar: no engine reads them, and everybody who gets the file can."""
    archive = forge_archive("hello")
    named = repacked(archive, tmp_path / "named.tar", "--owner=jane:1000", "--group=staff:1000")
    finding = findings_of(run_cli, named)["PACKER-NAMED"]
    assert finding["severity"] == "info"
    assert "members of the archive belong to jane:staff (1000:1000)" in finding["message"]
    plain = repacked(archive, tmp_path / "plain.tar", "--owner=0", "--group=0", "--numeric-owner")
    assert "PACKER-NAMED" not in findings_of(run_cli, plain)
    root = repacked(archive, tmp_path / "root.tar", "--owner=root:0", "--group=root:0")
    assert "PACKER-NAMED" not in findings_of(run_cli, root)


def test_a_user_of_the_image_is_no_packer(run_cli: Run, forge_archive: Make) -> None:
    from imagepeel.forge.specimens import holding

    mine = holding(forge.file("home/app/x", "x", uid=1000, gid=1000, uname="app", gname="app"))
    assert "PACKER-NAMED" not in findings_of(run_cli, forge_archive(mine, name="mine.tar"))
    theirs = holding(forge.file("home/app/x", "x", uid=1000, gid=1000, uname="jane", gname="app"))
    told = findings_of(run_cli, forge_archive(theirs, name="theirs.tar"))["PACKER-NAMED"]["message"]
    assert told == "entries of layer L2 belong to jane:app (1000:1000), whom the image does not know"


PLAIN = ("--owner=0", "--group=0", "--numeric-owner")


@pytest.mark.parametrize("kind", ["docker-archive", "oci-archive"])
def test_times_of_packing_are_told_where_they_are_no_times_of_the_image(
    kind: str, run_cli: Run, forge_archive: Make, tmp_path: Path
) -> None:
    """The image was made on 2024-01-01; zeros, its own time and a clock that went back say nothing of the packing."""
    archive = forge_archive("hello", kind=kind)
    assert "ARCHIVE-FRAMING" not in findings_of(run_cli, archive)
    for time, told in (("@0", False), ("2024-01-01T12:00Z", False), ("2020-01-01", False), ("2024-04-10T00:00Z", True)):
        packed = repacked(archive, tmp_path / f"{time[:10]}.tar", f"--mtime={time}", *PLAIN)
        found = findings_of(run_cli, packed)
        assert ("ARCHIVE-FRAMING" in found) == told, time
    finding = found["ARCHIVE-FRAMING"]
    assert finding["severity"] == "info" and "up to 100 days after the image was made" in finding["message"]


@pytest.mark.parametrize("cut", [1024, 512])
def test_an_end_that_is_missing_is_told(cut: int, run_cli: Run, forge_archive: Make, tmp_path: Path) -> None:
    """dockerd 20.10, skopeo, GNU tar and Python take both; one block of zeros at the end still ends it."""
    archive = forge_archive("hello")
    with tarfile.open(archive) as tar:
        last = tar.getmembers()[-1]
    end = last.offset_data + -(-last.size // 512) * 512
    short = tmp_path / "short.tar"
    short.write_bytes(archive.read_bytes()[: end + 1024 - cut])
    assert subprocess.run(["tar", "-tf", short], capture_output=True, check=False).returncode == 0
    found = findings_of(run_cli, short)
    assert ("ARCHIVE-FRAMING" in found) == (cut == 1024)
    if cut == 1024:
        assert "without the blocks of zeros that end a tar" in found["ARCHIVE-FRAMING"]["message"]
        assert found["ARCHIVE-FRAMING"]["locations"][0]["archive_offset"] == end


def test_padding_that_holds_something_is_told(run_cli: Run, forge_archive: Make, tmp_path: Path) -> None:
    archive = forge_archive("hello")
    data = bytearray(archive.read_bytes())
    with tarfile.open(archive) as tar:
        member = tar.getmember("manifest.json")
    at = member.offset_data + member.size
    data[at : at + 9] = b"left over"
    odd = tmp_path / "padding.tar"
    odd.write_bytes(data)
    finding = findings_of(run_cli, odd)["ARCHIVE-FRAMING"]
    assert finding["message"] == (
        "the padding behind 1 member of the archive is not zero: no reader shows these 9 bytes"
    )
    assert finding["locations"][0]["member"] == "manifest.json"


def linked(archive: Path, target: Path, *, before: bool) -> Path:
    """The archive with its layer behind a hard link that stands before or behind its target."""
    with tarfile.open(archive) as source, tarfile.open(target, "w", format=tarfile.USTAR_FORMAT) as copy:
        for member in source:
            data = source.extractfile(member).read() if member.isfile() else b""  # type: ignore[union-attr]
            if not member.name.endswith("/layer.tar"):
                copy.addfile(member, io.BytesIO(data))
                continue
            link = tarfile.TarInfo(member.name)
            link.type, link.linkname = tarfile.LNKTYPE, "the-bytes.tar"
            real = tarfile.TarInfo("the-bytes.tar")
            real.size = len(data)
            for one in (link, real) if before else (real, link):
                copy.addfile(one, io.BytesIO(data) if one is real else None)
    return target


def test_a_link_before_its_target_is_refused_by_who_unpacks_in_order(
    run_cli: Run, forge_archive: Make, tmp_path: Path
) -> None:
    """Measured: docker 20.10 with this text, GNU tar with `Cannot hard link to`; the other order loads."""
    archive = forge_archive("hello")
    early = linked(archive, tmp_path / "early.tar", before=True)
    late = linked(archive, tmp_path / "late.tar", before=False)
    (tmp_path / "out").mkdir()
    for one, code in ((early, 2), (late, 0)):
        words = ["tar", "-xf", one, "-C", tmp_path / "out", "--overwrite"]
        assert subprocess.run(words, capture_output=True, check=False).returncode == code
    finding = findings_of(run_cli, early)["ODD-DOCUMENTS"]
    assert "stands before its target the-bytes.tar" in finding["message"]
    assert "ODD-DOCUMENTS" not in findings_of(run_cli, late)

    def docker(path: Path) -> LoadAnswer:
        with imagepeel.open(path) as opened:
            return next(one for one in opened.image().loadable() if one.label == "docker@20.10 (own store)")

    assert docker(late).takes
    with tarfile.open(early) as tar:
        link = next(member for member in tar.getnames() if member.endswith("/layer.tar"))
    assert docker(early).text == (
        f"Error processing tar file(exit status 1): link /the-bytes.tar /{link}: no such file or directory"
    )


def test_an_index_that_only_one_archive_has_is_named(run_cli: Run, forge_archive: Make) -> None:
    """The containerd store shows the index's digest as the id: one image, two ids."""
    from imagepeel.forge.layout import index
    from imagepeel.forge.specimens import sound

    flat = forge_archive(sound(), name="flat.tar", kind="oci-archive")
    deep = forge_archive(index(sound(), names="demo:1"), name="deep.tar", kind="oci-archive")
    facts = json.loads(run_cli("diff", flat, deep, "--json").stdout)["result"]["files"]["facts"]
    (fact,) = [each for each in facts if each["what"] == "index"]
    listed = subprocess.run(["tar", "-xOf", deep, "index.json"], capture_output=True, check=True).stdout
    assert (fact["before"], fact["after"]) == ("none", json.loads(listed)["manifests"][0]["digest"])
    assert "digest of the index: none and sha256:" in run_cli("diff", flat, deep).stdout
