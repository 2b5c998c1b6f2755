"""What `imagepeel check` reads beside archives: suppressions hold as long as they say, and errors name their file."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from imagepeel import forge

junitparser = pytest.importorskip("junitparser")
Run = Callable[..., Any]
DATA = Path(__file__).parents[2] / "data"
TODAY = datetime.datetime.now(datetime.UTC).date()
TOKEN = "ghp_" + "0aZ1bY2cX3dW4eV5fU6gT7hS8iR9jQ0kP1lO"
PAST, COMING = (str(TODAY + datetime.timedelta(days=days)) for days in (-2, 2))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with an image that ships two secrets and starts."""
    files = [forge.file(f"{name}/.env", f"GITHUB_TOKEN={TOKEN}\n") for name in ("app", "srv")]
    hello = forge.build("hello")
    for name in ("a", "b"):
        spec = forge.image(*hello.layers, forge.layer(*files), names=f"{name}:1", entrypoint=["/hello"])
        forge.write(spec, tmp_path / f"{name}.tar")
    forge.write(hello, tmp_path / "hello.tar")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settings(*suppressions: dict[str, str], head: str = "") -> None:
    lines = [head] if head else []
    for one in suppressions:
        lines.append("[[suppress]]")
        for name, value in one.items():
            lines.append(f"{name} = {value}" if name == "until" else f'{name} = "{value}"')
    Path("imagepeel.toml").write_text("\n".join(lines) + "\n")


def result(run_cli: Run, *words: Any) -> dict[str, Any]:
    done = run_cli("check", *words, "--json")
    assert done.exit_code in (0, 1), done.stderr
    found: dict[str, Any] = json.loads(done.stdout)["result"]
    return found


def keys(found: dict[str, Any], name: str = "new") -> set[str]:
    return {(one["finding"] if name != "new" else one)["key"] for one in found[name] if "SECRET" in json.dumps(one)}


BOTH = {"SHIPPED-SECRET /app/.env", "SHIPPED-SECRET /srv/.env"}
WHY = {"rule": "SHIPPED-SECRET", "reason": "a key of the test server"}


@pytest.mark.parametrize(
    ("suppression", "left"),
    [
        ({}, set()),
        ({"where": "/app/.env"}, {"SHIPPED-SECRET /srv/.env"}),
        ({"where": "/*/.env"}, set()),
        ({"where": "/app"}, BOTH),
        ({"archive": "a.tar"}, set()),
        ({"archive": "[b-z]*"}, BOTH),
        ({"until": COMING}, set()),
        ({"until": str(TODAY)}, set()),
        ({"until": PAST}, BOTH),
        ({"rule": "CRLF-SHEBANG"}, BOTH),
    ],
)
def test_a_suppression_is_about_its_rule_place_archive_and_days(
    here: Path, run_cli: Run, suppression: dict[str, str], left: set[str]
) -> None:
    settings({**WHY, **suppression})
    found = result(run_cli, "a.tar")
    assert keys(found) == left and keys(found, "suppressed") == BOTH - left
    assert found["passed"] is not bool(left)
    assert run_cli("check", "a.tar").exit_code == (1 if left else 0)


def test_an_expired_suppression_fails_with_a_line_that_says_so(here: Path, run_cli: Run) -> None:
    settings({**WHY, "where": "/app/.env", "until": PAST}, head='[check]\nfail-on = "high"')
    for form in ("text", "junit", "github", "markdown", "gitlab", "sarif"):
        done = run_cli("check", "a.tar", "--format", form)
        assert done.exit_code == 1
        said = done.stdout.replace("\\", "").lower()
        assert f"its suppression has expired: shipped-secret /app/.env (until {PAST}, imagepeel.toml, line 3): " in said


