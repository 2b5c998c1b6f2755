"""The action, the template of GitLab and the hook: valid by published schemas, and run as their services run them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import junitparser
import pytest
import yaml

import imagepeel
from imagepeel import forge

ROOT = Path(__file__).parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
JOB = yaml.safe_load((ROOT / "ci" / "gitlab.yml").read_text())[".imagepeel-check"]
STEPS: dict[str, Any] = {step["name"]: step for step in ACTION["runs"]["steps"]}
TOOLS = Path(sys.executable).parent
EXPRESSION = re.compile(r"\$\{\{ ([a-z.-]+) \}\}")
SHELLS = [shell for shell in (["dash"], ["busybox", "sh"], ["bash"]) if shutil.which(shell[0])]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A checkout with images, and imagepeel installed where the action has put it."""
    work = tmp_path / "work space"
    for folder in (work, tmp_path / "temp"):
        folder.mkdir()
    for name in ("hello", "broken-entrypoint"):
        forge.write(forge.build(name), work / f"{name}.tar")
    for place in (tmp_path / "temp" / "imagepeel", work / ".imagepeel-venv"):
        (place / "bin").mkdir(parents=True)
        program = place / "bin" / "imagepeel"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m imagepeel "$@"\n')
        program.chmod(0o755)
        (place / "bin" / "python3").symlink_to(sys.executable)
    return work


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "src"), "NO_COLOR": "1", **more}


def act(workspace: Path, inputs: Mapping[str, str]) -> tuple[int, dict[str, str], str]:
    """Run the steps between installation and upload as the runner does: the exit code, the outputs, the log."""
    temp = workspace.parent / "temp"
    given = {f"inputs.{name}": inputs.get(name, one.get("default", "")) for name, one in ACTION["inputs"].items()}
    log, code = "", 0
    for name in ("Check", "Result"):
        (temp / "output").write_text("")
        values = {key: given[EXPRESSION.fullmatch(text)[1]] for key, text in STEPS[name]["env"].items()}
        runner = {"RUNNER_TEMP": temp, "GITHUB_OUTPUT": temp / "output", "GITHUB_STEP_SUMMARY": temp / "summary"}
        script = temp / "script.sh"
        script.write_text(STEPS[name]["run"])
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", script],
            cwd=workspace, env=environment(**values, **{key: str(path) for key, path in runner.items()}),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        log, code = log + done.stdout + done.stderr, done.returncode
        assert code == 0 or name == "Result", log
        lines = (temp / "output").read_text().splitlines()
        given |= {f"steps.check.outputs.{key}": value for key, _, value in (line.partition("=") for line in lines)}
    prefix = "steps.check.outputs."
    return code, {key.removeprefix(prefix): value for key, value in given.items() if key.startswith(prefix)}, log


# ---- valid ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "file"), [("vendor.github-actions", "action.yml"), ("vendor.gitlab-ci", "ci/gitlab.yml")]
)
def test_the_published_schema_takes_it(schema: str, file: str) -> None:
    more = ["--data-transform", "gitlab-ci"] if "gitlab" in schema else []
    words = [TOOLS / "check-jsonschema", "--builtin-schema", schema, *more, ROOT / file]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_pre_commit_takes_the_hook() -> None:
    words = [str(TOOLS / "pre-commit"), "validate-manifest", str(ROOT / ".pre-commit-hooks.yaml")]
    assert subprocess.run(words, capture_output=True, check=False).returncode == 0


