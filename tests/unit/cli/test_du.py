"""imagepeel du: tables that add up."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema

from imagepeel import forge
from imagepeel.render.schemas import schema_of

Run = Callable[..., Any]
Make = Callable[..., Path]


def numbers(line: str) -> list[int]:
    return [int(word.replace(",", "")) for word in line.split() if word.replace(",", "").isdigit()]


def test_every_column_of_the_layers_adds_up(run_cli: Run, forge_archive: Make) -> None:
    lines = run_cli("du", forge_archive("shop"), "--bytes").stdout.splitlines()
    rows = [numbers(line)[-8:] for line in lines if line.startswith("L") and line[1:2].isdigit()]
    (total,) = [numbers(line) for line in lines if line.startswith("sum ") and len(numbers(line)) == 8]
    assert len(rows) == 8
    assert [sum(column) for column in zip(*rows, strict=True)] == total
    for _, content, framing, files, visible, shadowed, removed, overwritten in [*rows, total]:
        assert content == framing + files
        assert files == visible + shadowed + removed + overwritten


def test_directories_beyond_top_stand_in_one_row_and_add_up(run_cli: Run, tmp_path: Path) -> None:
    files = [forge.file(f"d{n}/file", b"x" * (10 * n)) for n in range(1, 8)] + [forge.file("here", b"abc")]
    path = forge.write(forge.image(forge.layer(*files)), tmp_path / "i.tar")
    lines = run_cli("du", path, "--top", 2, "--bytes", "--files", 0).stdout.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("/ in the runtime view"))
    table = [line.split(maxsplit=4) for line in lines[start + 2 :]]
    assert table[0] == ["70", "1", "24.7", "%", "/d7"]
    assert table[1] == ["60", "1", "21.2", "%", "/d6"]
    assert table[2] == ["150", "5", "53.0", "%", "(5 more directories)"]
    assert table[3] == ["3", "1", "1.1", "%", "(files in / itself)"]
    assert table[4] == ["283", "8", "sum"]


def test_json_fits_its_schema_and_names_what_nobody_can_reach(run_cli: Run, tmp_path: Path) -> None:
    spec = forge.image(
        forge.layer(forge.file(b"secret-\xff", b"#!/bin/sh\n"), forge.file("etc/conf", b"old")),
        forge.layer(forge.whiteout(b"secret-\xff"), forge.file("etc/conf", b"newer")),
    )
    path = forge.write(spec, tmp_path / "i.tar")
    document = json.loads(run_cli("du", path, "--json", "--kind").stdout)
    jsonschema.validate(document, schema_of("du"))
    result = document["result"]
    assert [(f["path"], f["fate"], f["layer"], f["by"], f["stored"]) for f in result["unreachable"]] == [
        ("/secret-\\xff", "removed", 0, 1, 10), ("/etc/conf", "shadowed", 0, 1, 3)]  # fmt: skip
    assert result["unreachable"][0]["path_b64"] == "L3NlY3JldC3/"
    assert "script" in result["unreachable"][0]["kind"]
    assert [(f["path"], f["stored"], f["label"]) for f in result["largest"]] == [("/etc/conf", 5, "L2")]
    assert result["total"]["stored"] == 5 and result["layers"][0]["removed"] == 10


def test_a_path_that_is_not_there_is_not_found(run_cli: Run, forge_archive: Make) -> None:
    assert run_cli("du", forge_archive("shop"), "/absent").exit_code == 14


def test_an_image_without_layers_is_empty(run_cli: Run, tmp_path: Path) -> None:
    done = run_cli("du", forge.write(forge.image(), tmp_path / "i.tar"))
    assert done.exit_code == 0 and "no layers" in done.stdout


def test_the_table_of_the_teaching_image(run_cli: Run, forge_archive: Make, golden: Callable[[str, str], None]) -> None:
    path = forge_archive("shop")
    golden("du-shop.txt", run_cli("du", path.name, "--depth", 2, "--top", 3, cwd=path.parent).stdout)


def test_numbers_stay_whole_on_narrow_terminals(run_cli: Run, forge_archive: Make) -> None:
    """Columns go, from the left, before a number is cut; what is left over of the sums is the same."""
    path = forge_archive("shop")
    wide = next(line for line in run_cli("du", path).stdout.splitlines() if line.startswith("sum")).split()[-2:]
    for columns in (60, 80, 100):
        lines = run_cli("du", path.name, env={"COLUMNS": str(columns)}, cwd=path.parent).stdout.splitlines()
        head = next(line for line in lines if "= visible" in line)
        total = next(line for line in lines if line.startswith("sum"))
        assert head.endswith("+ overwritten") and max(len(head), len(total)) <= columns
        assert total.split()[-2:] == wide and all(len(line) <= columns for line in lines)
