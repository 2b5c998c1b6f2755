"""Programs are judged by what real ones did: the recorded answers are those that these programs still give."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from imagepeel.errors import UsageError
from imagepeel.judge import layers, starts
from imagepeel.judge.command import run

ROOT = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
UMOCI = ["umoci", "unpack", "--image", "{layout}:{tag}", "{dir}"]
# crun's cgroup manager needs a pure v2 tree, which a private mount namespace provides.
CRUN = ["unshare", "-m", "sh", "-c", 'mount -t cgroup2 none /sys/fs/cgroup; exec crun "$@"', "sh"]
Run = Callable[..., Any]


def _needs(tool: str) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")


def _program(tmp_path: Path, text: str) -> list[str]:
    program = tmp_path / "program.py"
    program.write_text(text)
    return [sys.executable, str(program)]


@ROOT
def test_umoci_does_what_was_recorded() -> None:
    _needs("umoci")
    result = layers.judge_layers(UMOCI)
    assert [case.name for case in result.cases if not any(tool.startswith("umoci") for tool in case.like)] == []


@ROOT
@pytest.mark.parametrize("words", [["runc"], CRUN], ids=["runc", "crun"])
def test_the_runtimes_do_what_was_recorded(words: list[str]) -> None:
    _needs(words[-1] if len(words) == 1 else "crun")
    result = starts.judge_starts([*words, "run", "--bundle", "{bundle}", "{id}"])
    assert [(case.name, case.changes, case.said) for case in result.cases if case.held != "holds"] == []


def test_each_case_was_recorded_from_two_tools() -> None:
    cases = [*layers.layer_cases(), *starts.start_cases()]
    assert len({case.name for case in cases}) == len(cases) >= 40
    for case in cases:
        assert len(case.answers) == 2 and case.rule and case.source, case.name


def test_what_is_brought_back_lost_or_changed_is_named(tmp_path: Path) -> None:
    nothing = layers.judge_layers([*_program(tmp_path, "import os, sys; os.mkdir(sys.argv[2])"), "{layout}", "{dir}"])
    told = {case.name: case for case in nothing.cases}
    assert told["added"].held == "differs" and told["added"].loses == ("a", "a/one", "a/two")
    wrong = "import os, sys\nos.makedirs(sys.argv[2] + '/a')\nfor n in 'one', 'two': open(f'{sys.argv[2]}/a/{n}', 'w')"
    told = {case.name: case for case in layers.judge_layers([*_program(tmp_path, wrong), "{layout}", "{dir}"]).cases}
    assert told["whiteout"].resurrects == ("a/one",)
    assert told["whiteout"].changes == ("a/two: 'file: two\\n', not 'file: '",)


def test_what_climbs_out_is_seen(tmp_path: Path) -> None:
    outside = "import os, sys; os.mkdir(sys.argv[2]); open(sys.argv[2] + '/../evil', 'w')"
    result = layers.judge_layers([*_program(tmp_path, outside), "{layout}", "{dir}"])
    assert all("../evil" in case.resurrects for case in result.cases if case.held == "differs")
    assert not any(case.held == "holds" for case in result.cases)


def test_refusing_everything_holds_nowhere_but_where_a_real_one_refuses() -> None:
    cases = layers.judge_layers(["false", "{layout}", "{dir}"]).cases
    assert {case.name for case in cases if case.held == "holds"} == {"whiteout-behind-its-file"}
    told = {case.name: case for case in starts.judge_starts(["false", "{bundle}"]).cases}
    assert all(case.held in ("refuses", "differs") for case in told.values())


def test_the_variables_of_the_shell_are_named_and_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_OF_MINE", "very-private")
    lie = "import os\nprint('argv=/bin/tell')\nprint('cwd=/')\nfor n, v in os.environ.items(): print(f'env={n}={v}')"
    result = starts.judge_starts([*_program(tmp_path, lie), "{bundle}"])
    assert "very-private" not in repr(result.cases)
    assert any("is not from the config" in change for case in result.cases for change in case.changes)


def test_time_and_output_are_bounded_and_nothing_is_left(tmp_path: Path) -> None:
    text = "import os, time\nprint('x' * 10**6, flush=True)\nif not os.fork(): time.sleep(99)\ntime.sleep(99)"
    stays = _program(tmp_path, text)
    ran = run(stays, {}, str(tmp_path), seconds=1)
    assert ran.exit_code is None and len(ran.stdout) == 1 << 16
    assert not any(str(tmp_path) in line for line in _commands())


def _commands() -> list[str]:
    found = []
    for name in os.listdir("/proc") if os.path.isdir("/proc") else []:
        try:
            found.append(Path(f"/proc/{name}/cmdline").read_text())
        except OSError:
            continue
    return found


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ([], "no command"),
        (["true"], "no {layout}"),
        (["true", "{layout}", "{dir}", "{nothing}"], "{nothing}"),
        (["/no/such/program", "{layout}", "{dir}"], "cannot be run"),
    ],
)
def test_a_command_that_cannot_be_judged_is_one_error(words: list[str], what: str) -> None:
    with pytest.raises(UsageError, match=what.replace("{", r"\{").replace("}", r"\}")):
        layers.judge_layers(words)


def test_the_command_line(run_cli: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text("import os, sys; os.mkdir(sys.argv[2])")
    done = run_cli("judge", "layers", "--", sys.executable, "mine.py", "{layout}", "{dir}")
    assert done.exit_code == 1
    assert "0 of 26 cases hold." in done.stdout and "OCI image-spec, layer.md, Whiteouts" in done.stdout
    shown = run_cli("judge", "--json", "layers", "--", sys.executable, "mine.py", "{layout}", "{dir}")
    assert shown.exit_code == 1
    assert len(json.loads(shown.stdout)["result"]["cases"]) == 26


@pytest.mark.parametrize("form", ["--html", "--markdown"])
def test_what_a_program_says_is_text_in_every_form(form: str, run_cli: Run, tmp_path: Path) -> None:
    says = _program(tmp_path, "import sys; sys.exit('<script>alert(1)</script>\\x1b[2J')")
    words = ["--html", "-"] if form == "--html" else [form]
    done = run_cli("judge", *words, "layers", "--", *says, "{layout}", "{dir}")
    assert done.exit_code == 1
    assert "\x1b" not in done.stdout
    assert form == "--markdown" or "<script>" not in done.stdout
