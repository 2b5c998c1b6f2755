"""Single lines of the cases' lists (said oddly, confusing to a reader, seen on the way) and of what operators met.

Each has its right words here; the lines that other modules of this folder test are not repeated.
"""

from __future__ import annotations

import io
import json
import re
import shlex
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagepeel import forge
from imagepeel.forge import Fault, programs
from imagepeel.forge.specimens import add, sound

Case = Callable[[str, str], Path]
Make = Callable[..., Path]
Run = Callable[..., Any]
REAL = "real-images"


def joined(text: str) -> str:
    return " ".join(text.split())


def found(run_cli: Run, archive: Path, *words: str) -> dict[str, dict[str, Any]]:
    told = json.loads(run_cli("wtf", archive, "--json", *words).stdout)
    return {each["rule"]: each for each in told["result"]["findings"]}


def chapter(run_cli: Run, archive: Path, number: int) -> str:
    """One chapter of the story, its words in one line."""
    story = run_cli("explain", archive).stdout
    return joined(re.split(r"\n\d  ", story)[number])


STEPS = [add(forge.file(f"f{number}", str(number)), by=f"RUN touch /f{number}") for number in range(3)]


def changed(archive: Path, target: Path, member: str, change: Callable[[Any], None]) -> Path:
    """A copy of the archive in which one JSON member is another."""
    with tarfile.open(archive) as source, tarfile.open(target, "w") as copy:
        for each in source:
            data = source.extractfile(each).read() if each.isfile() else b""  # type: ignore[union-attr]
            if each.name == member:
                document = json.loads(data)
                change(document)
                data = json.dumps(document).encode()
                each.size = len(data)
            copy.addfile(each, io.BytesIO(data))
    return target


def one_layer(document: list[dict[str, list[str]]]) -> None:
    document[0]["Layers"] = document[0]["Layers"][:1]


# ---- real-images 25: said oddly ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["no-interpreter", "no-exec-bit", "no-loader", "entrypoint-deleted"])
def test_what_does_not_start_would_run_as_somebody(name: str, run_cli: Run, forge_archive: Make) -> None:
    """`does not start`, and two lines on `It runs as 0:0`: 78 stories."""
    told = chapter(run_cli, forge_archive(name), 5)
    assert "It does not start" in told and "It would run as" in told and "It runs as" not in told


def test_a_config_that_no_digest_names_is_no_gap_in_the_sentence(run_cli: Run, forge_archive: Make) -> None:
    """`the config . The descriptor has no valid digest`."""
    whole = {"schemaVersion": 2, "config": {"mediaType": "application/vnd.oci.image.config.v1+json"}, "layers": []}
    faults = [Fault(kind="manifest-text", value=json.dumps(whole).encode())]
    told = chapter(run_cli, forge_archive(sound(faults=faults), name="unnamed.tar", kind="oci-archive"), 2)
    assert "Missing: the config. The descriptor has no valid digest." in told
    assert not re.search(r" [.,:;] ", told)


def test_one_blob_is_missing_once(case: Case, run_cli: Run) -> None:
    """Two descriptions name the config that is not there; both said so, one below the other."""
    assert chapter(run_cli, case(REAL, "two-images-false.tar"), 2).count("Missing: ") == 1


def test_the_words_of_the_specification_are_more_than_one(case: Case, run_cli: Run) -> None:
    told = chapter(run_cli, case(REAL, "huge.tar"), 4)
    assert "could be read by the words of the specification." in told and "specification shows" not in told


