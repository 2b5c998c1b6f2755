"""wtf as a user calls it: findings, catalogue, one rule, and images that reproduce it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from imagepeel.findings.catalogue import RULES

Run = Callable[..., Any]
Make = Callable[..., Path]


def test_a_finding_shows_sentence_place_proof_and_fix(run_cli: Run, forge_archive: Make) -> None:
    done = run_cli("wtf", forge_archive("broken-entrypoint"))
    assert done.exit_code == 0
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert lines[2] == "high    CRLF-SHEBANG"
    assert any(line.startswith("It will not start on any engine") for line in lines)
    assert any(line.startswith("at     layer L2") and "/entrypoint.sh" in line for line in lines)
    assert any(line.startswith("fix    sed") for line in lines)


def test_the_proof_brings_a_deleted_secret_back(run_cli: Run, forge_archive: Make) -> None:
    out = run_cli("wtf", forge_archive("shop"), "--select", "DELETED-SECRET").stdout
    (proof,) = [line.strip().removeprefix("proof  ") for line in out.splitlines() if line.strip().startswith("proof")]
    back = subprocess.run(["bash", "-c", proof], capture_output=True, text=True, check=True).stdout
    assert back == "SHOP_DB_PASSWORD=this-is-not-a-real-password\nSHOP_API_KEY=EXAMPLE-KEY-0000-0000\n"
    assert "this-is-not" not in out


def test_json_fits_its_schema_in_all_three_shapes(run_cli: Run, forge_archive: Make) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(run_cli("schema", "wtf").stdout))
    shapes = [(forge_archive("control-characters"),), (forge_archive("shop"),), ("--list",), ("--explain", "W33")]
    kinds = []
    for words in shapes:
        document = json.loads(run_cli("wtf", "--json", *words).stdout)
        validator.validate(document)
        kinds.append(document["result"]["type"])
    assert kinds == ["findings", "findings", "rules", "rule"]


def test_list_names_every_rule(run_cli: Run) -> None:
    out = run_cli("wtf", "--list").stdout
    assert all(f"\n{rule.id} " in out for rule in RULES)
    assert f"{len(RULES)} rules." in out


def test_list_can_be_narrowed_to_a_lesson(run_cli: Run) -> None:
    result = json.loads(run_cli("wtf", "--list", "--json", "--select", "headcount").stdout)["result"]
    assert {rule["lesson"] for rule in result["rules"]} == {"headcount"}


@pytest.mark.parametrize("name", ["CRLF-SHEBANG", "w1", "F18"])
def test_explain_takes_ids_and_codes(run_cli: Run, name: str) -> None:
    out = run_cli("wtf", "--explain", name).stdout
    assert out.startswith("CRLF-SHEBANG   high\n\nThe first line of the script ends in CR LF\n")


def test_reproduce_writes_the_bad_image_and_its_twin(run_cli: Run, tmp_path: Path) -> None:
    bad, good = tmp_path / "bad.tar", tmp_path / "good.tar"
    assert run_cli("wtf", "--reproduce", "RESURRECTED", bad).exit_code == 0
    assert run_cli("wtf", "--reproduce", "RESURRECTED", "--repaired", good).exit_code == 0
    assert "RESURRECTED" in run_cli("wtf", bad).stdout
    assert "Nothing here surprises" in run_cli("wtf", good).stdout


def test_reproduce_overwrites_nothing(run_cli: Run, tmp_path: Path) -> None:
    there = tmp_path / "there.tar"
    there.write_text("mine")
    done = run_cli("wtf", "--reproduce", "DUP", there)
    assert done.exit_code == 2 and "exists already" in done.stderr
    assert there.read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--explain", "SHIPED-SECRET"], "SHIPPED-SECRET"),
        (["--select", "nothing", "x.tar"], "--list"),
        ([], "--list"),
    ],
)
def test_wrong_words_end_in_2_with_a_hint(run_cli: Run, words: list[str], hint: str) -> None:
    done = run_cli("wtf", *words)
    assert done.exit_code == 2 and hint in done.stderr


def test_ignore_leaves_rules_out(run_cli: Run, forge_archive: Make) -> None:
    shop = forge_archive("shop")
    every = json.loads(run_cli("wtf", "--json", shop).stdout)["result"]["findings"]
    fewer = json.loads(run_cli("wtf", "--json", "--ignore", "headcount", shop).stdout)["result"]["findings"]
    assert fewer == [finding for finding in every if finding["lesson"] != "headcount"]
    assert len(fewer) < len(every)


def test_text_of_the_image_cannot_write_on_the_terminal(run_cli: Run, forge_archive: Make) -> None:
    out = run_cli("wtf", "--receipts", forge_archive("control-characters")).stdout
    assert "\x1b" not in out and "\u202e" not in out and "\x07" not in out
    assert "CONTROL-CHARACTERS" in out


def test_damage_is_a_finding_and_the_code_is_that_of_every_command(run_cli: Run, forge_archive: Make) -> None:
    done = run_cli("wtf", forge_archive("wrong-digest", kind="oci-archive"))
    assert done.exit_code == 12
    assert "WRONG-DIGEST" in done.stdout


def test_counts_name_each_severity(run_cli: Run, forge_archive: Make) -> None:
    result = json.loads(run_cli("wtf", "--json", forge_archive("shop")).stdout)["result"]
    assert list(result["counts"]) == ["high", "medium", "low", "info"]
    assert sum(result["counts"].values()) == len(result["findings"])


def test_no_terminal_is_too_narrow_for_the_end_of_a_sentence(run_cli: Run, forge_archive: Make) -> None:
    """Paragraphs wrap, and a digest folds: at every width all characters of the widest output are there, in order."""
    path = forge_archive("shop")

    def told(columns: int) -> str:
        done = run_cli("wtf", path.name, cwd=path.parent, env={"COLUMNS": str(columns)})
        return "".join(done.stdout.split())

    whole = told(1000)
    assert "/srv/shop/.envofL4,removedbyL5" in whole
    assert [columns for columns in (60, 80, 90, 100, 120) if told(columns) != whole] == []
