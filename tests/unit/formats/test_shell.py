"""The shell grammar: trees by hand, and every script of this machine that its own shell accepts."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagepeel.errors import Malformed
from imagepeel.formats.shell.parser import parse_shell
from imagepeel.formats.shell.tree import Compound, Simple, Word


def simple(text: str) -> Simple:
    command = parse_shell(text).items[0].pipelines[0].commands[0]
    assert isinstance(command, Simple)
    return command


def word(text: str) -> Word:
    return simple("x " + text).words[1]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("abc", "abc"),
        ("'a b'", "a b"),
        ('"a b"c', "a bc"),
        (r"a\ b", "a b"),
        (r'"\$x\n\""', '$x\\n"'),
        ("a\\\nb", "ab"),
        ("'*'", "*"),
        ("[", "["),
        ("a#b", "a#b"),
        ("$", "$"),
        ("*", None),
        ("$x", None),
        ("~/x", None),
        ("$(x)", None),
    ],
)
def test_literal_words(text: str, value: str | None) -> None:
    assert word(text).literal == value


def test_parts() -> None:
    parts = word('a"b$c"${d:-e f}$(g "h)")`i`$((1+(2)))').parts
    assert [(part.kind, part.text, part.quoted) for part in parts] == [
        ("literal", "a", False),
        ("literal", "b", True),
        ("parameter", "c", True),
        ("parameter", "d:-e f", False),
        ("command", 'g "h)"', False),
        ("command", "i", False),
        ("arithmetic", "1+(2)", False),
    ]


def test_simple_command() -> None:
    found = simple("A=1 B= app >out 2>&1 x <in # note")
    assert [(item.name, item.value.source if item.value else None) for item in found.assignments] == [
        ("A", "1"),
        ("B", ""),
    ]
    assert [item.source for item in found.words] == ["app", "x"]
    assert [item.operator for item in found.redirections] == [">", ">&", "<"]


def test_lists_and_lines() -> None:
    script = parse_shell("a && b || c; d &\ne | f\n")
    assert [(item.operators, item.end) for item in script.items] == [(("&&", "||"), ";"), ((), "&"), ((), "")]
    assert [line.newline for line in script.lines] == [True, True]
    assert len(script.items[2].pipelines[0].commands) == 2


@pytest.mark.parametrize(
    ("text", "kind", "branches"),
    [
        ("(a)", "subshell", 1),
        ("{ a; }", "group", 1),
        ("if a; then b; elif c; then d; else e; fi", "if", 3),
        ("while a; do b; done", "while", 1),
        ("for i in 1 2; do a; done", "for", 1),
        ("for ((i=0;i<3;i++)); do a; done", "for", 1),
        ("case x in a|b) c;; (d) e;; esac", "case", 2),
        ("f() { a; }", "function", 1),
        ("function f { a; }", "function", 1),
        ("[[ -n $x && $y =~ ^(a|b)$ ]]", "test", 0),
        ("((i++))", "arithmetic", 0),
    ],
)
def test_compound(text: str, kind: str, branches: int) -> None:
    command = parse_shell(text).items[0].pipelines[0].commands[0]
    assert isinstance(command, Compound)
    assert (command.kind, len(command.branches)) == (kind, branches)


def test_here_documents_are_no_commands() -> None:
    script = parse_shell("cat <<A <<-'B' && x\nexec a\nA\n\texec b\n\tB\nexec c\n")
    assert len(script.items) == 2
    assert len(script.items[0].pipelines) == 2


@pytest.mark.parametrize(
    "text", ["'", '"', "`", "$(", "${", "(", "{ a", "if a", "case a", "a |", "a &&", "| a", "fi", "&"]
)
def test_malformed(text: str) -> None:
    with pytest.raises(Malformed, match="character"):
        parse_shell(text)


@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    try:
        parse_shell(text)
    except Malformed:
        pass


def own_scripts() -> list[tuple[str, str]]:
    found = []
    for folder in ("/usr/bin", "/usr/sbin", "/etc/init.d", "/usr/lib/git-core", "/var/lib/dpkg/info"):
        if not os.path.isdir(folder):
            continue
        for path in sorted(Path(folder).iterdir()):
            if path.is_file() and os.access(path, os.R_OK):
                with path.open("rb") as file:
                    first = file.read(64).split(b"\n")[0]
                ours = first.startswith(b"#!") and first.split()[-1].endswith((b"/sh", b"/bash", b"/dash", b"-e"))
                if ours and b"sh" in first:
                    found.append((str(path), "bash" if b"bash" in first else "sh"))
    return found


@pytest.mark.judge
def test_scripts_that_the_shell_accepts_are_understood() -> None:
    scripts = own_scripts()
    if len(scripts) < 20:
        pytest.skip("this machine has too few shell scripts")
    refused = []
    for path, shell in scripts:
        try:
            parse_shell(Path(path).read_bytes().decode("utf-8", "surrogateescape"))
        except Malformed as error:
            if subprocess.run([shell, "-n", path], capture_output=True).returncode == 0:
                refused.append((path, str(error)))
    assert not refused


@pytest.mark.parametrize("text", ["¹<0", "exec ²>f", "x 99999<f", "echo $" + "9" * 5000, "echo ${" + "9" * 5000 + "}"])
def test_digits_of_other_scripts_and_thousands_of_them_are_no_error(text: str) -> None:
    assert parse_shell(text).lines