@pytest.mark.parametrize("kind", ["oci-archive", "docker-archive"])
def test_a_recipe_says_once_that_a_layer_cannot_be_told(kind: str, run_cli: Run, forge_archive: Make) -> None:
    """`# a layer that cannot be told, unknown, ` 13 times, and below each the same in a note."""
    spec = sound(*STEPS, faults=[Fault(kind="history-count", value=13)])
    told = run_cli("dockerfile", forge_archive(spec, name="more.tar", kind=kind)).stdout
    parts = told.split("\n\n")
    assert sum(part.startswith("# a layer, ") for part in parts) == 13 + 4
    assert all(part.count("cannot be told") == 1 for part in parts if part.startswith("# a layer, "))
    assert not [line for line in told.splitlines() if line != line.rstrip() or line.endswith(",")]


def test_a_hybrid_says_which_list_has_how_many(run_cli: Run, forge_archive: Make, tmp_path: Path) -> None:
    """`the manifest lists 1 layers` meant manifest.json; the OCI manifest, called `the manifest`, listed 4."""
    whole = forge_archive(sound(*STEPS, names="demo:1"), name="whole.tar", kind="docker-save-25")
    hybrid = changed(whole, tmp_path / "hybrid.tar", "manifest.json", one_layer)
    told = found(run_cli, hybrid)
    assert "LAYER-COUNT" not in told
    message = told["TWO-IMAGES"]["message"]
    assert "manifest.json and index.json" in message and message.endswith("different layers (1 and 4)")
    for words in (("explain",), ("wtf",), ("process",)):
        assert "the manifest lists 1" not in joined(run_cli(*words, hybrid).stdout)


@pytest.mark.parametrize(
    ("kind", "said", "refusing"),
    [("docker-archive", "manifest.json lists 1 layer", "engines refuse that"),
     ("oci-archive", "the manifest lists 4 layers", "Docker and containerd refuse that")],
)  # fmt: skip
def test_two_counts_are_told_once_with_both_in_the_proof(
    kind: str, said: str, refusing: str, run_cli: Run, forge_archive: Make, tmp_path: Path
) -> None:
    """LAYER-COUNT stood three times in one story, and its proof (`find -type f`) showed neither number.

    podman 4.3.1, skopeo 1.9.3 and buildah 1.28.2 were seen to take the layout.
    """
    docker = kind == "docker-archive"
    faults = [] if docker else [Fault(kind="diff-id-count", value=-1)]
    archive = forge_archive(sound(*STEPS, names="demo:1", faults=faults), name="count.tar", kind=kind)
    if docker:
        archive = changed(archive, tmp_path / "left.tar", "manifest.json", one_layer)
    listed, stated = (1, 4) if docker else (4, 3)
    story = run_cli("explain", archive).stdout
    assert joined(story).count("refuse that") == 1
    message = found(run_cli, archive)["LAYER-COUNT"]["message"]
    assert message.startswith(said) and message.endswith(f"the config {stated} DiffIDs; {refusing}")
    mine = run_cli("wtf", archive, "--receipts").stdout.partition("LAYER-COUNT")[2].partition("\n\n")[0]
    shown = [line.partition("proof  ")[2] for line in mine.splitlines() if line.lstrip().startswith("proof  ")]
    texts = [subprocess.run(["bash", "-c", line], capture_output=True, check=True).stdout for line in shown]
    documents = [json.loads(text) for text in texts]
    lists = [each for each in documents if isinstance(each, list) and each and isinstance(each[0], str)]
    manifest = documents[0][0]["Layers"] if docker else documents[0]["layers"]
    assert len(manifest) == listed and [len(each) for each in lists] == [stated]
    if not docker:
        # Nothing of the file is called manifest.json.
        assert "manifest.json lists" not in story + run_cli("process", archive, "--matrix").stdout


def test_the_count_names_who_refuses_as_loading_does(run_cli: Run, forge_archive: Make) -> None:
    spec = sound(*STEPS, names="demo:1", faults=[Fault(kind="diff-id-count", value=-1)])
    archive = forge_archive(spec, name="layout.tar", kind="oci-archive")
    loaded = json.loads(run_cli("loadable", archive, "--json").stdout)["result"]
    takes = {each["tool"].partition("@")[0]: each["outcome"] for each in loaded["images"][0]["answers"]}
    assert (takes["podman"], takes["containerd"], takes["buildah"]) == ("takes", "refuses", "takes")
    profiles = found(run_cli, archive)["LAYER-COUNT"]["profiles"]
    assert not any(each.startswith("podman") for each in profiles) and len(profiles) == 2


