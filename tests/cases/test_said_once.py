"""What is said once, and what a newcomer reads first: one finding for one fact, and the head of the story."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagepeel import forge

Case = Callable[[str, str], Path]
Make = Callable[..., Path]
Run = Callable[..., Any]


def findings_of(run_cli: Run, archive: Path) -> dict[str, dict[str, Any]]:
    told = json.loads(run_cli("wtf", archive, "--json").stdout)
    return {finding["rule"]: finding for finding in told["result"]["findings"]}


# ---- one fact, one counting base, one finding -------------------------------------------------------------------


def debris_spec(*last: forge.Entry) -> forge.ImageSpec:
    """A cache of two layers, of which a third layer takes something away."""
    from imagepeel.forge.specimens import add, noise, sound

    way = [forge.directory(path) for path in ("var", "var/cache", "var/cache/apt", "var/cache/apt/archives")]
    return sound(
        add(*way, forge.file("var/cache/apt/archives/a.deb", noise("a", 300_000)),
            forge.file("root/.cache/pip/wheel", noise("w", 200_000))),
        add(*way, forge.file("var/cache/apt/archives/b.deb", noise("b", 500_000)),
            forge.file("var/cache/apt/pkgcache.bin", noise("c", 100_000))),
        *([add(*last)] if last else []),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("last", "seen", "removed"),
    [
        ((), 1_100_000, 0),
        ((forge.whiteout("var/cache/apt/archives/a.deb"),), 800_000, 300_000),
        ((forge.opaque("var/cache/apt/archives"), forge.file("var/cache/apt/archives/lock", "")), 300_000, 800_000),
        ((forge.file("var/cache/apt/archives/a.deb", b"x" * 1000),), 801_000, 0),
    ],
    ids=["kept", "one", "directory", "overwritten"],
)
def test_a7_bytes_that_were_removed_are_told_once(
    last: tuple[forge.Entry, ...], seen: int, removed: int, run_cli: Run, forge_archive: Make
) -> None:
    """users A7, F3: the same 82.9 MB were BUILD-DEBRIS and DELETED-BYTES, and `waste` counted them otherwise."""
    archive = forge_archive(debris_spec(*last), name="debris.tar")
    told = json.loads(run_cli("wtf", archive, "--json").stdout)["result"]["findings"]
    sums: dict[str, int] = {}
    for finding in told:
        for each in finding.get("figures", ()):
            sums[finding["rule"]] = sums.get(finding["rule"], 0) + each["total"]
    assert sums.get("BUILD-DEBRIS", 0) == seen
    assert sums.get("DELETED-BYTES", 0) == removed
    account = {
        each["cause"]: each["content"]
        for each in json.loads(run_cli("waste", archive, "--json").stdout)["result"]["causes"]
    }
    assert (account["debris"], account["removed"]) == (seen, removed)
    if removed:
        (finding,) = [each for each in told if each["rule"] == "DELETED-BYTES"]
        assert finding["details"] == [
            f"{removed:,} bytes of them lay below /var/cache/apt: package cache of apt; apt-get clean in the same RUN"
        ]


def test_what_a_reason_does_to_rootless_engines_is_told_with_the_reason(run_cli: Run, forge_archive: Make) -> None:
    told = findings_of(run_cli, forge_archive("resurrect"))
    assert "ROOTLESS-DIFFERS" not in told
    assert any("show 1 path otherwise for this reason" in line for line in told["RESURRECTED"]["details"])
    from imagepeel.forge.specimens import add, sound

    buried = sound(add(forge.file("motd", "")), add(forge.file("motd/today", "x")))
    told = findings_of(run_cli, forge_archive(buried, name="buried.tar"))
    assert "ROOTLESS-DIFFERS" not in told
    assert any(line.endswith("refuse the image") for line in told["FILE-BECOMES-DIRECTORY"]["details"])


def pairs(findings: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Findings that stand at one entry and name the same number of bytes, or quote the same sentence."""
    import itertools
    import re

    def places(finding: dict[str, Any]) -> set[tuple[Any, ...]]:
        return {(place.get("layer"), place.get("entry")) for place in finding["locations"] if "entry" in place}

    def numbers(finding: dict[str, Any]) -> set[str]:
        return set(re.findall(r"\d[\d,]* bytes", finding["message"]))

    return [
        (one["rule"], two["rule"])
        for one, two in itertools.combinations(findings, 2)
        if places(one) & places(two) and (numbers(one) & numbers(two) or one["rule"] == two["rule"])
    ]


