"""layers and images against sha256sum, GNU tar and jq, and in every state that an archive can be in."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagepeel import forge

Run = Callable[..., Any]
Make = Callable[..., Path]


def shell(command: str, cwd: Path) -> str:
    return subprocess.run(["bash", "-c", command], cwd=cwd, capture_output=True, text=True, check=True).stdout.strip()


def result_of(run_cli: Run, *words: Any) -> Any:
    done = run_cli(*words, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)["result"]


@pytest.mark.judge
@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
def test_digests_sizes_and_counts_are_those_of_the_tools(compression: str, run_cli: Run, forge_archive: Make) -> None:
    path = forge_archive("shop", kind="oci-archive", compression=compression)
    unpack = {"gzip": "gzip -dc", "zstd": "zstd -dcq", "none": "cat"}[compression]
    here, name = path.parent, path.name
    manifest = shell(f"tar -xOf {name} index.json | jq -r '.manifests[0].digest' | tr : /", here)
    blobs = shell(f"tar -xOf {name} blobs/{manifest} | jq -r '.layers[].digest' | tr : /", here).split()
    rows = result_of(run_cli, "layers", path)["layers"]
    assert len(rows) == len(blobs) == 8
    for row, blob in zip(rows, blobs, strict=True):
        take = f"tar -xOf {name} blobs/{blob}"
        assert row["digest"] == "sha256:" + shell(f"{take} | sha256sum", here).split()[0]
        assert row["diff_id"] == "sha256:" + shell(f"{take} | {unpack} | sha256sum", here).split()[0]
        assert row["blob_size"] == int(shell(f"{take} | wc -c", here))
        assert row["content_size"] == int(shell(f"{take} | {unpack} | wc -c", here))
        assert row["entries"] == int(shell(f"{take} | {unpack} | tar -t | wc -l", here))
        assert row["compression"] == compression
        assert row["verified"] is True
        assert {check["what"] for check in row["checks"]} == {"digest", "size", "diff_id"}


@pytest.mark.judge
def test_history_steps_are_those_of_the_config(run_cli: Run, forge_archive: Make) -> None:
    path = forge_archive("shop")
    config = f"tar -xOf {path.name} $(tar -xOf {path.name} manifest.json | jq -r '.[0].Config')"
    steps = json.loads(
        shell(f"{config} | jq -c '[.history | to_entries[] | select(.value.empty_layer | not)]'", path.parent)
    )
    rows = result_of(run_cli, "layers", path)["layers"]
    assert [(row["step"], row["created_by"]) for row in rows] == [(s["key"], s["value"]["created_by"]) for s in steps]


def test_changes_are_counted_against_the_layers_below(run_cli: Run, tmp_path: Path) -> None:
    spec = forge.image(
        forge.layer(forge.directory("d"), forge.file("d/a", "1"), forge.file("d/b", "1"), forge.file("d/c", "1")),
        forge.layer(forge.directory("d"), forge.file("d/a", "2"), forge.file("d/new", "1"), forge.whiteout("d/b")),
        names="delta:1",
    )
    path = forge.write(spec, tmp_path / "delta.tar")
    rows = result_of(run_cli, "layers", path)["layers"]
    assert (rows[0]["added"], rows[0]["changed"], rows[0]["removed"]) == (4, 0, 0)
    assert (rows[1]["added"], rows[1]["removed"]) == (1, 1)
    # /d/a differs in content; /d is changed only if its own entry differs, and it does not.
    assert rows[1]["changed"] == 1
    assert "+1 ~1 -1" in run_cli("layers", path).stdout


def test_a_mismatch_is_shown_in_full_after_the_table_and_on_stderr(run_cli: Run, forge_archive: Make) -> None:
    path = forge_archive("wrong-digest")
    result = run_cli("layers", path)
    assert result.exit_code == 12
    assert "MISMATCH" in result.stdout
    row = json.loads(run_cli("layers", path, "--json").stdout)["result"]["layers"][0]
    wrong = next(check for check in row["checks"] if check["ok"] is False)
    assert wrong["what"] == "digest"
    for text in (result.stdout, result.stderr):
        assert wrong["stated"] in text and wrong["actual"] in text


def test_without_verification_nothing_is_hashed_and_nothing_claimed(run_cli: Run, forge_archive: Make) -> None:
    result = run_cli("layers", "--no-verify", forge_archive("wrong-digest"))
    assert result.exit_code == 0
    assert "not checked" in result.stdout and " ok" not in result.stdout


def test_all_mismatches_are_reported_together(run_cli: Run, tmp_path: Path) -> None:
    spec = forge.image(forge.layer(forge.file("a", "1")), forge.layer(forge.file("b", "2")), names="two:1")
    path = forge.write(spec, tmp_path / "two.tar", kind="oci-archive", compression="none")
    data = path.read_bytes()
    for content in (b"1", b"2"):
        at = data.index(b"\0" * 12 + content + b"\0" * 500) + 12
        data = data[:at] + b"X" + data[at + 1 :]
    path.write_bytes(data)
    result = run_cli("layers", path)
    assert result.exit_code == 12
    assert "4 statements do not fit the bytes" in result.stderr
    assert result.stderr.count("layer L1: ") == result.stderr.count("layer L2: ") == 2


def test_a_missing_layer_is_a_state_and_the_rest_is_still_told(run_cli: Run, forge_archive: Make) -> None:
    result = run_cli("layers", forge_archive("missing-blob"))
    assert result.exit_code == 0
    rows = result.stdout.splitlines()
    assert rows[0].endswith("incomplete")
    assert "missing" in rows[4] and " - " in rows[4]
    assert "warning: layer L2 is not here (missing)" in result.stderr


def test_a_refused_image_has_no_counts_and_a_warning(run_cli: Run, forge_archive: Make) -> None:
    path = forge_archive("link-below")
    assert [row["added"] for row in result_of(run_cli, "layers", path)["layers"]] == [None, None]
    result = run_cli("ls", path)
    assert result.exit_code == 0
    assert "a runtime refuses to unpack this image at layer L2, entry 0" in result.stderr


def test_columns_narrow_the_table_and_a_pipe_never_cuts_it(run_cli: Run, forge_archive: Make) -> None:
    path = forge_archive("shop")
    narrow = run_cli("layers", path, env={"COLUMNS": "80"}).stdout.splitlines()
    assert max(map(len, narrow[2:])) <= 80
    wide = run_cli("layers", path).stdout
    assert "RUN adduser --system --uid 999 --home /srv/shop shop" in wide
    assert "…" not in wide


def test_an_export_says_what_was_lost(run_cli: Run, forge_archive: Make) -> None:
    path = forge_archive("shop", kind="rootfs", name="export.tar")
    out = run_cli("images", path).stdout
    assert "rootfs" in out and "the config: entrypoint, command" in out
    assert "(no history step)" in run_cli("layers", path).stdout


def test_images_name_everything_as_what_it_is(run_cli: Run, forge_archive: Make) -> None:
    path = forge_archive("shop", kind="docker-containerd", name="containerd.tar")
    rows = result_of(run_cli, "images", path)["images"]
    kinds = [row["kind"] for row in rows]
    assert kinds.count("image") >= 1 and "attestation" in kinds
    for row in rows:
        assert bool(row["choose"]) == (row["kind"] == "image")
    out = run_cli("images", path).stdout
    assert "attestation" in out and "--image '#1'" in out


def test_images_choose_is_a_shell_word_that_works(run_cli: Run, tmp_path: Path) -> None:
    path = forge.write([forge.build("hello"), forge.build("deaf")], tmp_path / "two.tar", kind="docker-archive")
    for row in result_of(run_cli, "images", path)["images"]:
        words = shell(f"printf '%s\\n' {row['choose']}", tmp_path).split("\n")
        assert run_cli("layers", path, *words).stdout.splitlines()[0].split("   ")[2] == row["names"][0]


@pytest.mark.shared
def test_every_real_archive_ends_without_a_traceback(run_cli: Run, shared_root: Path) -> None:
    index = (shared_root / "images" / "index.tsv").read_text().splitlines()
    columns = index[0].split("\t")
    codes: dict[str, int] = {}
    for line in index[1:]:
        row = dict(zip(columns, line.split("\t"), strict=False))
        path = shared_root / "images" / row["path"]
        if not path.exists() or path.stat().st_size > 4_000_000:
            continue
        result = run_cli("images", path)
        assert result.exit_code in (0, 10, 11, 12, 13, 14), (row["path"], result.stderr)
        assert "Traceback" not in result.stderr
        intact = row["class"].startswith("image:") and "BROKEN" not in row["class"]
        if intact and "=err:" not in row["notes"]:
            codes[row["path"]] = result.exit_code
    assert len(codes) > 50
    assert {path: code for path, code in codes.items() if code} == {}
