"""`imagepeel check` of several archives into several files: each has its own rows, and nothing is half-written."""

from __future__ import annotations

import gzip
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest

import imagepeel
from imagepeel import forge
from imagepeel.cli.check import FORMATS
from imagepeel.cli.outputs import read_outputs
from imagepeel.errors import UsageError
from imagepeel.render import sarif

junitparser = pytest.importorskip("junitparser")
loader = pytest.importorskip("sarif.loader")
Run = Callable[..., Any]
DATA = Path(__file__).parents[2] / "data"


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("hello", "shop", "broken-entrypoint"):
        forge.write(forge.build(name), tmp_path / f"{name}.tar")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def two_images(path: Path) -> None:
    """An archive of two unlike images, of which none is meant more than the other."""
    specs = [
        forge.image(forge.layer(forge.file("a", text)), names=name, entrypoint=["/a"])
        for name, text in (("one:1", "1\n"), ("two:1", "2\n"))
    ]
    forge.write(specs, path, kind="docker-save-25")


def rules_of(outcome: Any) -> list[str]:
    return [finding["rule"] for finding in outcome["new"]]


# ---- several archives -------------------------------------------------------------------------------------------


def test_each_archive_has_the_outcome_that_it_has_alone(images: Path, run_cli: Run) -> None:
    names = ("hello.tar", "shop.tar", "broken-entrypoint.tar")
    done = run_cli("check", *names, "--json")
    result = json.loads(done.stdout)["result"]
    alone = [json.loads(run_cli("check", name, "--json").stdout)["result"] for name in names]
    assert result["outcomes"] == alone and result["type"] == "images"
    assert done.exit_code == max(run_cli("check", name).exit_code for name in names) == result["exit_code"] == 1