def test_no_two_findings_of_an_example_tell_one_fact(run_cli: Run, tmp_path: Path) -> None:
    """Over all bad images of the rules: a fact that two rules see has one that tells it."""
    from imagepeel.findings.example import archive_of
    from imagepeel.findings.rules.examples import EXAMPLES

    together: dict[str, set[str]] = {}
    for name, example in EXAMPLES.items():
        archive = tmp_path / f"{name}.tar"
        archive.write_bytes(archive_of(example.bad()))
        done = run_cli("wtf", "--json", archive)
        found = json.loads(done.stdout)["result"]["findings"] if done.stdout else []
        if twice := pairs(found):
            together[name] = {rule for pair in twice for rule in pair}
    assert together == {}


@pytest.mark.parametrize(
    ("name", "absent"),
    [("JSON-TO-SHELL", "SHELL-LINE-FAILS"), ("WRAPPER-FAILS", "INIT-INSIDE"), ("UID-WRAP", "ROOTLESS-IDS")],
)
def test_a_cause_speaks_for_what_it_causes(name: str, absent: str, run_cli: Run, tmp_path: Path) -> None:
    from imagepeel.findings.example import archive_of
    from imagepeel.findings.rules.examples import EXAMPLES

    archive = tmp_path / "image.tar"
    archive.write_bytes(archive_of(EXAMPLES[name].bad()))
    told = findings_of(run_cli, archive)
    assert name in told and absent not in told


# ---- the story, as newcomers read it ----------------------------------------------------------------------------


def test_a4_steps_are_counted_as_a_build_counts_them(run_cli: Run, forge_archive: Make) -> None:
    """users A4: `L1, step 0` beside `Step 1/16` of Docker; JSON keeps the index in `history`."""
    archive = forge_archive("shop")
    story = run_cli("explain", archive).stdout
    assert "L1, step 1" in story and "step 0" not in story
    rows = [line.split() for line in story.splitlines() if line.strip().startswith("L")]
    assert ["L1", "1", "ADD"] in [row[:3] for row in rows] and ["L2", "6", "RUN"] in [row[:3] for row in rows]
    for words in (["wtf", archive], ["process", archive], ["trace", archive, "/srv/shop/.env"], ["layers", archive]):
        assert "step 0" not in run_cli(*words).stdout, words
    places = [place for each in findings_of(run_cli, archive).values() for place in each["locations"]]
    history = json.loads(subprocess.run(
        ["bash", "-c", 'tar -xOf "$1" $(tar -xOf "$1" manifest.json | jq -r ".[0].Config") | jq .history', "", archive],
        capture_output=True, check=True,
    ).stdout)  # fmt: skip
    removed = next(place for place in places if place.get("path") == "/srv/shop/.env")
    assert history[removed["step"]]["created_by"].startswith("COPY . .")
    assert f"L4, history step {removed['step'] + 1}, path /srv/shop/.env" in run_cli("wtf", archive).stdout


def test_a5_a8_the_story_begins_with_its_end(run_cli: Run, forge_archive: Make) -> None:
    """users A5, A8: the file, what it becomes and how much surprises are the first three lines; marks have a legend."""
    archive = forge_archive("shop")
    lines = run_cli("explain", archive).stdout.splitlines()
    assert lines[0].startswith("shop.tar   1.26 MB   docker-archive")
    # A real runc shows pid=1 exe=/srv/shop/bin/serve.
    assert (
        lines[1]
        == "It becomes /srv/shop/bin/serve --port 8080 as 999:999: starts on Docker 29.7 and three more engines."
    )
    found = [each["severity"] for each in json.loads(run_cli("wtf", archive, "--json").stdout)["result"]["findings"]]
    assert lines[2] == "Four surprises: one medium and three low." and lines[3] == ""
    assert (found.count("medium"), found.count("low"), found.count("high")) == (1, 3, 0)
    chapter = "\n".join(lines).partition("What surprised us")[2]
    assert chapter.lstrip().startswith("Worst first: !! high, ! medium, . low.")
    for form in (["--markdown"], ["--html", "-"]):
        assert "Four surprises: one medium and three low." in run_cli("explain", archive, *form).stdout
    broken = run_cli("explain", forge_archive("broken-entrypoint")).stdout.splitlines()
    assert broken[1].startswith("FAILS on Docker 29.7 and three more engines: the first line of /entrypoint.sh ends in")


