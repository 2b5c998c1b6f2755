"""`imagepeel check`: exit codes, thresholds, baselines, settings and formats, judged by their own readers."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import jsonschema
import pytest
from click.testing import Result

from imagepeel import forge
from imagepeel.cli import cli
from imagepeel.findings.finding import SEVERITIES
from runner import runner

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for name in ("hello", "shop", "broken-entrypoint", "control-characters", "wrong-digest"):
        forge.write(forge.build(name), folder / f"{name}.tar")
    return folder


def check(*arguments: object, cwd: Path | None = None, monkeypatch: pytest.MonkeyPatch | None = None) -> Result:
    if cwd is not None and monkeypatch is not None:
        monkeypatch.chdir(cwd)
    return runner().invoke(cli, ["check", *map(str, arguments)])


def severities(result: Result) -> list[str]:
    return [finding["severity"] for finding in json.loads(result.stdout)["result"]["new"]]


def test_a_start_failure_fails_the_gate_and_a_clean_image_passes(images: Path) -> None:
    assert check(images / "broken-entrypoint.tar").exit_code == 1
    assert check(images / "hello.tar").exit_code == 0


@pytest.mark.parametrize("limit", (*SEVERITIES, "none"))
def test_the_threshold_counts_that_severity_and_worse(images: Path, limit: str) -> None:
    result = check(images / "shop.tar", "--fail-on", limit, "--json")
    worst = SEVERITIES[: SEVERITIES.index(limit) + 1] if limit != "none" else ()
    assert result.exit_code == int(any(severity in worst for severity in severities(result)))
    assert json.loads(result.stdout)["result"]["passed"] is (result.exit_code == 0)


def test_a_digest_mismatch_is_a_finding_and_not_an_error(images: Path) -> None:
    result = check(images / "wrong-digest.tar")
    assert result.exit_code == 1 and "WRONG-DIGEST" in result.stdout


def test_what_is_no_image_has_the_exit_code_of_its_error(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(b"not an image at all\n" * 100)
    assert check(tmp_path / "x.tar").exit_code == 10
    assert check(tmp_path / "absent.tar").exit_code == 14


def test_select_and_ignore_by_id_code_and_lesson(images: Path) -> None:
    shop = images / "shop.tar"
    for name in ("DELETED-SECRET", "headcount"):
        selected = json.loads(check(shop, "--select", name, "--json").stdout)["result"]
        assert selected["new"] and all(name in (f["rule"], f["lesson"]) for f in selected["new"])
        ignored = json.loads(check(shop, "--ignore", name, "--json").stdout)["result"]
        assert all(name not in (f["rule"], f["lesson"]) for f in ignored["new"])
    assert check(shop, "--select", "NO-SUCH-RULE").exit_code == 2


def test_a_baseline_accepts_what_was_found_and_only_that(images: Path, tmp_path: Path) -> None:
    known = tmp_path / "known.json"
    first = check(images / "broken-entrypoint.tar", "--write-baseline", known)
    assert first.exit_code == 0 and known.exists()
    again = check(images / "broken-entrypoint.tar", "--baseline", known, "--json")
    result = json.loads(again.stdout)["result"]
    assert again.exit_code == 0 and result["new"] == [] and result["known"]
    other = json.loads(check(images / "shop.tar", "--baseline", known, "--json").stdout)["result"]
    assert other["new"] and other["stale"]


@pytest.mark.parametrize("content", ("", "[]", '{"schema": "other/1", "findings": []}', '{"findings": 5}', "\x00"))
def test_a_damaged_baseline_is_a_usage_error(images: Path, tmp_path: Path, content: str) -> None:
    known = tmp_path / "known.json"
    known.write_text(content)
    assert check(images / "hello.tar", "--baseline", known).exit_code == 2
    assert check(images / "hello.tar", "--baseline", tmp_path / "absent").exit_code == 2


@pytest.mark.parametrize(
    ("name", "head"), (("imagepeel.toml", "[check]"), ("pyproject.toml", "[tool.imagepeel.check]"))
)
def test_settings_of_the_directory(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, head: str
) -> None:
    (tmp_path / name).write_text(f'{head}\nfail-on = "low"\nignore = ["headcount"]\n')
    result = check(images / "shop.tar", "--json", cwd=tmp_path, monkeypatch=monkeypatch)
    assert result.exit_code == 1
    assert all(finding["lesson"] != "headcount" for finding in json.loads(result.stdout)["result"]["new"])
    assert check(images / "shop.tar", "--fail-on", "none", cwd=tmp_path, monkeypatch=monkeypatch).exit_code == 0


@pytest.mark.parametrize("line", ("fail_onn = 'low'", "fail-on = 5", "select = 'x'", "= broken"))
def test_wrong_settings_are_usage_errors(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    (tmp_path / "imagepeel.toml").write_text(f"[check]\n{line}\n")
    assert check(images / "hello.tar", cwd=tmp_path, monkeypatch=monkeypatch).exit_code == 2


@pytest.mark.parametrize("name", ("hello", "shop", "broken-entrypoint", "control-characters"))
def test_sarif_validates_against_the_schema_of_oasis(images: Path, name: str) -> None:
    schema = json.loads((DATA / "sarif-2.1.0.schema.json").read_text())
    result = check(images / f"{name}.tar", "--format", "sarif")
    log = json.loads(result.stdout)
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(log)
    run = log["runs"][0]
    for found in run["results"]:
        assert run["tool"]["driver"]["rules"][found["ruleIndex"]]["id"] == found["ruleId"]


@pytest.mark.parametrize("name", ("hello", "shop", "control-characters"))
def test_junit_is_xml_with_a_case_for_each_rule(images: Path, name: str) -> None:
    result = check(images / f"{name}.tar", "--format", "junit", "--fail-on", "medium")
    suite = ElementTree.fromstring(result.stdout).find("testsuite")
    assert suite is not None
    cases = suite.findall("testcase")
    failures = [case for case in cases if case.find("failure") is not None]
    assert suite.get("tests") == str(len(cases)) and suite.get("failures") == str(len(failures))
    assert bool(failures) is (result.exit_code == 1)


def hostile_image(path: Path, texts: Sequence[str]) -> None:
    """An image whose names, labels, user and history try to speak for the tool."""
    entries = [
        forge.file(f"srv/{n}{text}/.env", "API_KEY=0123456789abcdef0123456789abcdef\n") for n, text in enumerate(texts)
    ]
    layer = forge.layer(*entries, created_by=f"RUN echo {texts[0]}")
    spec = forge.image(
        layer,
        forge.layer(*(forge.whiteout(f"srv/{n}{text}/.env") for n, text in enumerate(texts))),
        entrypoint=[f"/missing{texts[0]}"],
        user=f"ghost{texts[0]}",
        labels={"x": texts[0]},
        names="hostile:1",
    )
    forge.write(spec, path)


ATTACKS = (
    "\n::error title=forged::owned",
    "\r\n::set-output name=x::y",
    "\x1b]0;owned\x07\x1b[2J",
    "</failure><failure>forged",
    "| forged | row |\n|---|",
    "`$(id)`<script>alert(1)</script>",
    "\u202efdp.exe",
    "@everyone [link](http://x)",
)


@pytest.mark.parametrize("form", ("text", "github", "gitlab", "markdown", "junit", "sarif", "json"))
def test_no_finding_can_forge_anything(tmp_path: Path, form: str) -> None:
    hostile_image(tmp_path / "h.tar", ATTACKS)
    result = check(tmp_path / "h.tar", "--format", form)
    assert result.exit_code == 1
    out = result.stdout
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", out)
    if form == "github":
        lines = [line for line in out.splitlines() if line.startswith("::")]
        assert all(re.match(r"::(error|warning|notice) title=[A-Z0-9-]+ ", line) for line in lines)
        assert not any(line.startswith(("::set-output", "::error title=forged")) for line in out.splitlines())
    if form == "markdown":
        new = json.loads(check(tmp_path / "h.tar", "--json").stdout)["result"]["new"]
        entries = [line for line in out.splitlines() if line.startswith("- ")]
        assert [re.search(r"\*\*([A-Z\\-]+)\*\* ", line)[1].replace("\\", "") for line in entries] == [
            finding["rule"] for finding in new
        ]
        assert "<script>" not in out
    if form == "junit":
        assert ElementTree.fromstring(out).find("testsuite") is not None
    if form in ("sarif", "json", "gitlab"):
        json.loads(out)


@pytest.mark.parametrize("form", ("text", "json", "sarif", "junit", "gitlab", "github", "markdown", "html"))
def test_the_same_image_gives_the_same_bytes(images: Path, form: str) -> None:
    first, second = (check(images / "shop.tar", "--format", form).stdout_bytes for _ in range(2))
    assert first == second