def test_what_cannot_be_read_costs_its_own_row(images: Path, run_cli: Run) -> None:
    (images / "noise.tar").write_bytes(b"no image at all\n" * 99)
    cut = (images / "shop.tar").read_bytes()
    (images / "cut.tar").write_bytes(cut[: len(cut) * 2 // 3])
    names = ("noise.tar", "hello.tar", "absent.tar", "cut.tar", "broken-entrypoint.tar")
    done = run_cli("check", *names, "--json", "--fail-on", "none")
    result = json.loads(done.stdout)["result"]
    errors = {error["archive"]: error["exit_code"] for error in result["not_checked"]}
    alone = {name: run_cli("check", name, "--fail-on", "none").exit_code for name in names}
    assert errors == {name: code for name, code in alone.items() if code}
    assert done.exit_code == max(alone.values()) == alone["absent.tar"] == 14
    assert [one["image"]["archive"] for one in result["outcomes"]] == ["hello.tar", "cut.tar", "broken-entrypoint.tar"]
    assert {error["archive"] for error in result["not_checked"] if error["partly"]} == {"cut.tar"}
    for name in errors:
        assert re.search(rf"(?m)^where: {re.escape(name)}", done.stderr)


def test_an_archive_that_breaks_imagepeel_costs_its_own_row(
    images: Path, run_cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = imagepeel.Image.findings

    def findings(self: imagepeel.Image, **given: Any) -> Any:
        if "shop" in self.archive.name:
            raise RecursionError("too deep")
        if "broken" in self.archive.name:
            raise OSError(5, "Input/output error", "broken-entrypoint.tar")
        return judged(self, **given)

    monkeypatch.setattr(imagepeel.Image, "findings", findings)
    done = run_cli("check", "shop.tar", "broken-entrypoint.tar", "hello.tar", "--json")
    result = json.loads(done.stdout)["result"]
    assert done.exit_code == 70 and [one["image"]["archive"] for one in result["outcomes"]] == ["hello.tar"]
    assert [(one["archive"], one["exit_code"]) for one in result["not_checked"]] == [
        ("shop.tar", 70), ("broken-entrypoint.tar", 70),
    ]  # fmt: skip
    assert "internal error: RecursionError" in done.stderr and "Input/output error" in done.stderr
    assert "Traceback" in run_cli("check", "shop.tar", "hello.tar", "--debug").stderr


def test_json_of_several_follows_its_schema(images: Path, run_cli: Run) -> None:
    schema = json.loads(run_cli("schema", "check").stdout)
    Path("Dockerfile").write_text("FROM scratch\nRUN rm .env\n")
    for words in (("hello.tar", "absent.tar", "shop.tar"), ("shop.tar", "--dockerfile", "Dockerfile")):
        jsonschema.Draft202012Validator(schema).validate(json.loads(run_cli("check", *words, "--json").stdout))


def test_the_order_and_the_number_of_archives_change_no_outcome(images: Path, run_cli: Run) -> None:
    first = json.loads(run_cli("check", "hello.tar", "shop.tar", "--json").stdout)["result"]["outcomes"]
    second = json.loads(run_cli("check", "shop.tar", "hello.tar", "--json").stdout)["result"]["outcomes"]
    assert first == second[::-1]


def test_all_takes_every_image_of_an_archive_that_asks_for_a_choice(images: Path, run_cli: Run) -> None:
    two_images(images / "two.tar")
    assert run_cli("check", "two.tar").exit_code == 15
    done = run_cli("check", "two.tar", "--all", "--json")
    outcomes = json.loads(done.stdout)["result"]["outcomes"]
    with imagepeel.open("two.tar") as archive:
        assert [one["image"]["digest"] or one["image"]["image_id"] for one in outcomes] == [
            image.digest or image.id for image in archive.images()
        ]
    told = run_cli("check", "two.tar", "--all").stdout
    assert "two.tar #1" in told and "two.tar #2" in told


def test_the_baseline_of_several_archives_accepts_them_all(images: Path, run_cli: Run) -> None:
    names = ("shop.tar", "broken-entrypoint.tar")
    assert run_cli("check", *names, "--write-baseline", "known.json").exit_code == 0
    done = run_cli("check", *names, "--baseline", "known.json", "--fail-on", "info", "--json")
    result = json.loads(done.stdout)["result"]
    assert done.exit_code == 0 and not any(rules_of(one) for one in result["outcomes"]) and result["stale"] == []
    # What only the image that is not checked has is gone; of one that cannot be read nobody knows.
    hello = json.loads(run_cli("check", "hello.tar", "shop.tar", "--baseline", "known.json", "--json").stdout)["result"]
    assert {one["key"] for one in hello["stale"]} and all(one["stale"] == [] for one in hello["outcomes"])
    absent = run_cli("check", "shop.tar", "absent.tar", "--baseline", "known.json", "--json")
    assert json.loads(absent.stdout)["result"]["stale"] == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("-", "-"), "standard input can be read only once"),
        (("-", "--against", "-"), "standard input can be read only once"),
        (("hello.tar", "hello.tar"), "named twice"),
        (("hello.tar", "shop.tar", "--against", "hello.tar"), "--against is the former version of one image"),
        (("shop.tar", "--all", "--against", "hello.tar"), "--against is the former version of one image"),
        (("shop.tar", "--all", "--platform", "linux/amd64"), "--all takes every image"),
    ],
)
def test_contradictions_are_said_before_anything_is_read(
    images: Path, run_cli: Run, words: tuple[str, ...], told: str
) -> None:
    done = run_cli("check", *words)
    assert done.exit_code == 2 and told in done.stderr and done.stdout == ""
    assert "where: the command line" in done.stderr


# ---- several files ----------------------------------------------------------------------------------------------


def test_each_file_has_what_format_writes_to_standard_output(images: Path, run_cli: Run) -> None:
    words = ",".join(f"{form}=out.{form}" for form in FORMATS)
    done = run_cli("check", "shop.tar", "--output", words, "--fail-on", "none")
    assert done.exit_code == 0 and done.stdout == (images / "out.text").read_text()
    for form in FORMATS:
        alone = run_cli("check", "shop.tar", "--format", form, "--fail-on", "none")
        assert (images / f"out.{form}").read_text() == alone.stdout, form