def test_a8_what_is_missing_is_no_process(case: Case, run_cli: Run) -> None:
    lines = run_cli("explain", case("real-images", "manifest-missing.tar")).stdout.splitlines()
    assert lines[1] == "Which process it becomes is not written here."
    lines = run_cli("explain", case("real-images", "layer-left-out.tar")).stdout.splitlines()
    assert lines[1].startswith("FAILS on") and "becomes" not in lines[1]
    assert run_cli("explain", case("real-images", "artifact.tar")).stdout.splitlines()[1] == "Nothing surprised us."


def test_a9_the_header_is_shown_by_its_bytes(run_cli: Run, forge_archive: Make) -> None:
    """users A9: below the paragraph about tar headers stood `tar -tvf`."""
    archive = forge_archive("shop")
    story = run_cli("explain", archive).stdout
    told = story.partition("its tar header")[2].partition("try it  ")[2].splitlines()[0]
    shown = subprocess.run(["bash", "-c", told], cwd=archive.parent, capture_output=True, text=True, check=True).stdout
    header = bytes.fromhex(shown)
    assert header[257:262] == b"ustar" and len(header) == 512
    name = subprocess.run(["tar", "-tf", archive], capture_output=True, text=True, check=True).stdout.split()
    first = next(one for one in name if not one.endswith("/"))
    assert header[:100].rstrip(b"\0").decode() == first[:100]


@pytest.mark.parametrize(
    ("line", "who"),
    [("npm start", "the shell, which stays process 1, starts npm"), ("exec npm start", "process 1 is npm")],
)
def test_a6_what_is_process_1_is_said_once(line: str, who: str, run_cli: Run, forge_archive: Make) -> None:
    """users A6: `Npm is started as process 1` stood above `dash stays process 1`, which is true of Debian."""
    from imagepeel.forge import programs
    from imagepeel.forge.specimens import add, sound

    tool = add(forge.file("usr/bin/npm", programs.hello(), 0o755))
    archive = forge_archive(sound(tool, entrypoint=None, cmd=["/bin/sh", "-c", line]), name=f"{len(line)}.tar")
    message = findings_of(run_cli, archive)["PACKAGE-MANAGER-PID1"]["message"]
    assert message == f"{who}: `npm start`"
    one = json.loads(run_cli("process", archive, "--json").stdout)["result"]["prediction"]["pid1"]
    assert (one["path"].rpartition("/")[2] == "npm") == (who == "process 1 is npm")


def test_a3_what_the_demo_names_is_there(run_cli: Run, forge_archive: Make, tmp_path: Path) -> None:
    """users A3: after `make demo`, the command of the README was not found."""
    root = Path(__file__).parents[2]
    planned = subprocess.run(["make", "-n", "demo"], cwd=root, capture_output=True, text=True, check=True).stdout
    told = planned.partition("What to try next")[2].replace("'", "").replace("\\", "").splitlines()
    named = [line.split() for line in told if line.strip()][1:]
    assert named[0] == [".", ".venv/bin/activate"]
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "shop.tar").write_bytes(forge_archive("shop").read_bytes())
    commands = [words[1:] for words in named if words[0] == "imagepeel"]
    assert len(commands) == 3
    for words in commands:
        assert run_cli(*words, cwd=tmp_path).exit_code == 0, words
    readme = (root / "README.md").read_text().partition("make demo")[2]
    assert ". .venv/bin/activate" in readme.partition("make test")[0]


# ---- a fix that can be a Dockerfile line is printed as one ------------------------------------------------------


