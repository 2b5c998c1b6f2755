"""Who reads each word of argv: the rule of POSIX for `sh -c`, and real shells say which words a text uses."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from fake_rootfs import FakeRootfs

import imagepeel
from imagepeel import forge
from imagepeel.present.document import Claim, plain
from imagepeel.process.predict import predict
from imagepeel.process.shell.uses import uses
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.process_spec import ProcessSpec

APP = forge.file("usr/bin/app", forge.programs.hello(), 0o755)
ENV = forge.file("usr/bin/env", forge.programs.hello(), 0o755)
SHELL = forge.file("bin/sh", b"\x7fELF" + forge.programs.hello()[4:] + b"Illegal option -%c", 0o755)
ENTRY = b"#!/bin/sh\nset -e\n"


def kinds(*argv: str, script: bytes = b"") -> list[str]:
    entries = [APP, ENV, SHELL, *([forge.file("entry", script, 0o755)] if script else [])]
    wanted = ProcessSpec(architecture="amd64", entrypoint=argv, env=("PATH=/usr/bin:/bin",))
    found = predict(FakeRootfs(entries), wanted, ProcessOptions(engine="containerd"))
    assert len(found.readers) == len(found.argv)
    return [one.by for one in found.readers]


def test_the_program_reads_its_arguments() -> None:
    assert kinds("app", "--port", "80") == ["runtime", "program", "program"]


# POSIX XCU sh: `sh -c command_string command_name argument...`; the first operand behind the text is $0.
@pytest.mark.parametrize(
    ("text", "behind", "by"),
    [
        ("exec app", ("--port", "80"), ["name", "nobody"]),
        ("exec app $1", ("sh", "80", "90"), ["name", "script", "nobody"]),
        ('exec app "$@"', ("sh", "80", "90"), ["name", "program", "program"]),
        ('exec "$0" "$@"', ("app", "80"), ["script", "program"]),
        ("exec app '$1'", ("sh", "80"), ["unknown", "unknown"]),
        ("eval 'exec app'", ("sh", "80"), ["unknown", "unknown"]),
    ],
)
def test_the_words_behind_the_text_of_a_shell(text: str, behind: tuple[str, ...], by: list[str]) -> None:
    assert kinds("sh", "-c", text, *behind) == ["runtime", "shell", "shell", *by]


@pytest.mark.parametrize(
    ("script", "by"),
    [
        (b"exec app\n", ["nobody", "nobody"]),
        (b'exec "$@"\n', ["script", "program"]),
        (b'if [ "$1" = app ]; then set -- app "$@"; fi\nexec app\n', ["unknown", "unknown"]),
        (b"f() { echo 1; }\nf\nexec app\n", ["nobody", "nobody"]),
        (b". /missing-or-not\nexec app\n", ["unknown", "unknown"]),
    ],
)
def test_the_words_that_a_script_gets(script: bytes, by: list[str]) -> None:
    assert kinds("/entry", "app", "x", script=ENTRY + script) == ["runtime", *by]


def test_a_shell_that_reads_its_input_has_a_text_that_nobody_knows() -> None:
    assert kinds("sh", "-s", "80") == ["runtime", "shell", "unknown"]
    assert kinds("sh", "--odd", "80") == ["runtime", "unknown", "unknown"]


def test_a_wrapper_reads_its_own_words_and_passes_the_rest_on() -> None:
    expected = ["runtime", "wrapper", "wrapper", "program"]
    assert kinds("env", "A=1", "app", "x") == expected


TEXTS = [
    "exec echo",
    'echo "$1"',
    'echo "$@"',
    "echo $2",
    "f() { echo hi; }; f a",
    "set -eu; echo x",
    "echo ${1:-none}",
    'for x in a b; do echo "$x"; done',
    "shift; echo gone",
    "echo $(echo $2)",
    'case "$1" in a*) echo yes;; *) echo no;; esac',
]


@pytest.mark.parametrize("shell", ["/bin/dash", "/bin/bash"])
@pytest.mark.parametrize("text", TEXTS)
def test_a_word_that_nobody_reads_changes_nothing_in_a_real_shell(text: str, shell: str) -> None:
    if not Path(shell).exists():
        pytest.skip(f"no {shell} here")
    found = uses(text)
    assert found.sure

    def said(*words: str) -> bytes:
        return subprocess.run([shell, "-c", text, "sh", *words], capture_output=True, check=True).stdout

    for number in (1, 2):
        words = ["aaa", "bbb"]
        words[number - 1] = "zzz"
        changes = said(*words) != said("aaa", "bbb")
        assert changes == (found.every or number in found.numbers)


@pytest.mark.parametrize(
    "text",
    [
        "awk '{print $1}' x",
        "trap 'echo $1' EXIT",
        "$run x",
        "command . /x",
        "f() { echo $1; }; f",
        "for x do echo; done",
        "echo $#",
        "cat /proc/self/cmdline",
        "cat <<E\n$1\nE\n",
        'set -- b "$@"; echo $1',
        "echo ${!x}",
        "echo 'unfinished",
    ],
)
def test_what_is_not_understood_whole_is_not_sure(text: str) -> None:
    assert not uses(text).sure


# POSIX XCU sh: the first word of CMD becomes $0, the second $1; `exec app` uses neither.
def test_the_pages_say_that_cmd_does_not_reach_the_program(tmp_path: Path) -> None:
    layer = forge.layer(APP, SHELL)
    line = ("sh", "-c", "exec app")
    made = forge.image(layer, entrypoint=line, cmd=("--port", "80"), env={"PATH": "/usr/bin:/bin"})
    with imagepeel.open(forge.write(made, tmp_path / "x.tar", kind="oci-archive")) as archive:
        blocks = archive.image().explain().chapter("process").blocks
    told = " ".join(plain(block.text) for block in blocks if isinstance(block, Claim))
    assert 'Nobody reads "80": it is $1 of the text of -c' in told
    assert 'The program does not get "--port": it is $0 of the text of -c' in told


def test_env_splits_the_word_behind_its_option() -> None:
    """coreutils env(1): -S splits a string into separate arguments."""
    for words in (("-S", "app --port 80"), ("-Sapp --port 80",), ("--split-string=app --port 80",)):
        wanted = ProcessSpec(architecture="amd64", entrypoint=("env", *words), env=("PATH=/usr/bin:/bin",))
        found = predict(FakeRootfs([APP, ENV]), wanted, ProcessOptions(engine="containerd")).readers
        assert [one.by for one in found[1:]] == ["wrapper"] * len(words)
        assert "splits it" in found[-1].how