def test_a_place_names_the_document_that_it_is_in(case: Case, run_cli: Run) -> None:
    """`config /0/Layers` was said of a place in manifest.json."""
    told = joined(run_cli("process", case(REAL, "layer-left-out.tar"), "--verbose").stdout)
    assert "it cannot be loaded manifest.json /0/Layers" in told and "config /0" not in told
    assert "config /config/Cmd" in told


@pytest.mark.parametrize("kind", ["sigs", "atts"])
def test_what_cosign_calls_a_kind_is_called_so(kind: str) -> None:
    """`cosign/atts` are attestations; they were called signatures."""
    from imagepeel.archive.records import Format, ImageRecord, RecordKind

    record = ImageRecord(
        kind=RecordKind.COSIGN,
        formats=(Format(name="oci-layout"),),
        annotations={"kind": f"dev.cosignproject.cosign/{kind}"},
    )
    assert record.called[0] == {"sigs": "cosign signature", "atts": "cosign attestation"}[kind]


def test_the_head_of_a_prediction_has_the_platform_of_the_image(run_cli: Run, forge_archive: Make) -> None:
    """`process` headed `linux/wasm` for windows/wasm."""
    layer = forge.layer(forge.file("app.wasm", b"\0asm\1\0\0\0"))
    spec = forge.image(layer, names="w:1", entrypoint=["/app.wasm"], os="windows", architecture="wasm")
    wasm = forge_archive(spec, name="wasm.tar", kind="oci-archive")
    lines = run_cli("process", wasm, "--verbose").stdout.splitlines()
    heads = [line for line in lines if line.startswith("on ")]
    assert heads and all(line.endswith("windows/wasm") for line in heads)
    assert "linux/wasm" not in "\n".join(lines)


SHOWING = (
    "layers", "ls", "tree", "process", "explain", "operate", "waste", "views", "du", "dockerfile", "images",
)  # fmt: skip


@pytest.mark.parametrize("command", SHOWING)
def test_whatever_shows_an_image_shows_it_and_then_ends_with_12(
    command: str, run_cli: Run, forge_archive: Make
) -> None:
    """exit-codes.md named five commands that end so after a result; each of these did."""
    spec = sound(*STEPS, names="demo:1", faults=[Fault(kind="layer-bytes", layer=1)])
    archive = forge_archive(spec, name="wrong.tar", kind="oci-archive")
    done = run_cli(command, archive)
    # `images` reads no layer, so it cannot know.
    assert done.exit_code == (0 if command == "images" else 12), done.stderr
    assert done.stdout.strip()
    page = (Path(__file__).parents[2] / "docs" / "reference" / "exit-codes.md").read_text()
    assert "A command that reads an image writes everything that could be read" in joined(page)


# ---- real-images: confusing to a reader -------------------------------------------------------------------------


def test_a_shell_alone_is_told_with_a_terminal_and_without(case: Case, run_cli: Run) -> None:
    """`Stopping takes 10 seconds` is true with -it; without it busybox ends at once."""
    told = chapter(run_cli, case(REAL, "groups.tar"), 5)
    assert "it ignores SIGTERM at a terminal; without one its input is empty, and it ends at once" in told


def test_what_cannot_be_loaded_is_not_told_by_its_start(case: Case, run_cli: Run) -> None:
    """Docker's exec error was quoted, and the last line said that the image cannot be loaded."""
    told = chapter(run_cli, case(REAL, "layer-left-out.tar"), 5)
    assert "What the operator will read" in told and "layers length mismatch" in told
    assert "exec:" not in told and "executable file not found" not in told