def test_every_format_of_the_gate_prints_the_lines_of_a_fix(run_cli: Run, tmp_path: Path) -> None:
    from xml.etree import ElementTree

    from imagepeel.findings.example import archive_of
    from imagepeel.findings.rules.examples import EXAMPLES

    archive = tmp_path / "image.tar"
    archive.write_bytes(archive_of(EXAMPLES["JSON-TO-SHELL"].bad()))
    line = 'CMD ["/bin/hello","--loud"]'
    told = {form: run_cli("check", archive, "--format", form).stdout
            for form in ("text", "json", "sarif", "junit", "github", "markdown")}  # fmt: skip
    assert line in told["text"] and line in told["markdown"]
    assert line in (ElementTree.fromstring(told["junit"]).findtext(".//failure") or "").replace("       ", "")
    (annotation,) = [each for each in told["github"].splitlines() if "JSON-TO-SHELL" in each]
    assert annotation.endswith(f"%0A{line}")
    run = json.loads(told["sarif"])["runs"][0]
    (result,) = [each for each in run["results"] if each["ruleId"] == "JSON-TO-SHELL"]
    assert result["message"]["text"].endswith(f"\n{line}")
    assert f"```dockerfile\n{line}\n```" in result["message"]["markdown"]
    archive.write_bytes(archive_of(EXAMPLES["BAD-STOPSIGNAL"].bad()))
    run = json.loads(run_cli("check", archive, "--format", "sarif").stdout)["runs"][0]
    (rule,) = [each for each in run["tool"]["driver"]["rules"] if each["id"] == "BAD-STOPSIGNAL"]
    assert "```dockerfile\nSTOPSIGNAL SIGTERM\n```" in rule["help"]["markdown"]


TOKEN = "ghp_0123456789abcdefghijklmnopqrstuvwxyz"


def test_a_line_of_the_image_forges_no_annotation(run_cli: Run, forge_archive: Make) -> None:
    from imagepeel.forge.specimens import shell_form, sound

    archive = forge_archive(
        shell_form(sound, "['/bin/hello', '::error::x', '%0A::error::y', 'ghp_0123456789abcdefghijklmnopqrstuvwxyz']"),
        name="forged.tar",
    )
    told = run_cli("check", archive, "--format", "github").stdout
    assert TOKEN not in told
    lines = told.replace("%0A", "\n").splitlines()
    assert not [line for line in lines if line.startswith("::error::")]
    assert "%250A" in told
    for form in ("sarif", "json", "junit", "text", "markdown"):
        assert TOKEN not in run_cli("check", archive, "--format", form).stdout


# ---- operators --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["broken-entrypoint", "no-exec-bit", "entrypoint-deleted", "unknown-user", "shop"])
def test_d1_the_answer_is_on_the_screen_when_the_prompt_returns(name: str, run_cli: Run, forge_archive: Make) -> None:
    """users D1: the cause stood above 40 to 70 lines of trace; a screen of 80 by 24 shows the last of them."""
    archive = forge_archive(name)
    verdict = json.loads(run_cli("process", archive, "--json").stdout)["result"]["prediction"]["verdict"]
    lines = run_cli("process", archive, env={"COLUMNS": "80"}).stdout.splitlines()
    screen = " ".join(" ".join(lines).split())
    assert len(lines) <= 15 and max(map(len, lines)) <= 80
    if verdict["kind"] == "RUNS":
        assert "starts on docker@29.7: process 1 is /srv/shop/bin/serve --port 8080 as 999:999" in screen
    else:
        assert lines[2].startswith("FAILS on docker@29.7") and lines[-1].startswith("FAILS on docker@29.7")
        assert f"why {verdict['why']}" in screen and f"fix {verdict['fix']}" in screen


def test_a_count_of_one_is_one(case: Case, run_cli: Run) -> None:
    """real-images 25: `with 1 files` and its like."""
    import re

    for name in ("tail.tar.bz2", "huge.tar", "groups.tar", "layer-left-out.tar"):
        told = run_cli("explain", case("real-images", name)).stdout
        assert not re.search(r"\b1 (?:bytes|files|layers|members|entries|DiffIDs|steps|paths)\b", told), name


def image_of(name: str, *entries: forge.Entry, **settings: Any) -> Any:
    from imagepeel.forge.specimens import add, sound

    settings.setdefault("entrypoint", None)
    return sound(add(*entries), **settings)


