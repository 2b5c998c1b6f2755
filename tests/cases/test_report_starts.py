"""Public reports of starts, waste and secrets that were answered rightly: they stay answered.

The ids are those of the page of the bug reports.  What really happened with the starts is recorded in
`tests/scenarios` (names that begin with `report-`; P06 and P19 stand there alone).
"""

from __future__ import annotations

import json
from typing import Any

import imagepeel
from imagepeel import forge
from imagepeel.archive.source import MemorySource
from imagepeel.forge import programs
from imagepeel.process.spec.values import Prediction

F, D = forge.file, forge.directory
SHELL = (D("bin"), F("bin/sh", programs.sh(), 0o755))
REPORT = F("bin/report", programs.report(), 0o755)


def opened(*layers: forge.LayerSpec, **settings: Any) -> imagepeel.Archive:
    settings.setdefault("names", "demo:1")
    settings.setdefault("entrypoint", ["/bin/report"])
    return imagepeel.open(MemorySource(forge.to_bytes(forge.image(*layers, **settings), "docker-archive"), "demo.tar"))


def started(*entries: forge.Entry, engine: str = "docker@28", **settings: Any) -> Prediction:
    return opened(forge.layer(*entries, REPORT), **settings).image().process(engine=engine)


def found(archive: imagepeel.Archive) -> dict[str, Any]:
    return {finding.rule: finding for finding in archive.image().findings()}


def test_p01_a_newline_that_was_written_as_letters() -> None:
    start = started(*SHELL, F("e", "#!/bin/sh\\nset -e\\nexec report\n", 0o755), entrypoint=["/e"])
    assert start.verdict.message == "exec /e: no such file or directory"
    assert "/bin/sh\\nset" in start.verdict.why


def test_p07_tini_and_a_script_without_its_bit() -> None:
    tini = F("usr/bin/tini", programs.report(), 0o755)  # told by its name
    start = started(*SHELL, tini, F("run.sh", "#!/bin/sh\n", 0o644), entrypoint=["/usr/bin/tini", "--", "/run.sh"])
    assert start.verdict.text == "[FATAL tini (7)] exec /run.sh failed: Permission denied"
    assert start.verdict.exit_code == 126


def test_p09_a_relative_working_directory_and_a_relative_command() -> None:
    for engine, words in (("podman@5.8", "No such file or directory"), ("docker@28", "Cwd must be an absolute path")):
        start = started(D("repo"), engine=engine, workdir="repo", entrypoint=["./import.sh"])
        assert start.verdict.kind == "FAILS" and words.lower() in start.verdict.text.lower()
    assert "RELATIVE-WORKDIR" in found(opened(forge.layer(REPORT, D("repo")), workdir="repo"))


def test_p10_a_closed_home_of_somebody_else_is_entered_before_the_user_changes() -> None:
    home = (D("home"), D("home/app", 0o700, 1234, 1234))
    for engine in ("docker@28", "podman@5.8", "containerd@2.2"):
        assert started(*home, engine=engine, user="2000", workdir="/home/app").verdict.runs


def test_p17_tail_cannot_be_stopped() -> None:
    """Measured: 10 seconds, then 137."""
    start = started(F("usr/bin/tail", programs.report(), 0o755), entrypoint=["tail", "-f", "/dev/null"])
    assert start.pid1 is not None
    assert (start.pid1.hears_sigterm, start.pid1.seconds_to_stop) == ("no", "10, then SIGKILL (exit 137)")


def test_p21_what_root_may_execute_alone_a_user_may_not() -> None:
    """As measured: a program runs where its user keeps the capabilities until execve, and nowhere else."""
    closed = F("srv/app", programs.report(), 0o700)
    verdicts = {
        engine: started(D("srv"), closed, engine=engine, user="1000", entrypoint=["/srv/app"]).verdict
        for engine in ("docker@20.10", "docker@28", "podman@4.3")
    }
    assert [verdict.kind for verdict in verdicts.values()] == ["FAILS", "RUNS", "FAILS"]
    assert verdicts["docker@20.10"].errno == "EACCES"


def test_p24_a_healthcheck_whose_tool_is_missing() -> None:
    check = {"Test": ["CMD", "wget", "-q", "http://localhost/"]}
    finding = found(opened(forge.layer(REPORT), healthcheck=check))["HEALTHCHECK-CANNOT-RUN"]
    assert "wget" in finding.message


def test_p25_a_stop_signal_of_systemd() -> None:
    start = started(entrypoint=["/bin/report"], stop_signal="37")
    assert start.pid1 is not None
    assert start.pid1.stop_signal == "SIGRTMIN+3"


def test_w01_a_whiteout_of_nothing_counts_for_nothing() -> None:
    archive = opened(
        forge.layer(REPORT, F("big", b"x" * 5000)), forge.layer(F("big", b"y" * 6000), forge.whiteout("nope"))
    )
    waste = archive.image().waste()
    assert {cause: waste.content(cause) for cause in ("overwritten", "removed")} == {"overwritten": 5000, "removed": 0}


def test_w06_a_reference_to_a_variable_is_no_token() -> None:
    npmrc = F("root/.npmrc", "//registry.example.com/:_authToken=${NPM_TOKEN}\n", 0o600)
    messages = [one.message for one in opened(forge.layer(D("root", 0o700), npmrc, REPORT)).image().findings()]
    assert not any("token" in message.lower() and ".npmrc" in message for message in messages)


def _high(archive: imagepeel.Archive, secret: str) -> None:
    findings = archive.image().findings()
    assert any(one.severity == "high" for one in findings)
    said = json.dumps([[one.message, one.fix, [str(place) for place in one.locations]] for one in findings])
    assert secret not in said


def test_w07_a_token_in_the_environment_is_found_and_masked() -> None:
    token = "ghp_" + "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zA2bCd"[:36]
    _high(opened(forge.layer(REPORT), env=[f"GITHUB_TOKEN={token}"]), token)


def test_w08_a_token_given_to_a_build_is_found_in_the_history_and_masked() -> None:
    token = "ghs_" + "aB3dE5gH7jK9mN1pQ2rS4tU6vW8xY0zA2bCd"[:36]
    step = f"|1 GITHUB_TOKEN={token} /bin/sh -c git fetch"
    _high(opened(forge.layer(REPORT, created_by=step)), token)