def test_no_expression_stands_in_a_script_and_shellcheck_finds_nothing() -> None:
    scripts = [("bash", step["run"]) for step in STEPS.values() if "run" in step]
    assert len(scripts) == 3 and not any("${{" in script for _, script in scripts)
    scripts += [("sh", "\n".join(JOB["before_script"] + JOB["script"]))]
    for shell, script in scripts:
        words = [str(TOOLS / "shellcheck"), f"--shell={shell}", "-"]
        done = subprocess.run(words, input=script, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_each_input_is_used_and_each_that_is_used_is_declared() -> None:
    used = set(re.findall(r"inputs\.([a-z-]+)", json.dumps(ACTION["runs"])))
    assert used == set(ACTION["inputs"])
    assert set(re.findall(r"outputs\.([a-z-]+)", json.dumps(ACTION["outputs"]))) == set(ACTION["outputs"])


@pytest.mark.parametrize(
    ("page", "file", "schema"),
    [
        ("gate-in-github.md", ".github/workflows/image.yml", "vendor.github-workflows"),
        ("gate-in-gitlab.md", ".gitlab-ci.yml", "vendor.gitlab-ci"),
        ("gate-in-ci.md", ".pre-commit-config.yaml", ""),
    ],
)
def test_what_the_pages_tell_people_to_write_is_valid(tmp_path: Path, page: str, file: str, schema: str) -> None:
    text = (ROOT / "docs" / "how-to" / page).read_text()
    (block,) = re.findall(rf"```yaml\n# {re.escape(file)}\n(.*?)```", text, re.DOTALL)
    (tmp_path / "given.yaml").write_text(block)
    words = [str(TOOLS / "pre-commit"), "validate-config"]
    if schema:
        words = [str(TOOLS / "check-jsonschema"), "--builtin-schema", schema]
    done = subprocess.run([*words, str(tmp_path / "given.yaml")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    names = set(re.findall(r"IMAGEPEEL_[A-Z_]+", text)) - set(JOB["variables"])
    assert not names
    if "imagepeel/imagepeel@main" in text:
        (step,) = [one for one in yaml.safe_load(block)["jobs"]["image"]["steps"] if "imagepeel" in one.get("uses", "")]
        assert set(step["with"]) <= set(ACTION["inputs"])


def test_the_stage_of_jenkins_writes_what_it_reports(workspace: Path) -> None:
    text = (ROOT / "docs" / "how-to" / "gate-in-jenkins.md").read_text()
    command = text[text.index(".imagepeel/bin/imagepeel") : text.index("'''", text.index(".imagepeel/bin/imagepeel"))]
    (workspace / ".imagepeel-venv").rename(workspace / ".imagepeel")
    (workspace / "hello.tar").rename(workspace / "image.tar")
    done = subprocess.run(
        ["sh", "-xe", "-c", command], cwd=workspace, env=environment(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    reported = re.findall(r"(?:junit|pattern:|artifacts:) '(.*?)'", text)
    assert len(reported) == 3 and all((workspace / name).is_file() for name in reported)


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="pre-commit clones the repository")
def test_pre_commit_runs_the_hook(workspace: Path, tmp_path: Path) -> None:
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
    shutil.rmtree(workspace / ".imagepeel-venv")
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "images"]):
        subprocess.run([*git, *words], cwd=workspace, check=True, capture_output=True)
    words = [str(TOOLS / "pre-commit"), "try-repo", str(ROOT), "imagepeel-check", "--files"]
    own = environment(PRE_COMMIT_HOME=str(tmp_path / "hooks"))
    own.pop("PYTHONPATH")
    done = subprocess.run(
        [*words, "hello.tar", "broken-entrypoint.tar"],
        cwd=workspace,
        env=own,
        capture_output=True,
        text=True,
        check=False,
    )
    if "Could not find a version" in done.stdout:
        pytest.skip("no package index")
    assert done.returncode == 1 and "1 failed, 1 passed" in done.stdout, done.stdout


# ---- the action -------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_action_installs_what_it_stands_beside(tmp_path: Path) -> None:
    script = STEPS["Install imagepeel"]["run"]
    own = environment(RUNNER_TEMP=str(tmp_path), GITHUB_ACTION_PATH=str(ROOT))
    own.pop("PYTHONPATH")
    own["PATH"] = f"{TOOLS}:{own['PATH']}"
    words = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script]
    done = subprocess.run(words, cwd=tmp_path, env=own, capture_output=True, text=True, check=False)
    if "Could not find a version" in done.stderr:
        pytest.skip("no package index")
    assert done.returncode == 0, done.stderr
    version = [str(tmp_path / "imagepeel" / "bin" / "imagepeel"), "--version"]
    told = subprocess.run(version, cwd=tmp_path, env=own, capture_output=True, text=True, check=True).stdout
    assert told == f"imagepeel {imagepeel.__version__}\n"


@pytest.mark.parametrize(
    ("inputs", "code", "runs"),
    [
        ({"archives": "hello.tar"}, 0, 1),
        ({"archives": "hello.tar\n\nbroken-entrypoint.tar\n"}, 1, 2),
        ({"archives": "broken-entrypoint.tar", "fail-on": "none"}, 0, 1),
        ({"archives": "broken-entrypoint.tar", "config": "mild.toml"}, 0, 1),
        ({"archives": "hello.tar\nabsent.tar"}, 14, 1),
        ({"archives": "absent.tar"}, 14, 0),
        ({"archives": "hello.tar", "against": "broken-entrypoint.tar"}, 0, 1),
        ({"archives": "hello.tar", "dockerfile": "Dockerfile"}, 0, 1),
        ({"archives": "hello.tar", "fail-on": "worst"}, 2, None),
        ({"archives": ""}, 2, None),
    ],
)
def test_the_action_ends_as_check_does_and_hands_over_what_there_is(
    workspace: Path, inputs: dict[str, str], code: int, runs: int | None
) -> None:
    (workspace / "Dockerfile").write_text("FROM scratch\n")
    (workspace / "mild.toml").write_text('[check]\nfail-on = "none"\n')
    ended, outputs, log = act(workspace, inputs)
    assert ended == code and outputs["exit-code"] == str(code), log
    if runs is None:
        assert set(outputs) == {"exit-code"}
        return
    assert junitparser.JUnitXml.fromfile(outputs["junit"]).errors == log.count("title=not judged")
    assert ("sarif" in outputs) is (runs > 0)
    if runs:
        assert len(json.loads(Path(outputs["sarif"]).read_text())["runs"]) == runs
    summary = (workspace.parent / "temp" / "summary").read_text()
    assert summary.startswith("# ") and ("growth by step" in summary) is ("against" in inputs)
    assert "::error title=" in log or code == 0


def test_what_is_accepted_is_not_uploaded(workspace: Path) -> None:
    """github/codeql-action issue 1230: code scanning opens an alert for a suppressed result."""
    (workspace / "imagepeel.toml").write_text('[[suppress]]\nrule = "CRLF-SHEBANG"\nreason = "x"\n')
    code, outputs, _ = act(workspace, {"archives": "broken-entrypoint.tar\nhello.tar"})
    runs = json.loads(Path(outputs["sarif"]).read_text())["runs"]
    rules = [[one["ruleId"] for one in run["results"]] for run in runs]
    assert code == 0 and rules == [[], ["NO-SHELL-INSIDE"]]
    assert "CRLF-SHEBANG" in [rule["id"] for rule in runs[0]["tool"]["driver"]["rules"]]


def test_what_a_workflow_hands_in_is_never_run(workspace: Path) -> None:
    evil = ("$(touch pwned)", "`touch pwned`", "; touch pwned #", '" && touch pwned "', "--write-baseline=pwned", "-")
    for word in evil:
        given = [{"archives": f"{word}\nhello.tar"}, {**dict.fromkeys(ACTION["inputs"], word), "archives": "hello.tar"}]
        for inputs in given:
            act(workspace, inputs)
            assert not list(workspace.parent.rglob("pwned")), inputs


def test_a_summary_that_is_too_long_is_cut(workspace: Path) -> None:
    """GitHub takes 1 MiB of a step."""
    program = workspace.parent / "temp" / "imagepeel" / "bin" / "imagepeel"
    program.write_text(
        '#!/bin/sh\nfor word; do case $word in --output=markdown=*) head -c 3000000 /dev/zero > "${word##*=}";;'
        ' --output=sarif=*) echo "{\\"runs\\": []}" > "${word##*=}";; esac; done\n'
    )
    assert act(workspace, {"archives": "hello.tar"})[0] == 0
    assert 0 < (workspace.parent / "temp" / "summary").stat().st_size <= 1 << 20


# ---- GitLab -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@pytest.mark.parametrize(
    ("archives", "code"),
    [
        ("hello.tar", 0),
        ("hello.tar\nbroken-entrypoint.tar", 1),
        ("absent.tar", 14),
        ("$(touch pwned)\n; touch pwned", 14),
    ],
)
def test_the_job_of_gitlab(workspace: Path, shell: list[str], archives: str, code: int) -> None:
    variables = {**JOB["variables"], "CI_PROJECT_DIR": str(workspace), "IMAGEPEEL_ARCHIVES": archives}
    (script,) = JOB["script"]
    done = subprocess.run(
        [*shell, "-e", "-c", script], cwd=workspace, env=environment(**variables), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    reports = JOB["artifacts"]["reports"]
    report = junitparser.JUnitXml.fromfile(str(workspace / reports["junit"]))
    issues = json.loads((workspace / reports["codequality"]).read_text())
    assert report.errors == sum(one["severity"] == "blocker" for one in issues)
    assert all((workspace / path).is_file() for path in JOB["artifacts"]["paths"])
    assert not (workspace / "pwned").exists()