def test_d2_what_path_lost_is_there(run_cli: Run, forge_archive: Make) -> None:
    """users D2: `install sleep`, and /usr/bin/sleep was there."""
    from imagepeel.forge import programs

    tool = forge.file("usr/bin/sleep", programs.hello(), 0o755)
    lost = image_of("lost", tool, cmd=["sleep", "9"], env=["PATH=/opt/app/bin"])
    for engine in ("docker", "podman", "runc"):
        told = run_cli("process", forge_archive(lost, name="lost.tar"), "--engine", engine).stdout
        assert "/usr/bin/sleep is there" in told and "add /usr/bin to PATH, or write /usr/bin/sleep" in told
    absent = image_of("absent", forge.file("usr/bin/sleep", "", 0o644), cmd=["sleep", "9"], env=["PATH=/opt/app/bin"])
    told = run_cli("process", forge_archive(absent, name="absent.tar")).stdout
    assert "is there" not in told and "install sleep" in told


def test_d2_a_mark_in_front_is_removed_and_no_line_is_added(run_cli: Run, forge_archive: Make) -> None:
    """users D2: `start the file with #!/bin/sh`, which it does behind three bytes."""
    marked = image_of("bom", forge.file("run.sh", b"\xef\xbb\xbf#!/bin/sh\nexit 0\n", 0o755), cmd=["/run.sh"])
    finding = findings_of(run_cli, forge_archive(marked, name="bom.tar"))["NO-SHEBANG"]
    assert finding["fix"] == "remove the 3 bytes in front of #!: tail -c +4 /run.sh" and finding["dockerfile"] == []
    bare = image_of("bare", forge.file("run.sh", "exit 0\n", 0o755), cmd=["/run.sh"])
    finding = findings_of(run_cli, forge_archive(bare, name="bare.tar"))["NO-SHEBANG"]
    assert finding["dockerfile"] == ["RUN sed -i '1i #!/bin/sh' /run.sh"]


def test_d4_a_relative_command_is_looked_for_where_it_leads(run_cli: Run, forge_archive: Make) -> None:
    """users D4: the evidence was /run, the directory of the base image; the program is /app/run."""
    from imagepeel.forge import programs

    app = forge.file("app/run", programs.hello(), 0o755)
    spec = image_of("relative", forge.directory("srv"), forge.directory("run"), app, cmd=["./run"], workdir="/srv")
    archive = forge_archive(spec, name="relative.tar")
    verdict = json.loads(run_cli("process", archive, "--json").stdout)["result"]["prediction"]["verdict"]
    assert verdict["where"]["path"] == "/srv/run" and "layer" not in verdict["where"]
    assert verdict["why"] == "./run does not exist: /srv/run is missing; /app/run is there"
    assert "/app/run" in verdict["fix"]


def test_d5_an_init_that_is_missing_is_not_process_1(run_cli: Run, forge_archive: Make) -> None:
    """users D5: `/usr/bin/tini is process 1 already` below `/usr/bin/tini does not exist`."""
    spec = image_of("tini", forge.file("x", "x"), entrypoint=["/usr/bin/tini", "--", "/bin/hello"])
    found = findings_of(run_cli, forge_archive(spec, name="tini.tar"))
    assert "COMMAND-MISSING" in found and "INIT-INSIDE" not in found


def test_a_name_that_is_everywhere_costs_a_bounded_look(forge_archive: Make) -> None:
    """A layer of names in which the letters of the command stand a hundred thousand times."""
    import imagepeel
    from imagepeel.process.engines.lookup import elsewhere

    spec = image_of("many", *[forge.file(f"srv/{'x' * 200}{number}") for number in range(600)], cmd=["x"])
    with imagepeel.open(forge_archive(spec, name="many.tar")) as archive:
        rootfs = archive.image().rootfs
        asked = 0

        class Counting(type(rootfs.layers[-1].table.names)):  # type: ignore[misc]
            def find(self, *words: Any) -> int:
                nonlocal asked
                asked += 1
                return int(super().find(*words))

        table = rootfs.layers[-1].table
        try:
            table.names = Counting(table.names)
        except (AttributeError, TypeError):
            pytest.skip("the columns of names cannot be counted")
        assert elsewhere(rootfs, "x") == "" and 0 < asked <= 10_001