def test_an_unused_suppression_is_said_unless_a_part_is_not_known(here: Path, run_cli: Run) -> None:
    settings({**WHY, "where": "/gone/.env"}, {**WHY, "where": "/app/.env"})
    assert [one["where"] for one in result(run_cli, "a.tar")["unused"]] == ["/gone/.env"]
    assert "it is about nothing that was found" in run_cli("check", "a.tar").stdout
    # Of several archives it is unused where none has it.
    several = result(run_cli, "hello.tar", "a.tar")
    assert [one["where"] for one in several["unused"]] == ["/gone/.env"]
    assert all(one["unused"] == [] for one in several["outcomes"])
    assert json.loads(run_cli("check", "a.tar", "absent.tar", "--json").stdout)["result"]["unused"] == []
    # A rule that is not asked finds nothing either.
    assert result(run_cli, "a.tar", "--ignore", "SHIPPED-SECRET")["unused"] == []


def test_every_format_tells_what_is_suppressed_and_why(here: Path, run_cli: Run) -> None:
    settings({**WHY, "until": COMING})
    run_cli("check", "a.tar", "--output", "sarif=o.sarif,junit=o.xml,gitlab=o.json,github=o.txt")
    log = json.loads(Path("o.sarif").read_text())
    jsonschema.Draft202012Validator(json.loads((DATA / "sarif-2.1.0.schema.json").read_text())).validate(log)
    held = [one for one in log["runs"][0]["results"] if one["ruleId"] == "SHIPPED-SECRET"]
    assert len(held) == 2
    for one in held:
        (suppression,) = one["suppressions"]
        place = suppression["location"]["physicalLocation"]
        assert suppression["justification"] == f"a key of the test server (until {COMING})"
        assert (place["artifactLocation"]["uri"], place["region"]) == ("imagepeel.toml", {"startLine": 1})
    report = junitparser.JUnitXml.fromfile("o.xml")
    assert (report.failures, report.skipped) == (0, 2)
    assert "SHIPPED-SECRET" not in Path("o.json").read_text() + Path("o.txt").read_text()
    told = run_cli("check", "a.tar").stdout
    assert told.count("a key of the test server") == 2 and "2 suppressed" in told


def test_a_baseline_does_not_take_over_what_is_suppressed(here: Path, run_cli: Run) -> None:
    settings({**WHY, "where": "/app/.env"})
    run_cli("check", "a.tar", "--write-baseline", "known.json")
    known = {one["key"] for one in json.loads(Path("known.json").read_text())["findings"]}
    assert known & BOTH == {"SHIPPED-SECRET /srv/.env"}


def test_the_reason_cannot_speak_for_the_tool(here: Path, run_cli: Run) -> None:
    settings(
        {**WHY, "reason": r"\n::error::forged \u001b[2J ghp_" + "0123456789abcdefghijABCDEFGHIJ012345", "until": PAST}
    )
    for form in ("text", "github", "junit", "sarif", "markdown"):
        out = run_cli("check", "a.tar", "--format", form).stdout
        assert "\x1b" not in out and TOKEN not in out
        assert not any(line.startswith("::error::") for line in out.splitlines())


