"""imagepeel find: what its options ask for and how it writes answers."""

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
SPEC = forge.image(
    forge.layer(
        forge.directory("etc"),
        forge.file("etc/passwd", "root:x:0:0::/:\nweb:x:33:44::/:\nweb:x:99:99::/:\n"),
        forge.file("etc/group", "root:x:0:\nstaff:x:50:\n"),
        forge.directory("srv", uid=33),
        forge.file("srv/page", b"x" * 1024, uid=33, gid=50, mtime=1_714_521_600),
        forge.file(b"srv/\x1b[31m\xff", b"y" * 1025, mode=0o666),
        forge.file("srv/su", b"", mode=0o4755),
        forge.file("srv/gone", b"bytes"),
    ),
    forge.layer(forge.whiteout("srv/gone")),
    names="find:1",
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return forge.write(SPEC, tmp_path_factory.mktemp("find") / "find.tar")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["passwd", "gr*"], ["/etc/group", "/etc/passwd"]),
        (["--type", "d"], ["/", "/etc", "/srv"]),
        (["srv/*", "--larger", "1K", "--type", "f"], ["/srv/\\x1b[31m\\xff"]),
        (["--larger", "1023", "--smaller", "1.001kB"], []),
        (["--larger", "1023", "--smaller", "1.025kB"], ["/srv/page"]),
        (["--setuid"], ["/srv/su"]),
        (["--writable", "--type", "f"], ["/srv/\\x1b[31m\\xff"]),
        (["--owner", "web"], ["/srv", "/srv/page"]),
        (["--owner", "web:staff"], ["/srv/page"]),
        (["--owner", ":50"], ["/srv/page"]),
        (["--newer", "2024-04-30T23:59:59Z"], ["/srv/page"]),
        (["--newer", "2024-05-01"], []),
        (["gone"], []),
        (["gone", "--removed"], ["/srv/gone  [L1 has it, removed by L2]"]),
        (["--layer", "2"], ["/srv/gone  [removed by L2: a whiteout]"]),
        (["--layer", "1", "--owner", "web", "--type", "f"], ["/srv/page"]),
    ],
)
def test_options_select(run_cli: Run, path: Path, words: list[str], expected: list[str]) -> None:
    done = run_cli("find", path, *words)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines() == expected


def test_null_writes_exact_bytes_and_json_both_forms(run_cli: Run, path: Path) -> None:
    assert run_cli("find", path, "--writable", "--type", "f", "-0").stdout_bytes == b"/srv/\x1b[31m\xff\0"
    lines = [json.loads(line) for line in run_cli("find", path, "srv/*", "--json").stdout.splitlines()]
    for line in lines:
        jsonschema.validate(line, schema_of("find"))
    assert lines[0]["where"] == "view" and lines[0]["patterns"] == ["srv/*"]
    assert [line["path"] for line in lines[1:]] == ["/srv/\x1b[31m\\xff", "/srv/page", "/srv/su"]
    assert lines[1]["path_b64"] == "L3Nydi8bWzMxbf8="
    removed = [json.loads(line) for line in run_cli("find", path, "--removed", "--json").stdout.splitlines()]
    assert [(x["path"], x["fate"], x["layer"], x["hidden_by"]) for x in removed[1:]] == [("/srv/gone", "removed", 0, 1)]


@pytest.mark.parametrize(
    "words",
    [
        ["--larger", "much"],
        ["--newer", "yesterday"],
        ["--type", "q"],
        ["--owner", "nobody-here"],
        ["[z-a]"],
        ["--type"],
    ],
)
def test_what_cannot_be_asked_is_a_usage_error(run_cli: Run, path: Path, words: list[str]) -> None:
    assert run_cli("find", path, *words).exit_code == 2


def test_a_layer_that_is_not_there_is_not_found(run_cli: Run, path: Path) -> None:
    assert run_cli("find", path, "--layer", "9").exit_code == 14
    assert run_cli("find", path, "--layer", "9", "--removed").exit_code == 14