def test_output_may_be_repeated_and_a_comma_may_be_in_a_name() -> None:
    found = read_outputs(["sarif=a,b.sarif,junit=out.xml", "json=x=y.json"], FORMATS)
    assert found == (("sarif", "a,b.sarif"), ("junit", "out.xml"), ("json", "x=y.json"))
    with pytest.raises(UsageError, match="no format 'sariff'") as error:
        read_outputs(["junit=a.xml,sariff=b"], FORMATS)
    assert error.value.hint == "did you mean sarif=b?"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["sarif=a,junit=./a"], "a is to be written twice"),
        (["sarif=hello.tar"], "hello.tar is the archive that is read"),
        (["sarif=link.tar"], "link.tar is the archive that is read"),
        (["json=known.json", "--baseline", "known.json"], "known.json is a file that is read"),
        (["json=new.json", "--write-baseline", "new.json"], "new.json is to be written twice"),
        (["json=imagepeel.toml"], "imagepeel.toml is a file that is read"),
        (["xml=a"], "--output has no format 'xml'"),
        (["sarif"], "--output is 'sarif'"),
        (["sarif="], "--output is 'sarif='"),
        (["sarif=-"], "--output writes files"),
        (["sarif=absent/a.sarif"], "absent/a.sarif cannot be written"),
        (["sarif=folder"], "folder is a directory"),
        (["junit=first.xml", "--output", "sarif=absent/a.sarif"], "absent/a.sarif cannot be written"),
    ],
)
def test_a_file_that_cannot_be_written_is_one_error_before_anything_is_read(
    images: Path, run_cli: Run, words: list[str], told: str
) -> None:
    os.symlink("hello.tar", "link.tar")
    os.mkdir("folder")
    run_cli("check", "hello.tar", "--write-baseline", "known.json")
    before = {path.name: path.stat().st_mtime_ns for path in images.iterdir()}
    done = run_cli("check", "hello.tar", "absent.tar", "--output", *words)
    assert done.exit_code == 2 and told in done.stderr and done.stderr.count("error:") == 1
    assert {path.name: path.stat().st_mtime_ns for path in images.iterdir()} == before


