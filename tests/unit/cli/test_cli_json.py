"""--json of every command against its published schema; the envelope; JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

import imagepeel
from imagepeel.cli import COMMANDS
from imagepeel.render.json_lines import line
from imagepeel.results.registry import TYPES

Run = Callable[..., Any]
Make = Callable[..., Path]

IMAGES = (
    "shop",
    "zoo",
    "wrong-digest",
    "missing-blob",
    "link-below",
    "broken-entrypoint",
    "no-command",
    "control-characters",
)
DOCUMENTS = [
    ["explain"], ["layers"], ["images"], ["process"], ["process", "--matrix"], ["process", "--receipts"],
]  # fmt: skip
LISTINGS = [["ls"], ["ls", "-R"], ["ls", "-R", "--layer", "1"], ["tree"], ["tree", "--layer", "1"], ["ls", "--kind"]]


def schema(run_cli: Run, command: str) -> Any:
    result = run_cli("schema", command)
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    jsonschema.Draft202012Validator.check_schema(found)
    return found


@pytest.mark.parametrize("words", DOCUMENTS, ids=" ".join)
def test_documents_fit_their_schema(words: list[str], run_cli: Run, forge_archive: Make) -> None:
    validator = jsonschema.Draft202012Validator(schema(run_cli, words[0]))
    for name in IMAGES:
        document = json.loads(run_cli(*words, "--json", forge_archive(name)).stdout)
        assert [error.message for error in validator.iter_errors(document)] == []
        assert document["schema"] == f"imagepeel/{words[0]}/1"
        assert document["imagepeel"] == imagepeel.__version__


@pytest.mark.parametrize("words", LISTINGS, ids=" ".join)
def test_each_line_of_a_listing_fits_its_schema(words: list[str], run_cli: Run, forge_archive: Make) -> None:
    validator = jsonschema.Draft202012Validator(schema(run_cli, words[0]))
    for name in IMAGES:
        lines = [json.loads(one) for one in run_cli(*words, "--json", forge_archive(name)).stdout.splitlines()]
        for one in lines:
            assert [error.message for error in validator.iter_errors(one)] == []
        assert [one["type"] for one in lines] == ["header"] + ["entry"] * (len(lines) - 1)
        assert lines[0]["schema"] == f"imagepeel/{words[0]}/1"
        assert len(lines) > 1


def test_version_and_forge_fit_their_schema(run_cli: Run, tmp_path: Path) -> None:
    for words in (["version"], ["forge", "--list"], ["forge", "hello", str(tmp_path / "hello.tar")]):
        document = json.loads(run_cli(*words, "--json").stdout)
        jsonschema.Draft202012Validator(schema(run_cli, words[0])).validate(document)


def test_every_command_with_json_has_a_schema(run_cli: Run) -> None:
    listed = run_cli("schema").stdout.split()
    assert listed == list(TYPES)
    for name in COMMANDS:
        words = ("cache", "info") if name == "cache" else (name,)
        takes_json = "--json " in run_cli(*words, "--help").stdout
        assert takes_json == (name in listed), name


def test_fields_of_the_schemas_are_described(run_cli: Run) -> None:
    for name in ("layers", "images", "ls", "process", "forge", "version"):
        for title, definition in schema(run_cli, name)["$defs"].items():
            assert definition.get("description"), (name, title)


def test_a_listing_carries_what_the_long_format_shows(run_cli: Run, forge_archive: Make) -> None:
    path = forge_archive("zoo")
    rows = {row["path"]: row for row in map(json.loads, run_cli("ls", "-R", "--json", path).stdout.splitlines())}
    assert rows["/bin/setuid"]["mode"] == "4755"
    assert rows["/bin/also"]["target"] == "mirror"
    assert rows["/dev/null"]["device"] == [1, 3] and rows["/dev/null"]["kind"] == "char"
    assert rows["/precise"]["mtime"] == "2024-01-01T00:00:00.123456789Z"
    assert rows["/big-uid"]["uid"] == 3_000_000
    assert rows["/bin/mirror"]["nlink"] == rows["/bin/same"]["nlink"] == 2
    assert rows["/tagged"]["xattrs"] == {"user.colour": "Ymx1ZQ=="}
    assert rows["/old"]["layer"] == 0 and rows["/old"]["label"] == "L1"
    implied = rows["/a-directory-with-a-rather-long-name"]
    assert implied["implied"] is True and "layer" not in implied and "mtime" not in implied


@pytest.mark.judge
def test_the_offset_of_an_entry_is_where_its_header_stands(run_cli: Run, forge_archive: Make) -> None:
    path = forge_archive("zoo", kind="layer", name="layer.tar")
    content = path.read_bytes()
    compared = 0
    for row in list(map(json.loads, run_cli("ls", "-R", "--json", path).stdout.splitlines()))[1:]:
        # One header block, of its own: no implied directory, no hardlink, no PAX or GNU header in front.
        if "layer_offset" in row and row.get("nlink", 1) == 1:
            header = content[row["layer_offset"] :][:512]
            prefix = header[345:500].rstrip(b"\0") if header[257:263] == b"ustar\0" else b""
            full = (prefix + b"/" if prefix else b"") + header[:100].rstrip(b"\0")
            name = full.decode("utf-8", "backslashreplace")
            compared += 1
            assert name.strip("/") == row["path"][1:] or header[156:157] in (b"x", b"L"), row
    assert compared > 10


def test_a_line_never_holds_a_character_that_a_terminal_obeys() -> None:
    loud = "\x1b\x9b\x7f\u202e\u2066\u200b\ufeff\u2028\U000e0041 ok é 漢"
    out = line({"name": loud})
    assert json.loads(out) == {"name": loud}
    assert all(char.isprintable() for char in out)
    assert "é 漢" in out


def test_a_line_survives_lone_surrogates() -> None:
    assert json.loads(line({"name": "a\udce9"})) == {"name": "a\udce9"}
