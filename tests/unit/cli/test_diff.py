"""imagepeel diff: two images or two layers, what is said of them, and exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from imagepeel import forge
from imagepeel.render.schemas import schema_of

Run = Callable[..., Any]
BASE = forge.layer(
    forge.directory("etc"),
    forge.file("etc/motd", "hello\nworld\n"),
    forge.file("etc/keep", "same"),
    created_by="ADD base.tar /",
)
OLD = forge.layer(
    forge.file("srv/app/one", b"1" * 100),
    forge.hardlink("srv/app/uno", "srv/app/one"),
    forge.file(b"srv/\x1b[31m\xff", b"x"),
    created_by="COPY old /srv",
)
NEW = forge.layer(
    forge.file("etc/motd", "hello\nmoon\n", mode=0o600),
    forge.symlink("etc/link", "motd"),
    created_by="COPY new /",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("diff")
    forge.write(forge.image(BASE, OLD, cmd=["/srv/app/one"], env={"A": "1"}, names="app:1"), place / "old.tar")
    forge.write(forge.image(BASE, NEW, cmd=["/bin/new"], env={"A": "2"}, names="app:2"), place / "new.tar",
                kind="oci-archive")  # fmt: skip
    forge.write(forge.image(BASE, NEW, cmd=["/bin/new"], env={"A": "2"}, names="app:2"), place / "again.tar")
    return place


def test_two_images(run_cli: Run, folder: Path, golden: Callable[[str, str], None]) -> None:
    done = run_cli("diff", "old.tar", "new.tar", "--text", cwd=folder)
    assert done.exit_code == 0 and done.stderr == ""
    lines = [line.strip() for line in done.stdout.splitlines()]
    for line in (
        "1 layer shared, the base, 3.58 kB of content",
        "~ /config/Env",
        "- A=1",
        "+ A=2",
        "Paths: 1 added, 5 removed, 1 changed",
        "+ /etc/link  -> motd",
        "~ /etc/motd  content 12 B to 11 B, mode 0644 to 0600",
        "-world",
        "+moon",
        "- /srv/  (4 paths below, 101 B)",
    ):
        assert line in lines, line
    assert "\x1b" not in done.stdout
    golden("diff.txt", done.stdout)


def test_every_path_on_request(run_cli: Run, folder: Path) -> None:
    out = run_cli("diff", "old.tar", "new.tar", "--all", cwd=folder).stdout
    assert "- /srv/app/uno  100 B" in out and "- /srv/\\x1b[31m\\xff  1 B" in out


def test_json_fits_its_schema(run_cli: Run, folder: Path) -> None:
    document = json.loads(run_cli("diff", "old.tar", "new.tar", "--json", "--text", cwd=folder).stdout)
    jsonschema.validate(document, schema_of("diff"))
    result = document["result"]
    assert (result["different"], result["exact"], result["layers"]["prefix"]) == (True, True, 1)
    assert (result["added"], result["removed"], result["changed"]) == (1, 5, 1)
    rows = {row["path"]: row for row in result["paths"]}
    assert rows["/etc/motd"]["fields"] == ["content", "mode"]
    assert rows["/etc/motd"]["text"][-2:] == ["-world", "+moon"]
    assert rows["/etc/motd"]["before"]["label"] == "L1" and rows["/etc/motd"]["after"]["label"] == "L2"
    assert rows["/srv/\x1b[31m\\xff"]["path_b64"] == "L3Nydi8bWzMxbf8="
    assert {"pointer": "argv", "kind": "changed", "before": ["/srv/app/one"], "after": ["/bin/new"]} in result[
        "process"
    ]


def test_the_same_image_in_two_formats_is_the_same(run_cli: Run, folder: Path) -> None:
    done = run_cli("diff", "new.tar", "again.tar", "--exit-code", "--strict", cwd=folder)
    assert done.exit_code == 0
    assert "Config: the same" in done.stdout and "Process: the same" in done.stdout
    assert "Paths: 0 added, 0 removed, 0 changed" in done.stdout
    assert (
        json.loads(run_cli("diff", "new.tar", "again.tar", "--json", cwd=folder).stdout)["result"]["different"] is False
    )


def test_exit_code_tells_only_when_asked(run_cli: Run, folder: Path) -> None:
    assert run_cli("diff", "old.tar", "new.tar", cwd=folder).exit_code == 0
    assert run_cli("diff", "old.tar", "new.tar", "--exit-code", cwd=folder).exit_code == 1
    assert run_cli("diff", "old.tar", "new.tar", "/etc/keep", "--exit-code", cwd=folder).exit_code == 0
    assert run_cli("diff", "old.tar", "new.tar", "/etc/motd", "--exit-code", cwd=folder).exit_code == 1


def test_two_layers_of_one_image_in_either_order(run_cli: Run, folder: Path) -> None:
    forth = run_cli("diff", "new.tar", "--layer", 1, "--layer", "L2", cwd=folder)
    assert "L1 to L1 against L1 to L2" in forth.stdout
    assert "Paths: 1 added, 0 removed, 1 changed" in forth.stdout and "Config" not in forth.stdout
    assert run_cli("diff", "new.tar", "--layer", 2, "--layer", 1, cwd=folder).stdout == forth.stdout


def test_a_path_that_is_a_text_file_shows_its_text(run_cli: Run, folder: Path) -> None:
    out = run_cli("diff", "old.tar", "new.tar", "/etc/motd", cwd=folder).stdout
    assert "@@ -1,2 +1,2 @@" in out and "Layers" not in out


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["old.tar"], 2),
        (["old.tar", "new.tar", "/etc", "/srv"], 2),
        (["old.tar", "--layer", "1"], 2),
        (["old.tar", "--layer", "1", "--layer", "1"], 2),
        (["old.tar", "--layer", "1", "--layer", "7"], 14),
        (["-", "-"], 2),
        (["old.tar", "absent.tar"], 14),
        (["old.tar", "new.tar", "/absent"], 14),
    ],
)
def test_what_cannot_be_compared(run_cli: Run, folder: Path, words: list[str], code: int) -> None:
    assert run_cli("diff", *words, cwd=folder).exit_code == code
