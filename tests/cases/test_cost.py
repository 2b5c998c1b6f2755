"""What hostile images cost: counted in calls and in bytes of memory, never in time."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from effort import steps
from imagepeel import forge
from imagepeel.formats.shell.parser import parse_shell
from imagepeel.process.shell.outcome import ScriptOutcome, classify

Make = Callable[..., Path]
Case = Callable[[str, str], Path]
DOUBLING = {
    "arguments": 'set -- "$@" "$@"\n',
    "arguments-unquoted": "set -- $@ $@ x\n",
    "joined": 'A="$A$A$*xxxxxxxxxxxxxxxx"\nset -- "$@" "$A"\n',
    "variable": 'A="x$A$A"\n',
    "default": 'A="${B:-$A$A$A}x"\n',
    "trimmed": 'A="x${A%%y}${A##y}"\n',
    "function": 'f() { set -- "$@" "$@"; f "$@"; }\nf a\n',
    "split": 'A="$A $A x"\nset -- $A\n',
    "default-nested": 'set -- ${X:-"$@" "$@"} x\n',
    "replaced": 'A="x${A//x/xxxx}"\n',
}


@pytest.mark.parametrize("shell", ["dash", "bash"])
@pytest.mark.parametrize("name", DOUBLING)
def test_a_script_that_doubles_its_words_is_given_up(name: str, shell: str) -> None:
    text = "set -- a\n" + DOUBLING[name] * 60 + 'exec "$@"\n'

    def walk() -> ScriptOutcome:
        return classify(text, shell=shell, mode="script", args=("/e",))

    tracemalloc.start()
    try:
        found = walk()
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()
    if name.startswith("arguments"):
        assert found.kind == "unknown" and "grow beyond what is followed" in found.why
    assert steps(walk, limit=2_000_000) > 0


def test_brackets_that_never_close_are_looked_for_once() -> None:
    least = steps(parse_shell, '$(( "((" ) ) ' * 500, limit=10**6)
    assert steps(parse_shell, '$(( "((" ) ) ' * 2000, limit=5 * least) > least


LONG = "/a" * 60_000


@pytest.mark.parametrize(
    "given",
    [{"workdir": LONG}, {"entrypoint": [LONG]}, {"user": LONG}, {"env": [f"PATH={LONG}"]}, {"volumes": [LONG]}],
    ids=["workdir", "entrypoint", "user", "path", "volume"],
)
@pytest.mark.parametrize("words", [("process",), ("wtf",), ("explain",)])
def test_a_long_path_costs_kilobytes(
    given: dict[str, object], words: tuple[str, ...], forge_archive: Make, run_cli: Callable[..., object]
) -> None:
    spec = forge.image(forge.layer(forge.file("x", "x")), names="x:1", **{"entrypoint": ["/x"], **given})
    path = forge_archive(spec, name="long.tar")
    plain = forge_archive("hello")
    run_cli(*words, plain)
    tracemalloc.start()
    try:
        run_cli(*words, path, "--no-cache")
        assert tracemalloc.get_traced_memory()[1] < 24_000_000
    finally:
        tracemalloc.stop()


NAMES = (
    "arith_quadratic", "history_5000_digits", "history_args_pipe", "history_env_aaaa", "history_nop_recursion",
    "kubeconfig_newlines", "npmrc_auth", "pem_whitespace", "set_doubling_oom", "workingdir_deep",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_what_cost_minutes_is_answered(name: str, case: Case) -> None:
    """Robustness 2 to 8: each took the whole time or memory that it was given; the limits here are of the system."""
    path = case("robustness", f"{name}.tar.gz")
    limits = "import resource; resource.setrlimit(resource.RLIMIT_CPU, (60, 60)); "
    limits += "resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30)); from imagepeel.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", limits, "explain", str(path), "--no-cache"], capture_output=True)
    assert done.returncode == 0, done.stderr[-300:]