def test_what_matches_and_what_has_another_size_add_up(run_cli: Run, forge_archive: Make) -> None:
    """`Three were recomputed; two do not match` stood beside three lines `DOES NOT MATCH`."""
    faults = [Fault(kind="config-size", value=1), Fault(kind="layer-bytes", layer=1), Fault(kind="layer-size", layer=2)]
    archive = forge_archive(sound(*STEPS, names="demo:1", faults=faults), name="sizes.tar", kind="oci-archive")
    told = chapter(run_cli, archive, 2)
    assert "Six that are here were recomputed; one does not match." in told
    assert (told.count("DOES NOT MATCH"), told.count("WRONG SIZE"), told.count(" verified")) == (1, 2, 3)


def test_what_is_to_be_copied_is_one_line_in_any_width(
    run_cli: Run, forge_archive: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`try it` lines of 300 characters were wrapped, so that their halves were copied."""
    folder = tmp_path / ("a folder of a long name " * 8).strip()
    folder.mkdir()
    archive = folder / "shop.tar"
    archive.write_bytes(forge_archive("shop").read_bytes())
    monkeypatch.setenv("COLUMNS", "80")
    lines = [line.partition("try it  ")[2] for line in run_cli("explain", archive).stdout.splitlines()
             if line.lstrip().startswith("try it  ")]  # fmt: skip
    assert lines
    for line in lines:
        assert str(archive) in shlex.split(line)
        assert subprocess.run(["bash", "-n", "-c", line], check=False, capture_output=True).returncode == 0


# ---- users D: operators -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", ["['sleep','3600']", "['sleep', '3600']"])
def test_d2_a_list_in_single_quotes_is_not_to_be_installed(line: str, run_cli: Run, forge_archive: Make) -> None:
    """`install [sleep, or correct the command`; wtf had the right answer in its second finding."""
    spec = sound(entrypoint=None, cmd=["/bin/sh", "-c", line])
    archive = forge_archive(spec, name="list.tar")
    verdict = json.loads(run_cli("process", archive, "--json").stdout)["result"]["prediction"]["verdict"]
    assert verdict["kind"] == "FAILS" and "double quotes" in verdict["fix"] and "install" not in verdict["fix"]
    assert "JSON-TO-SHELL" in found(run_cli, archive)
    other = sound(entrypoint=None, cmd=["/bin/sh", "-c", "[sleep 3600"])
    verdict = json.loads(run_cli("process", forge_archive(other, name="other.tar"), "--json").stdout)["result"]
    assert verdict["prediction"]["verdict"]["fix"].startswith("install [sleep")


@pytest.mark.parametrize("machine", ["s390x", "ppc64"])
def test_d2_the_order_of_bytes_is_no_damage(machine: str, run_cli: Run, forge_archive: Make) -> None:
    """`the ELF type is 512 ... it is damaged`, of an amd64 program and a config of a machine with the other order."""
    archive = forge_archive(sound(architecture=machine), name=f"{machine}.tar")
    verdict = json.loads(run_cli("process", archive, "--json").stdout)["result"]["prediction"]["verdict"]
    assert (verdict["errno"], verdict["why"]) == ("ENOEXEC", f"/bin/hello is built for amd64, the host is {machine}")
    assert "damaged" not in json.dumps(verdict) and "copy the program again" not in verdict["fix"]


def test_d7_the_next_failure_is_told_with_the_first(run_cli: Run, forge_archive: Make) -> None:
    """An arm64 program without its bit: after `chmod +x` came the format error, one build later."""
    tool = forge.file("app", programs.hello(), 0o644)
    spec = sound(add(tool), architecture="arm64", entrypoint=["/app"])
    told = run_cli("process", forge_archive(spec, name="two.tar")).stdout
    assert "permission denied" in told and "then  and after that: exec /app: exec format error" in told
    alone = sound(add(tool), entrypoint=["/app"])
    assert "and after that" not in run_cli("process", forge_archive(alone, name="one.tar")).stdout


def test_d9_people_read_starts_and_programs_read_runs(run_cli: Run, forge_archive: Make) -> None:
    archive = forge_archive("hello")
    told = run_cli("process", archive)
    assert "starts on docker@" in told.stdout and "RUNS" not in told.stdout
    verdict = json.loads(run_cli("process", archive, "--json").stdout)["result"]["prediction"]["verdict"]
    assert verdict["kind"] == "RUNS"


# ---- engines-2026 c20, c22 --------------------------------------------------------------------------------------


def test_c20_docker_debug_is_no_matter_of_a_plan(run_cli: Run) -> None:
    """docker/docs#23564: free since Docker Desktop 4.48."""
    assert "needs no subscription since Docker Desktop 4.48" in joined(
        run_cli("wtf", "--explain", "NO-SHELL-INSIDE").stdout
    )


def test_c22_a_manifest_may_have_no_config(run_cli: Run, forge_archive: Make) -> None:
    """`config` is optional since 2026-02: nothing is missing of the archive, and nobody knows what would start."""
    faults = [Fault(kind="manifest-text", value=b"")]
    whole = forge_archive(sound(names="demo:1"), name="whole.tar", kind="oci-archive")
    with tarfile.open(whole) as tar:
        texts = [tar.extractfile(each).read() for each in tar if each.isfile()]  # type: ignore[union-attr]
    manifest = next(text for text in (json.loads(one) for one in texts if one[:1] == b"{") if "layers" in text)
    del manifest["config"]
    faults = [Fault(kind="manifest-text", value=json.dumps(manifest).encode())]
    archive = forge_archive(sound(names="demo:1", faults=faults), name="none.tar", kind="oci-archive")
    finding = found(run_cli, archive)["MISSING-PARTS"]
    assert finding["message"] == "nothing names a config, which says what to start"
    assert "layers" not in finding["fix"] and finding["locations"][0]["blob"].startswith("sha256:")
    done = run_cli("process", archive)
    assert done.exit_code == 14 and "UNKNOWN" in done.stdout and "nothing names a config" in done.stderr
    assert "MISSING" not in chapter(run_cli, archive, 2)


@pytest.mark.parametrize("of", ["config", "layers"])
def test_c22_a_negative_size_is_told(of: str, run_cli: Run, forge_archive: Make) -> None:
    whole = forge_archive(sound(names="demo:1"), name="whole.tar", kind="oci-archive")
    with tarfile.open(whole) as tar:
        texts = [tar.extractfile(each).read() for each in tar if each.isfile()]  # type: ignore[union-attr]
    manifest = next(text for text in (json.loads(one) for one in texts if one[:1] == b"{") if "layers" in text)
    (manifest["config"] if of == "config" else manifest["layers"][0])["size"] = -7
    faults = [Fault(kind="manifest-text", value=json.dumps(manifest).encode())]
    archive = forge_archive(sound(names="demo:1", faults=faults), name=f"{of}.tar", kind="oci-archive")
    assert found(run_cli, archive)["ODD-DOCUMENTS"]["message"] == "the size -7 is negative"


# ---- judges D, the line without a number ------------------------------------------------------------------------


def test_a_manifest_that_links_out_of_its_directory_has_that_as_reason(
    run_cli: Run, forge_archive: Make, tmp_path: Path
) -> None:
    """It `holds neither index.json nor manifest.json`; the link that was not followed was not named."""
    place = tmp_path / "image"
    place.mkdir()
    (tmp_path / "outside.json").write_text("{}")
    (place / "version").write_text("Directory Transport Version: 1.1\n")
    (place / "manifest.json").symlink_to("../outside.json")
    done = run_cli("explain", place)
    assert done.exit_code != 0
    assert ": manifest.json leads out of the directory; not followed" in joined(done.stderr)
