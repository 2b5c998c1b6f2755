"""trace and views: text and JSON, links, refusals, hostile names, exit codes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from imagepeel import forge
from imagepeel.render.schemas import schema_of

Run = Callable[..., Any]
Make = Callable[..., Path]
Golden = Callable[[str, str], None]


def document(run_cli: Run, *words: Any) -> Any:
    done = run_cli(*words, "--json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    jsonschema.validate(found, schema_of(str(words[0])))
    return found["result"]


@pytest.mark.parametrize(
    ("name", "image", "words"),
    [
        ("trace/removed", "shop", ["trace", "shop.tar", "/srv/shop/.env"]),
        ("trace/file", "shop", ["trace", "shop.tar", "/bin/sh"]),
        ("trace/refused", "link-below", ["trace", "link-below.tar", "/bin/greet"]),
        ("views/resurrect", "resurrect", ["views", "resurrect.tar"]),
        ("views/linkshadow", "linkshadow", ["views", "linkshadow.tar"]),
        ("views/link-below", "link-below", ["views", "link-below.tar"]),
        ("views/zoo", "zoo", ["views", "zoo.tar"]),
    ],
)
def test_text_is_what_was_reviewed(
    name: str, image: str, words: list[str], run_cli: Run, forge_archive: Make, golden: Golden
) -> None:
    path = forge_archive(image)
    done = run_cli(*words, cwd=path.parent, env={"COLUMNS": "120"})
    assert done.exit_code == 0, done.stderr
    golden(f"{name}.txt", done.stdout)


def test_trace_json_tells_the_events(run_cli: Run, forge_archive: Make) -> None:
    result = document(run_cli, "trace", forge_archive("shop"), "/srv/shop/.env")
    assert (result["errno"], result["missing"], result["exact"]) == ("ENOENT", "/srv/shop/.env", True)
    (life,) = result["lives"]
    added, removed = life["events"]
    assert (added["kind"], added["label"], added["node"]["mode"], added["hidden_by"]) == ("added", "L4", "0600", 4)
    assert (removed["kind"], removed["by"], removed["by_path"]) == ("removed", "whiteout", "/srv/shop/.env")
    assert life["present"] is False


@pytest.mark.judge
def test_receipts_of_a_trace_print_the_member(run_cli: Run, forge_archive: Make) -> None:
    path = forge_archive("shop", kind="oci-archive", compression="gzip")
    result = document(run_cli, "trace", path, "/srv/shop/.env", "--receipts")
    for event in result["lives"][0]["events"]:
        receipt = event["receipt"]
        shown = subprocess.run(["bash", "-c", receipt["command"]], capture_output=True, text=True, check=True)
        assert ".env" in shown.stdout
        assert receipt.get("expect", "") in shown.stdout


def test_a_path_that_no_layer_has_ends_in_14(run_cli: Run, forge_archive: Make) -> None:
    done = run_cli("trace", forge_archive("shop"), "/no/such\x1bpath")
    assert done.exit_code == 14
    assert "\x1b" not in done.stderr


def test_hostile_names_do_not_reach_the_terminal(tmp_path: Path, run_cli: Run) -> None:
    name = b"evil\x1b[2J\xff"
    layers = (forge.layer(forge.file(name, "x")), forge.layer(forge.symlink("l", name)))
    path = forge.write(forge.image(*layers), tmp_path / "evil.tar")
    for words in (["trace", path, "/l"], ["views", path]):
        done = run_cli(*words)
        assert done.exit_code == 0, done.stderr
        assert b"\x1b" not in done.stdout_bytes and b"\\x1b[2J" in done.stdout_bytes
    lives = document(run_cli, "trace", path, "/l")["lives"]
    assert lives[1]["path_b64"] == "L2V2aWwbWzJK/w=="


def test_views_json_counts_and_explains(run_cli: Run, forge_archive: Make) -> None:
    result = document(run_cli, "views", forge_archive("linkshadow"))
    assert result["views"] == ["runtime", "spec", "sequential", "docker", "podman"]
    assert result["agree"] is False and result["total"] == 3
    assert [d["path"] for d in result["differences"]] == ["/bin", "/bin/extra", "/usr/bin/extra"]
    assert all(d["codes"] == ["LINKSHADOW"] for d in result["differences"])
    assert {note["code"] for note in result["notes"]} == {"LINKSHADOW", "ROOTLESS"}
    assert set(result["codes"]) == {"LINKSHADOW", "ROOTLESS"}


def test_views_of_an_honest_image_agree(run_cli: Run, forge_archive: Make) -> None:
    result = document(run_cli, "views", forge_archive("hello"))
    assert result["agree"] is True and result["differences"] == [] and result["refusals"] == {}


def test_only_some_views(run_cli: Run, forge_archive: Make) -> None:
    result = document(run_cli, "views", forge_archive("linkshadow"), "--only", "runtime,docker@28")
    assert result["views"] == ["runtime", "docker@28"] and result["total"] == 0
    done = run_cli("views", forge_archive("hello"), "--only", "windows")
    assert done.exit_code == 2 and "runtime" in done.stderr
