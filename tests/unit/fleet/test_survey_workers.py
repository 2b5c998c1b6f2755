"""A survey whose workers die, whose sources are hostile, whose bytes are damaged, and that is asked again."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import tarfile
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import imagepeel
from imagepeel import forge
from imagepeel.fleet import crew, tasks, words
from imagepeel.fleet.tables import TABLES
from imagepeel.layers import scan as scan_module
from imagepeel.limits import Limits

BASE = forge.layer(forge.file("etc/base", b"of all of them\n" * 3_000), created_by="ADD base /")


def app(name: str) -> forge.ImageSpec:
    return forge.image(BASE, forge.layer(forge.file(f"srv/{name}", name)), entrypoint=["/srv/x"], names=f"{name}:1")


def rows(facts: Path, table: str) -> list[dict[str, Any]]:
    """The rows of a survey in JSON Lines, in one order."""
    found = [json.loads(line) for part in (facts / table).iterdir() for line in part.read_text().splitlines()]
    return sorted(found, key=lambda row: json.dumps(row, sort_keys=True))


def every_row(facts: Path) -> dict[str, list[dict[str, Any]]]:
    return {table: rows(facts, table) for table in TABLES}


def parts(facts: Path) -> dict[str, int]:
    """When each part was written."""
    return {str(path): path.stat().st_mtime_ns for table in TABLES for path in (facts / table).iterdir()}


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    folder = tmp_path / "fleet"
    folder.mkdir()
    for number in range(4):
        forge.write(app(f"app{number}"), folder / f"app{number}.tar", kind="oci-archive", compression="gzip")
    return folder


@pytest.fixture
def expected(fleet: Path, tmp_path: Path) -> dict[str, list[dict[str, Any]]]:
    """The facts as one undisturbed thread finds them."""
    with ThreadPoolExecutor(1) as thread:
        imagepeel.survey(fleet, out=tmp_path / "expected", executor=thread, form="jsonl")
    return every_row(tmp_path / "expected")


def test_each_layer_is_scanned_once_in_the_whole_fleet(
    fleet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """sha256sum counts the layers; both places that can scan one are watched."""
    digests = set()
    for archive in fleet.iterdir():
        with tarfile.open(archive) as members:
            for member in members.getmembers():
                content = members.extractfile(member).read() if member.isfile() else b""  # type: ignore[union-attr]
                if content[:2] == b"\x1f\x8b":
                    digests.add(hashlib.sha256(content).hexdigest())
    scanned: list[str] = []
    for module in (tasks, scan_module):
        scan = module.scan_layer
        monkeypatch.setattr(module, "scan_layer", lambda *a, scan=scan, **k: scanned.append(a[0].name) or scan(*a, **k))
    with ThreadPoolExecutor(1) as thread:
        result = imagepeel.survey(fleet, out=tmp_path / "facts", executor=thread, form="jsonl")
    assert len(scanned) == len(digests) == result.layers.distinct == 5
    assert result.layers.uses == 8


def test_a_second_run_does_only_what_is_new(fleet: Path, tmp_path: Path) -> None:
    out, said = tmp_path / "facts", []
    first = imagepeel.survey(fleet, out=out, workers=1, form="jsonl")
    before = parts(out)

    def tell(what: str, done: int, total: int | None) -> None:
        said.append((what, total))

    again = imagepeel.survey(fleet, out=out, workers=1, form="jsonl", progress=tell)
    assert said == [] and again == first
    written = {name for name, at in parts(out).items() if before.get(name) != at}
    assert {Path(name).stem for name in written} <= {"sources", "lineage", "unexamined"}

    forge.write(app("app9"), fleet / "app9.tar", kind="oci-archive", compression="gzip")
    (fleet / "app0.tar").unlink()
    result = imagepeel.survey(fleet, out=out, workers=1, form="jsonl", progress=tell)
    assert result.images == result.examined == 4
    assert {what for what, _ in said} == {"documents", "layers", "images"}
    assert {Path(row["source"]).stem for row in rows(out, "images")} == {*(f"app{n}" for n in range(1, 4)), "app9"}
    assert result.layers.distinct == 5, "the layer that only app0 had is forgotten"
    with ThreadPoolExecutor(1) as thread:
        imagepeel.survey(fleet, out=tmp_path / "anew", executor=thread, form="jsonl")
    now, anew = every_row(out), every_row(tmp_path / "anew")
    for told in (now, anew):
        for row in told["layers"]:
            del row["read_from"]  # app0, in the run that read it
    assert now == anew


def test_a_run_that_was_cut_off_leaves_no_row_twice(fleet: Path, tmp_path: Path, expected: Any) -> None:
    """Parts that no state answers for are those of a run that ended between writing and noting them."""
    out = tmp_path / "facts"
    imagepeel.survey(fleet, out=out, workers=1, form="jsonl")
    part = next((out / "images").glob("images-*.jsonl"))
    shutil.copy(part, out / "images" / "images-of-a-run-that-was-killed.jsonl")
    (out / "files" / ".partial-1-2-3").write_text("{")
    imagepeel.survey(fleet, out=out, workers=1, form="jsonl")
    assert every_row(out) == expected


def test_a_worker_that_is_killed_costs_nothing(
    fleet: Path, tmp_path: Path, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    own = crew.own_pool

    def recorded(workers: int) -> Executor:
        made.append(own(workers))
        return made[-1]  # type: ignore[no-any-return]

    killed: set[str] = set()

    def kill(what: str, done: int, total: int | None) -> None:
        if what not in killed:
            killed.add(what)
            os.kill(next(iter(made[-1]._processes)), signal.SIGKILL)

    monkeypatch.setattr(crew, "own_pool", recorded)
    result = imagepeel.survey(fleet, out=tmp_path / "facts", workers=2, form="jsonl", progress=kill)
    assert killed == {"documents", "layers", "images"}
    assert len(made) > 1
    assert (result.examined, result.failed) == (4, 0)
    assert every_row(tmp_path / "facts") == expected


def _deadly() -> None:
    """In a worker: some sources end the process that opens or examines them."""
    opened, examined = tasks.api.open, tasks._one_image

    def open_(source: Any, **given: Any) -> Any:
        if "kills-when-opened" in str(source):
            os.kill(os.getpid(), signal.SIGKILL)
        return opened(source, **given)

    def examine(part: Any, wanted: Any, image: Any) -> Any:
        if "kills-when-examined" in wanted.source:
            os.kill(os.getpid(), signal.SIGKILL)
        return examined(part, wanted, image)

    tasks.api.open = open_  # type: ignore[assignment]
    tasks._one_image = examine


def test_a_source_that_kills_its_worker_twice_is_a_row(
    fleet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = multiprocessing.get_context("forkserver")
    monkeypatch.setattr(
        crew, "own_pool", lambda workers: ProcessPoolExecutor(workers, mp_context=context, initializer=_deadly)
    )
    for name in ("kills-when-opened", "kills-when-examined"):
        forge.write(app(name), fleet / f"{name}.tar", kind="oci-archive", compression="gzip")
    result = imagepeel.survey(fleet, out=tmp_path / "facts", workers=2, form="jsonl")
    assert (result.sources, result.images, result.examined, result.failed) == (6, 5, 4, 2)
    told = {Path(row["source"]).stem: row["code"] for row in rows(tmp_path / "facts", "sources")}
    assert told == {
        **{f"app{n}": None for n in range(4)},
        "kills-when-opened": "worker-died",
        "kills-when-examined": "worker-died",
    }
    unseen = [row for row in rows(tmp_path / "facts", "images") if not row["examined"]]
    assert [Path(row["source"]).stem for row in unseen] == ["kills-when-examined"]
    monkeypatch.undo()
    mended = imagepeel.survey(fleet, out=tmp_path / "facts", workers=2, form="jsonl")
    assert (mended.examined, mended.failed) == (6, 0), "what may pass is tried again"


def test_a_given_pool_that_breaks_is_said_and_the_next_run_goes_on(fleet: Path, tmp_path: Path, expected: Any) -> None:
    out = tmp_path / "facts"
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(1, mp_context=context) as given:

        def kill(what: str, done: int, total: int | None) -> None:
            if what == "layers":
                os.kill(next(iter(given._processes)), signal.SIGKILL)

        with pytest.raises(imagepeel.ImagepeelError, match="broke"):
            imagepeel.survey(fleet, out=out, executor=given, workers=1, form="jsonl", progress=kill)
    imagepeel.survey(fleet, out=out, workers=1, form="jsonl")
    assert every_row(out) == expected


def damaged(archive: Path, out: Path) -> str:
    """Write the archive with one bit of its first layer turned over; return the digest that the documents state."""
    data = bytearray(archive.read_bytes())
    with tarfile.open(archive) as members:
        largest = max(
            (m for m in members.getmembers() if m.isfile() and members.extractfile(m).read(2) == b"\x1f\x8b"),  # type: ignore[union-attr]
            key=lambda m: m.size,
        )
    data[largest.offset_data + largest.size // 2] ^= 0x10
    out.write_bytes(data)
    return "sha256:" + Path(largest.name).name


def test_a_damaged_copy_harms_nobody_else(fleet: Path, tmp_path: Path, expected: Any) -> None:
    """Its name sorts first, so that it is read before the good copies."""
    stated = damaged(fleet / "app0.tar", fleet / "a-damaged.tar")
    result = imagepeel.survey(fleet, out=tmp_path / "facts", workers=2, form="jsonl")
    found = every_row(tmp_path / "facts")
    others = {
        table: [row for row in told if Path(row.get("source", "")).stem != "a-damaged"] for table, told in found.items()
    }
    for table in ("images", "image_layers", "starts", "findings", "causes"):
        assert others[table] == expected[table], table
    good = [row for row in found["layers"] if row["layer"] == stated]
    assert [row["error"] for row in good] == [None] and "a-damaged" not in good[0]["read_from"]
    assert result.layers.distinct == 6 and result.layers.damaged == 1
    bad = [row for row in found["image_layers"] if Path(row["source"]).stem == "a-damaged"]
    assert sorted(row["verified"] for row in bad) == [False, True]
    data = (fleet / "a-damaged.tar").read_bytes()
    with tarfile.open(fleet / "a-damaged.tar") as members:
        member = members.getmember("blobs/sha256/" + stated.partition(":")[2])
        real = hashlib.sha256(data[member.offset_data : member.offset_data + member.size]).hexdigest()
    assert [row["layer"] for row in bad if not row["verified"]] == [f"sha256:{real}"] != [stated]
    assert real in {row["layer"].partition(":")[2] for row in found["layers"]}
    image = next(row for row in found["images"] if Path(row["source"]).stem == "a-damaged")
    assert image["complete"] is False and image["missing"] and image["unreachable_bytes"] is None


def hostile(folder: Path) -> Iterator[tuple[str, str]]:
    """Write archives that nobody can read and yield (name, code of the error)."""
    (folder / "empty.tar").write_bytes(b"")
    yield "empty", "not-an-image"
    (folder / "noise.tar").write_bytes(os.urandom(2000))
    yield "noise", "not-an-image"
    (folder / "gzip.tar.gz").write_bytes(b"\x1f\x8b\x08\0\0\0\0\0\0\3" + bytes(200))
    yield "gzip.tar", "malformed"
    deep = folder / "deep"
    (deep / "blobs").mkdir(parents=True)
    (deep / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (deep / "index.json").write_text('{"manifests":' + "[" * 100_000 + "]" * 100_000 + "}")
    yield "deep", "limit-exceeded"
    bomb = forge.image(forge.layer(forge.file("zeros", bytes(40_000_000))), entrypoint=["/x"], names="bomb:1")
    forge.write(bomb, folder / "bomb.tar", kind="oci-archive", compression="gzip")
    yield "bomb", "limit-exceeded"


def test_hostile_archives_cost_their_own_row(fleet: Path, tmp_path: Path) -> None:
    codes = dict(hostile(fleet))
    whole = (fleet / "app1.tar").read_bytes()
    (fleet / "cut.tar").write_bytes(whole[: len(whole) // 2])
    os.symlink(fleet, fleet / "loop")
    result = imagepeel.survey(
        fleet, out=tmp_path / "facts", workers=2, form="jsonl", limits=Limits(layer_bytes=20_000_000)
    )
    told = {Path(row["source"]).stem: row for row in rows(tmp_path / "facts", "sources")}
    for name, code in codes.items():
        assert told[name]["state"] == "failed" and told[name]["error"], name
        assert told[name]["code"] == code, (name, told[name])
    assert all(told[f"app{number}"]["state"] == "ok" for number in range(4))
    good = [row for row in rows(tmp_path / "facts", "images") if Path(row["source"]).stem.startswith("app")]
    assert [row["complete"] for row in good] == [True] * 4
    cut = [row for row in rows(tmp_path / "facts", "images") if Path(row["source"]).stem == "cut"]
    assert told["cut"]["state"] == "failed" or not any(row["complete"] for row in cut)
    assert result.failed >= len(codes)
    bombed = [row for row in rows(tmp_path / "facts", "images") if Path(row["source"]).stem == "bomb"]
    assert [(row["examined"], row["complete"]) for row in bombed] == [(False, None)]
    secret = next(share for share in result.shares if share.what == "ship a secret in a file")
    assert secret.unknown >= 1, "an image that nobody saw is not one without secrets"


def test_strict_leaves_with_1_where_a_source_is_not_read(fleet: Path, tmp_path: Path, run_cli: Any) -> None:
    words = ["survey", fleet, "--format", "jsonl", "--workers", "1", "--out", tmp_path / "facts"]
    assert run_cli(*words, "--strict").exit_code == 0
    (fleet / "empty.tar").write_bytes(b"")
    lax = run_cli(*words)
    assert lax.exit_code == 0 and "empty.tar is empty" in lax.stdout
    strict = run_cli(*words, "--strict")
    assert (strict.exit_code, strict.stdout) == (1, lax.stdout)


def test_a_list_names_sources_and_a_folder_that_is_not_ours_is_left_alone(fleet: Path, tmp_path: Path) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text(f"# two of them\n{fleet}/app1.tar\n\n{fleet}/app2.tar\n{fleet}/app1.tar\n{tmp_path}/absent.tar\n")
    result = imagepeel.survey(listed, out=tmp_path / "facts", workers=1, form="jsonl")
    assert (result.sources, result.examined, result.failed) == (3, 2, 1)
    other = tmp_path / "other"
    other.mkdir()
    (other / "letter").write_text("dear")
    with pytest.raises(imagepeel.UsageError, match="not empty"):
        imagepeel.survey(listed, out=other, workers=1, form="jsonl")
    assert [path.name for path in other.iterdir()] == ["letter"]


def test_a_pipe_called_like_an_archive_is_a_row_and_nobody_waits_for_a_writer(tmp_path: Path) -> None:
    folder = tmp_path / "fleet"
    (folder / "below").mkdir(parents=True)
    forge.write(app("a"), folder / "a.tar")
    os.mkfifo(folder / "pipe.tar")
    os.mkfifo(folder / "pipe")
    os.symlink("..", folder / "below" / "up")
    os.symlink("round.tar", folder / "round.tar")
    result = imagepeel.survey(folder, out=tmp_path / "facts", workers=1, form="jsonl")
    assert (result.sources, result.examined, result.failed, result.passed_over) == (2, 1, 1, 3)
    assert result.failures[0].source.endswith("pipe.tar") and "not a regular file" in result.failures[0].error


def test_a_word_with_sources_without_end_costs_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "fleet"
    folder.mkdir()
    for name in "abcd":
        forge.write(app(name), folder / f"{name}.tar")
    monkeypatch.setattr(words, "MOST", 3)
    result = imagepeel.survey(folder, out=tmp_path / "facts", workers=1, form="jsonl")
    assert (result.sources, result.examined, result.failed) == (4, 3, 1)
    assert result.failures[0].source == str(folder) and "more than 3 sources" in result.failures[0].error
