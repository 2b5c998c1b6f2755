"""Notes about views on forged images: each code earned, and not earned by the harmless neighbour."""

from __future__ import annotations

from pathlib import Path

import pytest

import imagepeel
from imagepeel import forge
from imagepeel.findings.semantics.codes import CODES, MOST
from imagepeel.findings.semantics.compare import compare
from imagepeel.findings.semantics.notes import notes
from imagepeel.forge import seekable


def codes(tmp_path: Path, *layers: forge.LayerSpec, kind: str = "oci-archive", deep: bool = False) -> dict[str, str]:
    """Code -> first message of an image of these layers."""
    path = forge.write(forge.image(*layers), tmp_path / "image.tar", kind=kind)
    with imagepeel.open(path) as archive:
        found: dict[str, str] = {}
        for note in notes(archive.image(), deep=deep):
            found.setdefault(note.code, note.message)
        return found


def test_a_plain_image_earns_nothing(tmp_path: Path) -> None:
    base = forge.layer(
        forge.directory("usr"),
        forge.directory("usr/bin"),
        forge.file("usr/bin/tool", "x"),
        forge.symlink("bin", "usr/bin"),
    )
    top = forge.layer(forge.directory("usr"), forge.file("usr/readme", "y"), forge.hardlink("usr/again", "usr/readme"))
    assert codes(tmp_path, base, top, deep=True) == {}


def test_resurrection_needs_a_directory_that_is_not_opaque(tmp_path: Path) -> None:
    base = forge.layer(forge.directory("d"), forge.file("d/old", "secret"))
    again = (forge.whiteout("d"), forge.directory("d"))
    found = codes(tmp_path, base, forge.layer(*again), deep=True)
    assert "such as old" in found["RESURRECT"] and "ROOTLESS" in found
    assert set(codes(tmp_path, base, forge.layer(*again, forge.opaque("d")), deep=True)) == {"DELETEDBYTES"}


def test_resurrection_through_a_layer_that_only_changes_the_directory(tmp_path: Path) -> None:
    """What comes back may lie two layers down: the merged directory counts, and not its topmost header alone."""
    base = forge.layer(forge.directory("d"), forge.file("d/old", "secret"))
    between = forge.layer(forge.directory("d", mode=0o700))
    again = forge.layer(forge.whiteout("d"), forge.directory("d"))
    assert "such as old" in codes(tmp_path, base, between, again, deep=True)["RESURRECT"]


def test_hardlink_headers_that_differ(tmp_path: Path) -> None:
    one = forge.file("a", "x", mode=0o644)
    assert "LINKMETA" not in codes(tmp_path, forge.layer(one, forge.hardlink("b", "a", mode=0o644)))
    found = codes(tmp_path, forge.layer(one, forge.hardlink("b", "a", mode=0o4755)))
    assert "4755" in found["LINKMETA"]


def test_an_explicit_directory_over_a_link_is_wanted_unless_it_breaks_merged_usr(tmp_path: Path) -> None:
    def stack(name: str, target: str) -> dict[str, str]:
        base = forge.layer(forge.directory("usr"), forge.directory("usr/x"), forge.symlink(name, target))
        return codes(tmp_path, base, forge.layer(forge.directory(name), forge.file(f"{name}/f", "x")))

    assert "LINKSHADOW" in stack("lib", "usr/x")
    assert "LINKSHADOW" not in stack("other", "usr/x")


def test_names_that_collide_over_layers(tmp_path: Path) -> None:
    base = forge.layer(forge.directory("D"), forge.file("D/Readme", "x"))
    assert "CASE" in codes(tmp_path, base, forge.layer(forge.file("D/README", "y")))
    assert "CASE" in codes(tmp_path, base, forge.layer(forge.file("d/f", "y")))
    gone = forge.layer(forge.whiteout("D/Readme"), forge.file("D/README", "y"))
    assert "CASE" not in codes(tmp_path, base, gone)


@pytest.mark.parametrize(
    ("uid", "words"),
    [(1 << 32, "wraps to 0"), ((1 << 32) - 1, "leave it"), ((1 << 32) + 5, "wraps to 5"), (1 << 31, "-2147483648")],
)
def test_owners_that_mean_something_else(tmp_path: Path, uid: int, words: str) -> None:
    assert words in codes(tmp_path, forge.layer(forge.file("f", "x", uid=uid)))["UIDWRAP"]
    assert "UIDWRAP" not in codes(tmp_path, forge.layer(forge.file("f", "x", uid=(1 << 31) - 1)))


