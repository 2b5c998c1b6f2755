"""What is not in an archive is not known: no command, code, column or sentence takes it for nothing."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import imagepeel
from imagepeel import forge
from imagepeel.archive.source import MemorySource
from imagepeel.findings.example import archive_of
from imagepeel.forge.image import Fault
from imagepeel.forge.layout import index
from imagepeel.forge.specimens import sound
from missing import READERS, blobs, without

Run = Callable[..., Any]
Case = Callable[[str, str], Path]
Make = Callable[..., Path]

DOCUMENTS = [
    ("real-images", "manifest-missing.tar", "manifest"),
    ("real-images", "config-missing.tar", "config"),
]
NOTHING = (
    "has no layers",
    "no command specified",
    "has no history",
    "100.0 %",
    "No file is shipped in vain",
    "hold no state",
    "There is no shell",
    "Nothing did",
    "FAILS",
    "RUNS",
)
"""What was said of images without a manifest, and what is said of every image that lacks its config."""
BY_LAYERS = ("100.0 %", "No file is shipped in vain", "There is no shell")
"""Of these, what layers prove: true where they are here."""


@pytest.mark.parametrize("words", READERS, ids=" ".join)
@pytest.mark.parametrize(("family", "name", "part"), DOCUMENTS)
def test_a_missing_document_ends_every_command_with_14(
    family: str, name: str, part: str, words: tuple[str, ...], case: Case, run_cli: Run
) -> None:
    done = run_cli(*words, case(family, name))
    assert done.exit_code == 14
    assert f"the {part} " in done.stderr and "is not in the archive" in done.stderr
    said = [text for text in NOTHING if text in done.stdout]
    assert not [text for text in said if part == "manifest" or text not in BY_LAYERS]


@pytest.mark.parametrize("name", ["missing-manifest", "missing-config"])
def test_the_start_of_an_image_without_documents_is_unknown(name: str, case: Case, run_cli: Run) -> None:
    """Judges A4."""
    layout = case("judges", name)
    done = run_cli("process", "--json", layout)
    verdict = json.loads(done.stdout)["result"]["prediction"]["verdict"]
    assert (done.exit_code, verdict["kind"]) == (14, "UNKNOWN")
    assert "is not in the archive" in verdict["reason"]
    matrix = json.loads(run_cli("process", "--matrix", "--json", layout).stdout)["result"]
    assert {cell["verdict"]["kind"] for cell in matrix["cells"]} == {"UNKNOWN"}


@pytest.mark.parametrize("part", ["manifest", "config", "L2"])
@pytest.mark.parametrize("command", ["extract", "flatten", "bundle"])
def test_what_writes_writes_nothing_of_an_image_that_is_not_whole(
    part: str, command: str, forge_archive: Make, run_cli: Run, tmp_path: Path
) -> None:
    whole = forge_archive("shop", kind="oci-archive")
    archive = without(whole, blobs(whole)[part], tmp_path / "part.tar")
    out = tmp_path / "out"
    where = ["-o", out] if command == "flatten" else [out]
    done = run_cli(command, archive, *where)
    assert done.exit_code == 14
    assert not out.exists()


@pytest.mark.parametrize("best_effort", [True, False])
def test_the_api_writes_nothing_either(best_effort: bool, forge_archive: Make, tmp_path: Path) -> None:
    whole = forge_archive("shop", kind="oci-archive")
    archive = without(whole, blobs(whole)["manifest"], tmp_path / "part.tar")
    with imagepeel.open(archive) as opened:
        image = opened.image()
        with pytest.raises(imagepeel.MissingBlob, match="is not in the archive"):
            image.extract(tmp_path / "out", best_effort=best_effort)
        with pytest.raises(imagepeel.MissingBlob, match="is not in the archive"):
            image.flatten(tmp_path / "out.tar", best_effort=best_effort)
    assert not (tmp_path / "out").exists() and not (tmp_path / "out.tar").exists()


def test_best_effort_writes_the_layers_of_an_image_without_config_and_still_says_so(
    forge_archive: Make, run_cli: Run, tmp_path: Path
) -> None:
    whole = forge_archive("shop", kind="oci-archive")
    archive = without(whole, blobs(whole)["config"], tmp_path / "part.tar")
    done = run_cli("extract", "--best-effort", archive, tmp_path / "out")
    assert done.exit_code == 14
    assert (tmp_path / "out" / "etc" / "passwd").is_file()


def test_json_has_null_where_nobody_knows(case: Case, run_cli: Run) -> None:
    row = json.loads(run_cli("images", "--json", case("real-images", "manifest-missing.tar")).stdout)["result"]
    assert [(image["layers"], image["blob_size"], image["complete"]) for image in row["images"]] == [
        (None, None, False)
    ]
    views = json.loads(run_cli("views", "--json", case("real-images", "manifest-missing.tar")).stdout)["result"]
    assert views["agree"] is None
    assert [gap["part"] for gap in views["image"]["not_known"]] == ["manifest"]
    waste = json.loads(run_cli("waste", "--json", case("real-images", "manifest-missing.tar")).stdout)["result"]
    assert waste["efficiency"] is None


def test_a_missing_layer_is_null_in_its_row_and_in_those_above(
    forge_archive: Make, run_cli: Run, tmp_path: Path
) -> None:
    whole = forge_archive("shop", kind="oci-archive")
    archive = without(whole, blobs(whole)["L2"], tmp_path / "part.tar")
    done = run_cli("layers", "--json", archive)
    assert done.exit_code == 0
    rows = json.loads(done.stdout)["result"]["layers"]
    assert (rows[1]["content_size"], rows[1]["entries"]) == (None, None)
    assert rows[0]["added"] is not None
    # What a layer changes shows against all below it.
    assert {row["added"] for row in rows[1:]} == {None}


@pytest.mark.parametrize("command", ["cat", "trace", "ls"])
def test_a_path_that_may_be_in_a_missing_layer_is_not_called_absent(
    command: str, forge_archive: Make, run_cli: Run, tmp_path: Path
) -> None:
    whole = forge_archive("shop", kind="oci-archive")
    archive = without(whole, blobs(whole)["L2"], tmp_path / "part.tar")
    done = run_cli(command, archive, "/no/such/path")
    assert done.exit_code == 14
    assert "layers that are here" in done.stderr and "L2 is not in the archive" in done.stderr


def test_two_images_with_the_same_missing_layer_are_the_same(forge_archive: Make, run_cli: Run, tmp_path: Path) -> None:
    whole = forge_archive("shop", kind="oci-archive")
    part = without(whole, blobs(whole)["L2"], tmp_path / "part.tar")
    same = json.loads(run_cli("diff", part, part, "--json").stdout)["result"]
    assert same["different"] is False


def test_a_config_that_only_one_side_has_is_not_a_difference(forge_archive: Make, run_cli: Run, tmp_path: Path) -> None:
    whole = forge_archive("shop", kind="oci-archive")
    part = without(whole, blobs(whole)["config"], tmp_path / "part.tar")
    done = run_cli("diff", whole, part, "--json")
    result = json.loads(done.stdout)["result"]
    assert done.exit_code == 14
    assert (result["config"], result["process"]) == (None, None)


def test_wtf_of_a_missing_document_says_so_and_check_fails_or_ends_with_14(
    forge_archive: Make, run_cli: Run, tmp_path: Path
) -> None:
    whole = forge_archive("shop", kind="oci-archive")
    part = without(whole, blobs(whole)["config"], tmp_path / "part.tar")
    assert run_cli("check", part).exit_code == 1
    assert run_cli("check", part, "--fail-on", "none").exit_code == 14


def test_an_archive_that_was_cut_off_ends_with_11(forge_archive: Make, run_cli: Run, tmp_path: Path) -> None:
    whole = forge_archive("shop", kind="oci-archive")
    part = without(whole, blobs(whole)["manifest"], tmp_path / "part.tar")
    data = part.read_bytes()
    # Without the end blocks and half of the last member, which is not one that reading starts at.
    last = max(data.rfind(b"oci-layout"), data.rfind(b"index.json"))
    assert last > 0
    cut = tmp_path / "cut.tar"
    layer = blobs(whole)["L1"].encode()
    at = data.find(layer)
    index = data.find(b"index.json")
    moved = data[index : index + 512 + ((int(data[index + 124 : index + 135], 8) + 511) // 512) * 512]
    cut.write_bytes(moved + data[: at + 700])
    done = run_cli("layers", cut)
    assert done.exit_code == 11
    assert "the archive ends inside the member" in done.stderr


@pytest.mark.parametrize("part", ["L1", "L2", "L6", "L8"])
def test_a_step_of_a_start_does_not_say_no_where_a_layer_is_missing(
    part: str, forge_archive: Make, run_cli: Run, tmp_path: Path
) -> None:
    """real-images 1: the lookup said `/hello does not exist`."""
    whole = forge_archive("shop", kind="oci-archive")
    archive = without(whole, blobs(whole)[part], tmp_path / "part.tar")
    done = run_cli("process", archive)
    assert "UNKNOWN" in done.stdout and f"{part} is not in the archive" in done.stdout
    said = done.stdout + run_cli("explain", archive).stdout
    assert not [words for words in ("does not exist", "not found", "no directory of PATH") if words in said]
    found = json.loads(run_cli("process", "--json", archive).stdout)["result"]["prediction"]
    for step in found["steps"]:
        assert step.get("outcome", "ok") in ("ok", "unknown"), step
        for one in step.get("candidates", ()):
            assert one["outcome"] in ("taken", "unknown", "skipped"), one


def test_a_library_that_a_missing_layer_may_have_is_not_called_missing(
    forge_archive: Make, run_cli: Run, tmp_path: Path
) -> None:
    whole = forge_archive("no-library", kind="oci-archive")
    assert "not found" in run_cli("process", whole, "--verbose").stdout
    parts = [name for name in blobs(whole) if name.startswith("L")]
    for part in parts:
        archive = without(whole, blobs(whole)[part], tmp_path / "part.tar")
        done = run_cli("process", archive)
        assert done.exit_code == 14 and "not found" not in done.stdout, part


@pytest.mark.parametrize("words", [("process",), ("process", "--matrix"), ("process", "--json")], ids=" ".join)
def test_a_start_that_a_missing_layer_decides_ends_with_14(
    words: tuple[str, ...], forge_archive: Make, run_cli: Run, tmp_path: Path
) -> None:
    whole = forge_archive("shop", kind="oci-archive")
    done = run_cli(*words, without(whole, blobs(whole)["L2"], tmp_path / "part.tar"))
    assert done.exit_code == 14
    assert "error: how it starts is not known: L2 is not in the archive" in done.stderr


@pytest.mark.parametrize("words", [words for words in READERS if words[0] != "process"], ids=" ".join)
def test_what_tells_of_the_layers_that_are_here_ends_with_0(
    words: tuple[str, ...], forge_archive: Make, run_cli: Run, tmp_path: Path
) -> None:
    whole = forge_archive("shop", kind="oci-archive")
    done = run_cli(*words, without(whole, blobs(whole)["L2"], tmp_path / "part.tar"))
    assert done.exit_code == 0
    assert words[0] in ("images", "wtf") or "L2" in done.stderr


@pytest.mark.parametrize("name", [name for name in forge.NAMES if not name.startswith("attack-")][:12])
def test_a_layer_that_refuses_alone_or_is_not_asked_for_is_no_missing_answer(
    name: str, forge_archive: Make, run_cli: Run
) -> None:
    """What is here whole never ends with 14, whatever becomes of its start."""
    with imagepeel.open(path := forge_archive(name)) as archive:
        whole = archive.image().complete
    assert (run_cli("process", path).exit_code == 14) is (not whole)


@pytest.mark.parametrize("kind", ["oci-archive", "docker-archive", "docker-save-25", "podman-archive", "docker-v1.0"])
@pytest.mark.parametrize("command", ["images", "loadable"])
def test_a_cut_archive_of_any_kind_ends_with_11(
    kind: str, command: str, forge_archive: Make, run_cli: Run, tmp_path: Path
) -> None:
    whole = forge_archive("shop", kind=kind).read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[: len(whole) * 6 // 10])
    done = run_cli(command, tmp_path / "cut.tar")
    assert done.exit_code == 11
    assert done.stderr.count("ends inside the member") == 1


# ---- several images, one answer ------------------------------------------------------------------------------


OTHERS = "1 of 2 images was examined, #1: not #2 (linux/s390x)"
ONE_OF_THEM: tuple[tuple[str, ...], ...] = (
    *((*words, "ARCHIVE") for words in READERS if words != ("images",)),
    ("loadable", "--image", "#1", "ARCHIVE"),
    ("check", "ARCHIVE", "--platform", "linux/amd64"),
    ("check", "ARCHIVE", "--platform", "linux/amd64", "--format", "github"),
    ("trace", "ARCHIVE", "/etc/passwd"),
    ("trace", "ARCHIVE", "/not/there"),
    ("blame", "ARCHIVE", "/etc/passwd"),
    ("log", "ARCHIVE", "/etc/passwd"),
    ("cat", "ARCHIVE", "/etc/passwd"),
    ("diff", "ARCHIVE", "ARCHIVE"),
    ("extract", "ARCHIVE", "OUT"),
    ("flatten", "ARCHIVE", "-o", "OUT"),
    ("bundle", "ARCHIVE", "OUT"),
)


@pytest.fixture
def two_platforms(tmp_path: Path) -> Path:
    path = tmp_path / "two.tar"
    path.write_bytes(archive_of(index(sound(), sound(architecture="s390x"), names="demo:1")))
    return path


@pytest.mark.parametrize("words", ONE_OF_THEM, ids=" ".join)
def test_one_line_says_which_platforms_an_answer_is_not_about(
    words: tuple[str, ...], two_platforms: Path, run_cli: Run, tmp_path: Path
) -> None:
    names = {"ARCHIVE": two_platforms, "OUT": tmp_path / "out"}
    chosen = () if "--image" in words or "--platform" in words or words[0] == "diff" else ("--platform", "linux/amd64")
    done = run_cli(*(names.get(word, word) for word in (*words, *chosen)))
    told = " ".join((done.stdout + done.stderr).split())
    assert told.count(OTHERS) == (2 if words[0] == "diff" else 1)


@pytest.mark.parametrize("words", [("check",), ("loadable",), ("images",)], ids=" ".join)
def test_what_tells_of_all_platforms_leaves_none_out(words: tuple[str, ...], two_platforms: Path, run_cli: Run) -> None:
    done = run_cli(*words, two_platforms)
    assert "examined" not in done.stdout + done.stderr


def test_images_past_a_bound_of_the_gate_are_named(run_cli: Run, tmp_path: Path) -> None:
    path = tmp_path / "many.tar"
    path.write_bytes(archive_of(index(*[sound(architecture=f"m{i}", user=str(i)) for i in range(66)], names="demo:1")))
    for form in ("text", "github"):
        done = run_cli("check", path, "--image", "#1", "--format", form)
        assert "1 of 66 images was examined, #1: not #2 (linux/m1), #3 (linux/m2)" in done.stdout
    rows = json.loads(run_cli("process", path, "--image", "#66", "--json").stdout)["result"]["image"]
    assert rows["not_examined"][0] == "#1 (linux/m0)" and len(rows["not_examined"]) == 65


def test_a_tag_beside_a_tag_is_no_other_image(run_cli: Run, forge_archive: Make) -> None:
    done = run_cli("layers", forge_archive("shop", kind="docker-archive"))
    assert "examined" not in done.stdout + done.stderr


# ---- an archive that was cut off -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [
        "docker-archive",
        "docker-v1.0",
        "docker-save-25",
        "podman-archive",
        "crane",
        "kaniko",
        "jib",
        "rules-oci",
        "apko",
    ],
)
def test_nothing_is_known_of_an_archive_that_is_cut_before_what_names_its_image(kind: str, forge_archive: Make) -> None:
    """Also between two members, where only the end blocks are missing: then no member is cut."""
    data = forge_archive("shop", kind=kind).read_bytes()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        members = tar.getmembers()
    naming = {"manifest.json", "index.json", "repositories"}
    first = next(at for at, member in enumerate(members) if member.name in naming)
    for member in members[1 : first + 1]:
        with imagepeel.open(MemorySource(data[: member.offset], "cut.tar")) as archive:
            assert archive.cut is not None, (kind, member.name)
            (image,) = archive.images()
            assert not image.knowledge.layer_list and image.process().verdict.kind == "UNKNOWN", (kind, member.name)


def test_a_save_by_id_of_before_1_10_has_no_repositories_and_is_whole(forge_archive: Make, tmp_path: Path) -> None:
    part = without(forge_archive("hello", kind="docker-v1.0"), "repositories", tmp_path / "part.tar")
    with imagepeel.open(part) as archive:
        assert archive.cut is None and archive.kind == "docker-v1"
        assert archive.image().knowledge.whole


def test_a_cut_export_ends_every_command_with_11(forge_archive: Make, run_cli: Run, tmp_path: Path) -> None:
    data = forge_archive("shop", kind="rootfs").read_bytes()
    (tmp_path / "cut.tar").write_bytes(data[: data.index(b"etc/passwd\0") + 520])
    for command in ("images", "layers", "process", "loadable", "views"):
        assert run_cli(command, tmp_path / "cut.tar").exit_code == 11, command


# ---- what two documents say of one thing ---------------------------------------------------------------------


def edited(path: Path, member: str, old: bytes, new: bytes, folder: Path) -> Path:
    """Write a copy of a tar into a folder, with other bytes of the same length in one member."""
    assert len(old) == len(new)
    with tarfile.open(path) as tar:
        info = tar.getmember(member)
    data = bytearray(path.read_bytes())
    content = bytes(data[info.offset_data : info.offset_data + info.size])
    assert content.count(old) >= 1
    data[info.offset_data : info.offset_data + info.size] = content.replace(old, new)
    target = folder / f"{member.rpartition('/')[2]}.tar"
    target.write_bytes(data)
    return target


def told(run_cli: Run, path: Path, rule: str) -> list[str]:
    found = json.loads(run_cli("wtf", path, "--json").stdout)["result"]["findings"]
    return [each["message"] for each in found if each["rule"] == rule]


def test_the_list_and_the_index_name_one_image_differently(run_cli: Run, forge_archive: Make, tmp_path: Path) -> None:
    path = forge_archive("shop", kind="docker-save-25")
    assert not told(run_cli, path, "DOCUMENTS-DISAGREE")
    other = edited(path, "manifest.json", b"shop:1.4", b"shop:9.9", tmp_path)
    (message,) = told(run_cli, other, "DOCUMENTS-DISAGREE")
    assert message.startswith("manifest.json names it shop:9.9, ") and "shop:1.4" in message


@pytest.mark.parametrize("kind", ["docker-save-25", "docker-containerd", "buildx-oci", "oci-archive", "podman-archive"])
def test_the_names_that_tools_write_agree(kind: str, run_cli: Run, forge_archive: Make) -> None:
    assert not told(run_cli, forge_archive("shop", kind=kind), "DOCUMENTS-DISAGREE")


def test_an_annotation_and_a_label_of_one_key_are_compared(run_cli: Run, tmp_path: Path) -> None:
    key = "org.opencontainers.image.revision"
    for label, rules in (("abc", 0), ("abd", 1)):
        path = tmp_path / f"{label}.tar"
        forge.write(sound(labels={key: label}, annotations={key: "abc"}), path, kind="oci-archive")
        assert len(told(run_cli, path, "DOCUMENTS-DISAGREE")) == rules


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (b'"os":"linux"', b'"os":"macos"', "the index says macos/amd64, the config linux/amd64"),
        (b'"architecture":"amd64"', b'"architecture":"s390x"', "the index says linux/s390x, the config linux/amd64"),
    ],
)
def test_the_platform_of_the_index_is_held_against_the_config(
    old: bytes, new: bytes, says: str, run_cli: Run, tmp_path: Path
) -> None:
    path = tmp_path / "image.tar"
    path.write_bytes(archive_of(index(sound(), names="demo:1")))
    with tarfile.open(path) as tar:
        documents = [one.name for one in tar if one.isfile() and b'"platform"' in tar.extractfile(one).read()]  # type: ignore[union-attr]
    assert documents
    for name in documents:
        path = edited(path, name, old, new, tmp_path)
    done = run_cli("wtf", path, "--json", "--no-verify", "--image", "#1")
    found = json.loads(done.stdout)["result"]["findings"]
    assert [each["message"] for each in found if each["rule"] == "PLATFORM-DISAGREES"] == [says]


# ---- what writes ---------------------------------------------------------------------------------------------


WRITERS = (("extract", "OUT"), ("flatten", "-o", "OUT"), ("bundle", "OUT"), ("bundle", "OUT", "--rootfs"))
BROKEN: list[tuple[str, object, int]] = [
    ("layer-bytes", None, 12), ("layer-size", None, 12), ("diff-id", None, 12), ("diff-id-count", 1, 14),
    ("config-bytes", None, 12), ("config-missing", None, 14), ("config-size", None, 12),
    ("config-text", b'{"os":"linux"', 11), ("manifest-bytes", None, 12), ("manifest-missing", None, 14),
    ("manifest-text", b"{", 11),
]  # fmt: skip


@pytest.mark.parametrize("words", WRITERS, ids=" ".join)
@pytest.mark.parametrize(("fault", "value", "code"), BROKEN, ids=[fault for fault, *_ in BROKEN])
def test_what_writes_fails_before_it_writes(
    fault: Any, value: object, code: int, words: tuple[str, ...], run_cli: Run, tmp_path: Path
) -> None:
    path, out = tmp_path / "image.tar", tmp_path / "out"
    forge.write(sound(faults=[Fault(kind=fault, value=value)]), path, kind="oci-archive")
    done = run_cli(words[0], path, *(out if word == "OUT" else word for word in words[1:]))
    assert (done.exit_code, out.exists()) == (code, False)


@pytest.mark.parametrize("words", WRITERS, ids=" ".join)
@pytest.mark.parametrize("eighths", [2, 5, 7])
def test_what_writes_ends_with_11_for_a_cut_archive(
    eighths: int, words: tuple[str, ...], run_cli: Run, forge_archive: Make, tmp_path: Path
) -> None:
    data = forge_archive("shop", kind="docker-archive").read_bytes()
    path, out = tmp_path / "cut.tar", tmp_path / "out"
    path.write_bytes(data[: len(data) * eighths // 8])
    done = run_cli(words[0], path, *(out if word == "OUT" else word for word in words[1:]))
    assert (done.exit_code, out.exists()) == (11, False)


@pytest.mark.parametrize("kind", ["rootfs", "layer"])
def test_a_tar_without_end_blocks_may_be_the_start_of_one(
    kind: str, run_cli: Run, forge_archive: Make, tmp_path: Path
) -> None:
    """Go reads it to its end without a word, so it is no damage."""
    path = tmp_path / "image.tar"
    forge.write(sound(), path, kind=kind)  # type: ignore[arg-type]
    data = path.read_bytes()
    with tarfile.open(path) as tar:
        last = tar.getmembers()[-2]
    for cut, told in ((data, 0), (data[: last.offset], 1)):
        path.write_bytes(cut)
        done = run_cli("layers", path)
        assert (done.exit_code, done.stderr.count("nobody can tell whether it is whole")) == (0, told)