@pytest.mark.parametrize(
    ("text", "where", "what", "hint"),
    [
        ("[check]\n\nfoo = 1", "imagepeel.toml, line 3", "unknown setting 'foo'", "known are"),
        ("[check]\nfail_onn = 'low'", "imagepeel.toml, line 2", "unknown setting 'fail_onn'", "did you mean fail-on?"),
        ("# x\n[check]\nfail-on = 5", "imagepeel.toml, line 3", "", ""),
        ("[check]\nfail-on = 'bad'", "imagepeel.toml, line 2", "no severity 'bad'", "use high"),
        ("[check]\nmax-size = 'big'", "imagepeel.toml, line 2", "'big', which is no size", ""),
        ("[check]\nselect = ['SHIPED-SECRET']", "imagepeel.toml, line 2", "SHIPED-SECRET", "mean SHIPPED-SECRET"),
        ("[chek]\nfail-on = 'low'", "imagepeel.toml", "unknown table or setting 'chek'", "did you mean [check]?"),
        ("fail-on = 'low'", "imagepeel.toml", "unknown table or setting 'fail-on'", "did you mean [check]?"),
        ("[check\n", "imagepeel.toml", "no TOML", ""),
        ("[check]\nbaseline = 'no.json'", "no.json", "the baseline no.json cannot be read", "--write-baseline"),
        ("suppress = 1", "imagepeel.toml", "no list of tables", "[[suppress]]"),
        ("[[suppress]]\nrule = 'NO-SUCH'\nreason = 'x'", "imagepeel.toml, line 1", "no rule 'NO-SUCH'", ""),
        ("\n[[suppress]]\nrule = 'CRLF-SHEBANG'", "imagepeel.toml, line 2", "has no reason", "reason ="),
        ("[[suppress]]\nrule = 'CRLF-SHEBANG'\nreason = ' '", "imagepeel.toml, line 1", "has no reason", ""),
        ("[[suppress]]\nreason = 'x'", "imagepeel.toml, line 1", "names no rule", ""),
        ("[[suppress]]\nrule = 'CRLF-SHEBANG'\nreason = 'x'\npath = '/'", "imagepeel.toml, line 1", "'path'", "where"),
        ("[[suppress]]\nrule = 'CRLF-SHEBANG'\nreason = 'x'\nuntil = 'soon'", "imagepeel.toml, line 1", "no day", ""),
        ("[[suppress]]\nrule = 'CRLF-SHEBANG'\nreason = 'x'\nuntil = 2027", "imagepeel.toml, line 1", "no day", ""),
        ("[[suppress]]\nrule = 3\nreason = 'x'", "imagepeel.toml, line 1", "rule of a suppression is no text", ""),
        # Where a line cannot be told for certain, none is.
        ("suppress = [{rule = 'CRLF-SHEBANG'}]", "imagepeel.toml", "has no reason", ""),
    ],
)  # fmt: skip
def test_an_error_of_the_settings_names_their_file_and_line(
    here: Path, run_cli: Run, text: str, where: str, what: str, hint: str
) -> None:
    Path("imagepeel.toml").write_text(text + "\n")
    done = run_cli("check", "hello.tar")
    error, place, try_this = done.stderr.splitlines()
    assert done.exit_code == 2 and done.stdout == ""
    assert place == f"where: {where}" and what in error and hint in try_this


@pytest.mark.parametrize(
    ("words", "where", "hint"),
    [
        (["--baseline", "absent.json"], "absent.json", "--write-baseline"),
        (["--baseline", "hello.tar"], "hello.tar", "--write-baseline"),
        (["--config", "absent.toml"], "absent.toml", "check the path"),
        (["--select", "SHIPED-SECRET"], "the command line", "did you mean SHIPPED-SECRET"),
        (["--select", "nope"], "the command line", "imagepeel wtf --list"),
        (["--select", "CRLF"], "the command line", "did you mean CRLF-SHEBANG"),
        (["--max-size", "big"], "the command line", "write 200MB"),
        (["--max-growth", "1%"], "the command line", "--against"),
    ],
)
def test_an_error_of_the_command_line_names_no_archive(
    here: Path, run_cli: Run, words: list[str], where: str, hint: str
) -> None:
    done = run_cli("check", "a.tar", *words)
    _, place, try_this = done.stderr.splitlines()
    assert done.exit_code == 2 and place == f"where: {where}" and hint in try_this


def test_pyproject_has_the_same_tables_and_others_stay_alone(here: Path, run_cli: Run) -> None:
    head, rest = '[tool.other]\nfoo = 1\n[tool.imagepeel.check]\nfail-on = "info"\n', "rule = 'SHIPPED-SECRET'\n"
    Path("pyproject.toml").write_text(f"{head}[[tool.imagepeel.suppress]]\n{rest}reason = 'x'\n")
    found = result(run_cli, "a.tar")
    assert keys(found, "suppressed") == BOTH and found["suppressed"][0]["suppression"]["line"] == 5
    assert found["fail_on"] == "info"
    Path("pyproject.toml").write_text(f"{head}foo = 1\n")
    assert run_cli("check", "a.tar").stderr.splitlines()[1] == "where: pyproject.toml, line 5"
    Path("pyproject.toml").write_text("[tool.other]\nfoo = 1\n")
    assert run_cli("check", "hello.tar").exit_code == 0