def test_control_characters_in_names_directories_and_targets(tmp_path: Path) -> None:
    for entry in (
        forge.file("a\x1b[31m", "x"),
        forge.file("d\r/plain", "x"),
        forge.symlink("l", "safe\u202egpj.exe"),
        forge.file("c1\x9b", "x"),
    ):
        assert "CTRLCHAR" in codes(tmp_path, forge.layer(entry)), entry
    assert "CTRLCHAR" not in codes(tmp_path, forge.layer(forge.file("zażółć", "x"), forge.file(b"\xff\xfe", "x")))


def test_many_places_of_one_kind_are_counted_and_few_are_listed(tmp_path: Path) -> None:
    entries = [forge.file(f"f{i}", "x", uid=1 << 32) for i in range(100)]
    path = forge.write(forge.image(forge.layer(*entries)), tmp_path / "many.tar")
    with imagepeel.open(path) as archive:
        found = [note for note in notes(archive.image()) if note.code == "UIDWRAP"]
    assert len(found) == MOST
    assert found[-1].more == 100 - MOST
    assert [note.where.path for note in found] == [f"/f{i}" for i in range(MOST)]


def test_a_whiteout_with_content_hides_bytes(tmp_path: Path) -> None:
    base = forge.layer(forge.file("f", "x"))
    assert "7 bytes" in codes(tmp_path, base, forge.layer(forge.file(".wh.f", "smuggle")))["HIDDENTAIL"]


@pytest.mark.parametrize("make", [seekable.estargz, seekable.zstd_chunked])
def test_a_table_of_contents_that_tells_another_story(tmp_path: Path, make: object) -> None:
    entries = (forge.file("a", "hello"), forge.directory("d"), forge.file("d/b", "x" * 100), forge.symlink("l", "a"))
    honest = codes(tmp_path, make(*entries))  # type: ignore[operator]
    assert "TOCDIFF" not in honest
    lying = codes(tmp_path, make(*entries, lie=True))  # type: ignore[operator]
    assert "table of contents" in lying["TOCDIFF"]
    if make is seekable.estargz:
        assert "STARGZ" in honest and "HIDDENTAIL" not in honest


def test_a_label_that_does_not_fit_the_bytes(tmp_path: Path) -> None:
    wrong = forge.layer(forge.file("f", "x"), compression="gzip", media_type="application/vnd.oci.image.layer.v1.tar")
    assert (
        "never" in codes(tmp_path, wrong)["MEDIATYPE"] or "does not decompress" in codes(tmp_path, wrong)["MEDIATYPE"]
    )


def test_comparison_names_the_view_the_path_and_the_reason(tmp_path: Path) -> None:
    base = forge.layer(forge.directory("tmp", mode=0o1777), forge.file("tmp/x", "x"))
    top = forge.layer(forge.file("tmp/y", "y"))
    path = forge.write(forge.image(base, top), tmp_path / "image.tar")
    with imagepeel.open(path) as archive:
        found = compare(archive.image())
    assert [difference.path for difference in found.differences] == ["/tmp"]
    shown = found.differences[0].shown
    modes = {view: facts.mode for view, facts in shown.items() if facts is not None}
    assert modes == {"runtime": 0o1777, "spec": 0o1777, "sequential": 0o1777, "docker": 0o755, "podman": 0o755}
    assert found.differences[0].codes == ("IMPLIEDATTR",)
    assert not found.agree and not found.refusals


def test_comparison_says_who_refuses(tmp_path: Path) -> None:
    base = forge.layer(forge.file("a", "x"))
    path = forge.write(forge.image(base, forge.layer(forge.hardlink("b", "a"))), tmp_path / "image.tar")
    with imagepeel.open(path) as archive:
        found = compare(archive.image())
    assert set(found.refusals) == {"runtime", "docker", "podman"}
    assert all(refusal.layer == 1 and refusal.entry == 0 for refusal in found.refusals.values())
    assert {note.code for note in found.notes} == {"XLINK", "ROOTLESS"}


def test_every_code_has_its_section_in_order() -> None:
    page = Path(__file__).parents[3] / "docs" / "reference" / "view-codes.md"
    sections = [line[3:] for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("## ")]
    assert sections == list(CODES)