def test_a_file_is_replaced_whole_or_stays_as_it_is(
    images: Path, run_cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (images / "a.sarif").write_text("before")
    (images / "a.xml").write_text("before")

    def fail(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("imagepeel.render.junit.check_junit", fail)
    assert run_cli("check", "hello.tar", "--output", "sarif=a.sarif,junit=a.xml").exit_code == 70
    assert (images / "a.sarif").read_text() == (images / "a.xml").read_text() == "before"
    assert sorted(path.name for path in images.iterdir() if "partial" in path.name) == []


def test_the_files_tell_of_an_archive_that_cannot_be_read(images: Path, run_cli: Run) -> None:
    outs = "sarif=o.sarif,junit=o.xml,gitlab=o.json,github=o.txt,markdown=o.md"
    for names in (("absent.tar",), ("hello.tar", "absent.tar")):
        assert run_cli("check", *names, "--output", outs).exit_code == 14
        report = junitparser.JUnitXml.fromfile("o.xml")
        assert report.errors == 1 and report.failures == 0
        issues = json.loads(Path("o.json").read_text())
        assert [one["location"]["path"] for one in issues if one["severity"] == "blocker"] == ["absent.tar"]
        log = json.loads(Path("o.sarif").read_text())
        assert len(log["runs"]) == len(names) - 1
        assert [one["archive"] for one in log["properties"]["notChecked"]] == ["absent.tar"]
        assert "absent.tar does not exist" in Path("o.md").read_text()
        assert "::error title=not judged,file=absent.tar::" in Path("o.txt").read_text()


def test_a_service_learns_of_the_only_archive_that_cannot_be_read(images: Path, run_cli: Run) -> None:
    for form, told in (("github", "::error title=not judged"), ("junit", "<error"), ("gitlab", "blocker")):
        done = run_cli("check", "absent.tar", "--format", form)
        assert done.exit_code == 14 and told in done.stdout and "error: absent.tar does not exist" in done.stderr
    assert run_cli("check", "absent.tar").stdout == run_cli("check", "absent.tar", "--json").stdout == ""


# ---- SARIF as GitHub takes it -----------------------------------------------------------------------------------
# docs.github.com/en/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning


def log_of(run_cli: Run, *words: Any) -> dict[str, Any]:
    log: dict[str, Any] = json.loads(run_cli("check", *words, "--format", "sarif").stdout)
    schema = json.loads((DATA / "sarif-2.1.0.schema.json").read_text())
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(log)
    return log


def test_what_github_needs_of_sarif(images: Path, run_cli: Run) -> None:
    log = log_of(run_cli, "shop.tar", "broken-entrypoint.tar", "hello.tar")
    assert log["version"] == "2.1.0"
    ids = [run["automationDetails"]["id"] for run in log["runs"]]
    assert len(set(ids)) == 3 and all(one.endswith("/") for one in ids)
    for run in log["runs"]:
        assert run["tool"]["driver"]["name"] and run["invocations"][0]["executionSuccessful"] is True
        for rule in run["tool"]["driver"]["rules"]:
            assert rule["shortDescription"]["text"].endswith((".", "?", "!")) and rule["help"]["text"]
            assert rule["help"]["markdown"] and re.fullmatch(r"https://\S+/[A-Z0-9-]+\.md", rule["helpUri"])
            tags, security = rule["properties"]["tags"], rule["properties"].get("security-severity")
            assert len(tags) <= 20 and ("security" in tags) is (security is not None)
            assert 0 < float(security) <= 10 if security else rule["properties"]["problem.severity"]
        prints = []
        for result in run["results"]:
            assert result["message"]["text"] and re.search(r"[.!?](\n|$)", result["message"]["text"])
            assert re.fullmatch(r"[0-9a-f]{16}:[0-9]+", result["partialFingerprints"]["primaryLocationLineHash"])
            prints.append(result["partialFingerprints"]["primaryLocationLineHash"])
            for location in result["locations"]:
                assert location["physicalLocation"]["region"]["startLine"] >= 1
                place = location["physicalLocation"]["artifactLocation"]
                assert not place["uri"].startswith("/") and place["uriBaseId"] in run["originalUriBaseIds"]
        assert len(set(prints)) == len(prints)


def test_the_rule_pages_that_sarif_names_are_there(images: Path, run_cli: Run) -> None:
    top = Path(__file__).parents[3]
    for rule in log_of(run_cli, "shop.tar")["runs"][0]["tool"]["driver"]["rules"]:
        assert (top / rule["helpUri"].partition("/blob/main/")[2]).is_file()


def test_uris_are_relative_below_this_directory_and_files_elsewhere(
    images: Path, run_cli: Run, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("else where")
    name = "a b%20ä#?.tar"
    for path in (images / name, elsewhere / name):
        path.write_bytes((images / "broken-entrypoint.tar").read_bytes())

    def uri(word: str) -> dict[str, Any]:
        place: dict[str, Any] = log_of(run_cli, word)["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
        return {k: v for k, v in place["artifactLocation"].items() if k != "index"}

    for word in (name, f"./{name}", str(images / name)):
        here = uri(word)
        assert here.keys() == {"uri", "uriBaseId"} and unquote(here["uri"]) == name and " " not in here["uri"]
    there = uri(str(elsewhere / name))
    assert there.keys() == {"uri"} and unquote(there["uri"]) == f"file://{elsewhere / name}"


def test_fingerprints_and_categories_survive_a_rebuild(images: Path, run_cli: Run) -> None:
    def image(tag: str, more: str) -> None:
        layer = forge.layer(forge.file("app/.env", f"API_KEY=0123456789abcdef0123456789abcde{more}\n"))
        other = forge.layer(forge.file("srv/.env", "API_KEY=0123456789abcdef0123456789abcdef\n"))
        forge.write(forge.image(layer, other, names=f"r.io:5000/shop:{tag}", entrypoint=["/x"]), images / "i.tar")

    seen = []
    for tag, more in (("1", "0"), ("2", "1")):
        image(tag, more)
        (run,) = log_of(run_cli, "i.tar")["runs"]
        prints = {one["partialFingerprints"]["primaryLocationLineHash"] for one in run["results"]}
        issues = json.loads(run_cli("check", "i.tar", "--format", "gitlab").stdout)
        seen.append((run["automationDetails"]["id"], prints, {one["fingerprint"] for one in issues}))
    assert seen[0] == seen[1] and seen[0][0] == "imagepeel/i.tar/r.io:5000/shop/linux/amd64/"


def test_images_of_one_name_have_categories_of_their_own(images: Path, run_cli: Run) -> None:
    two_images(images / "two.tar")
    ids = [run["automationDetails"]["id"] for run in log_of(run_cli, "two.tar", "--all")["runs"]]
    assert len(set(ids)) == 2


def test_what_github_would_refuse_is_cut_and_said(images: Path, run_cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = log_of(run_cli, "shop.tar")["runs"][0]["results"]
    with monkeypatch.context() as small:
        small.setattr(sarif, "MOST_RESULTS", 3)
        small.setattr(sarif, "MOST_RUNS", 1)
        log = log_of(run_cli, "shop.tar", "hello.tar")
    (run,) = log["runs"]
    assert [one["ruleId"] for one in run["results"]] == [one["ruleId"] for one in whole[:3]]
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert f"{len(whole) - 3} of {len(whole)} results left out" in note["message"]["text"]
    assert "1 image left out" in log["properties"]["cut"] and "hello.tar" in log["properties"]["cut"]
    most = len(gzip.compress(run_cli("check", "shop.tar", "--format", "sarif").stdout.encode(), mtime=0)) - 100
    monkeypatch.setattr(sarif, "MOST_BYTES", most)
    text = run_cli("check", "shop.tar", "--format", "sarif").stdout
    assert len(gzip.compress(text.encode(), mtime=0)) <= most and "left out" in text


def test_other_programs_read_the_same_counts(images: Path, run_cli: Run) -> None:
    words = ("--fail-on", "low", "--output", "sarif=o.sarif,junit=o.xml,json=o.json")
    run_cli("check", "shop.tar", "broken-entrypoint.tar", *words)
    outcomes = json.loads(Path("o.json").read_text())["result"]["outcomes"]
    found = [finding for outcome in outcomes for finding in outcome["new"]]
    assert loader.load_sarif_file("o.sarif").get_result_count() == len(found)
    report = junitparser.JUnitXml.fromfile("o.xml")
    assert report.failures == sum(one["severity"] != "info" for one in found) > 1
    assert {suite.name for suite in report} == {"shop.tar", "broken-entrypoint.tar"}


# ---- GitLab -----------------------------------------------------------------------------------------------------


def test_what_gitlab_needs_of_code_quality(images: Path, run_cli: Run) -> None:
    """docs.gitlab.com/ci/testing/code_quality: the fields of an issue."""
    issues = json.loads(run_cli("check", "shop.tar", images / "broken-entrypoint.tar", "--format", "gitlab").stdout)
    outcomes = json.loads(run_cli("check", "shop.tar", "broken-entrypoint.tar", "--json").stdout)["result"]["outcomes"]
    assert [one["check_name"] for one in issues] == [rule for outcome in outcomes for rule in rules_of(outcome)]
    assert len({one["fingerprint"] for one in issues}) == len(issues)
    for one in issues:
        assert one["description"] and one["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert one["location"]["lines"]["begin"] == 1
        assert one["location"]["path"] in ("shop.tar", "broken-entrypoint.tar")


def test_junit_skips_what_the_baseline_knows(images: Path, run_cli: Run) -> None:
    run_cli("check", "shop.tar", "--write-baseline", "known.json")
    run_cli("check", "shop.tar", "--baseline", "known.json", "--output", "junit=o.xml,json=o.json")
    report = junitparser.JUnitXml.fromfile("o.xml")
    known = json.loads(Path("o.json").read_text())["result"]["known"]
    assert (report.failures, report.errors, report.skipped) == (0, 0, len(known))


# ---- the Dockerfile ---------------------------------------------------------------------------------------------


def test_findings_stand_at_the_lines_of_the_dockerfile(images: Path, run_cli: Run) -> None:
    Path("ci").mkdir()
    text = "FROM scratch\nCOPY a /a\n\nRUN curl -u admin:Sup3rS3cretPw99 https://x.example/a \\\n  -o /b\nUSER ghost\n"
    Path("ci/Docker file").write_text(text)
    run = "RUN /bin/sh -c curl -u admin:Sup3rS3cretPw99 https://x.example/a   -o /b # buildkit"
    layers = [
        forge.layer(forge.file("a", "x"), created_by="COPY a /a # buildkit"),
        forge.layer(forge.file("b", "x"), created_by=run),
    ]
    forge.write(forge.image(*layers, names="i:1", entrypoint=["/a"], user="ghost"), images / "i.tar")
    words = (
        "i.tar",
        "--dockerfile",
        "ci/Docker file",
        "--output",
        "sarif=o.sarif,gitlab=o.json,github=o.txt,json=r.json",
    )
    assert run_cli("check", *words).exit_code == 1
    found = {one["rule"]: one["key"] for one in json.loads(Path("r.json").read_text())["result"]["new"]}
    lines = json.loads(Path("r.json").read_text())["result"]["lines"]
    assert lines[found["SECRET-IN-HISTORY"]] == {"first": 4, "last": 5}
    log = json.loads(Path("o.sarif").read_text())
    schema = json.loads((DATA / "sarif-2.1.0.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(log)
    first = {one["ruleId"]: one["locations"][0]["physicalLocation"] for one in log["runs"][0]["results"]}
    assert first["SECRET-IN-HISTORY"] == {
        "artifactLocation": {"uri": "ci/Docker%20file", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 4, "endLine": 5},
    }
    assert "file=ci/Docker file,line=4,endLine=5::" in Path("o.txt").read_text()
    (issue,) = [one for one in json.loads(Path("o.json").read_text()) if one["check_name"] == "SECRET-IN-HISTORY"]
    assert issue["location"] == {"path": "ci/Docker file", "lines": {"begin": 4, "end": 5}}
    assert "ci/Docker file lines 4-5" in run_cli("check", *words).stdout
    # What the history does not tell stays at the archive.
    Path("ci/Docker file").write_text("FROM scratch\n")
    run_cli("check", *words)
    assert json.loads(Path("r.json").read_text())["result"]["lines"] == {}


def test_a_dockerfile_is_that_of_one_image_and_is_there(images: Path, run_cli: Run) -> None:
    Path("Dockerfile").write_text("FROM scratch\n")
    Path("noise").write_bytes(b"\xff\xfe" * 9)
    for words, where in (
        (["hello.tar", "shop.tar", "--dockerfile", "Dockerfile"], "the command line"),
        (["hello.tar", "--all", "--dockerfile", "Dockerfile"], "the command line"),
        (["hello.tar", "--dockerfile", "absent"], "absent"),
        (["hello.tar", "--dockerfile", "noise"], "noise"),
        (["hello.tar", "--dockerfile", "Dockerfile", "--output", "json=Dockerfile"], "the command line"),
    ):
        done = run_cli("check", *words)
        assert done.exit_code == 2 and done.stderr.splitlines()[1] == f"where: {where}"
