"""Whatever an image holds, a prediction ends in a verdict: no exception, bounded work, the same every time."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "process"))

from fake_rootfs import FakeRootfs

from imagepeel import forge
from imagepeel.forge import programs
from imagepeel.process.engines.registry import ENGINES
from imagepeel.process.predict import predict
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.process_spec import ProcessSpec
from imagepeel.process.spec.trace import execve

KINDS = {"RUNS", "FAILS", "DEPENDS", "UNKNOWN"}
LABELS = [engine.label for engine in ENGINES]
REPORT = programs.report()
WORDS = st.text(st.characters(codec="utf-8"), max_size=40)
PATHS = (
    st.sampled_from(["/a", "/b", "/bin/a", "a", "/l", "/d", "/d/x", "./a", "//a", "", ".", "/a/", "/bin/sh"]) | WORDS
)
HEADS = st.sampled_from(
    [b"#!/b\n", b"#!/a\n", b"#!/bin/sh\n", b"#! /b x\r\n", b"#!", b"\x7fELF", REPORT[:64], REPORT, b""]
)
CONTENT = st.builds(lambda head, rest: head + rest, HEADS, st.binary(max_size=300))
LINKS = st.sampled_from(["/a", "/b", "/l", "/gone", "d", "..", "/d/../a"])


@st.composite
def trees(draw: st.DrawFn) -> tuple[forge.Entry, ...]:
    mode = st.sampled_from([0o755, 0o644, 0o700, 0o000, 0o4755, 0o2755, 0o111])
    xattrs = draw(st.sampled_from([{}, {"security.capability": b"\x01\0\0\x02" + b"\xff" * 16}]))
    caps = draw(st.binary(max_size=24))
    return (
        forge.file("a", draw(CONTENT), draw(mode), draw(st.sampled_from([0, 5])), 5, xattrs=xattrs),
        forge.file("b", draw(CONTENT), draw(mode), xattrs={"security.capability": caps} if caps else {}),
        forge.file("bin/sh", draw(CONTENT), 0o755),
        forge.symlink("l", draw(LINKS)),
        forge.directory("d", draw(mode)),
        forge.file("etc/passwd", draw(st.binary(max_size=200)), 0o644),
        forge.file("etc/group", draw(st.binary(max_size=200)), 0o644),
    )


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    tree=trees(),
    entrypoint=st.lists(PATHS, max_size=4),
    cmd=st.lists(PATHS, max_size=3),
    env=st.lists(
        WORDS | st.sampled_from(["PATH=/bin:/d:.", "PATH=", "PATH", "=x", "HOME=", "LD_LIBRARY_PATH=/d"]), max_size=4
    ),
    user=st.sampled_from(["", "0", "5", "a", "a:b", ":", "-1", "99999999999999999999"]) | WORDS,
    cwd=PATHS,
    engine=st.sampled_from(LABELS),
    arch=st.sampled_from(["amd64", "arm64", "386", "s390x", "vax", ""]),
)
def test_a_prediction_always_ends_in_a_verdict(
    tree: tuple[forge.Entry, ...],
    entrypoint: list[str],
    cmd: list[str],
    env: list[str],
    user: str,
    cwd: str,
    engine: str,
    arch: str,
) -> None:
    wanted = ProcessSpec(
        entrypoint=tuple(entrypoint), cmd=tuple(cmd), env=tuple(env), user=user, working_dir=cwd, architecture=arch
    )
    first = predict(FakeRootfs(tree), wanted, ProcessOptions(engine=engine))
    verdict = first.verdict
    assert verdict.kind in KINDS
    if verdict.kind == "FAILS":
        assert verdict.id and verdict.judge in {"J1", "J2", "J3", "J4"} and verdict.why and verdict.fix
        assert verdict.text or verdict.message
    if verdict.kind == "DEPENDS":
        assert verdict.depends
    if verdict.kind == "UNKNOWN":
        assert verdict.reason
    if verdict.kind == "RUNS":
        assert first.path is not None and first.pid1 is not None
    again = predict(FakeRootfs(tree), wanted, ProcessOptions(engine=engine))
    assert again.verdict == verdict
    assert len(first.steps) < 60


@given(st.lists(WORDS, max_size=40))
def test_the_literal_call_is_one_printable_line(words: list[str]) -> None:
    line = execve("/a", words, 3)
    assert "\n" not in line
    assert line.startswith('execve("/a", [')


MARKS = st.sampled_from([b"BusyBox v", b"GNU bash, version", b"Illegal option -%c"])
SNIPPETS = st.sampled_from(
    ['exec "$@"', "exec a", "a", "if [ -f /a ]; then", "fi", "case $1 in", "esac", "for x in $@; do", "done", "&&",
     "||", "| cat", "(", ")", "{", "}", "$(a)", "`a`", "'", '"', "${A:-b}", "<<EOF", "EOF", "set -e", "cd /d",
     "trap : TERM", "exec env A=1 a", "exec gosu 5 a", ". /b", "eval a", "while :; do", "shift", "\\", "#", "&",
     "\n", ";;", "$((1+1))"]
)  # fmt: skip
SCRIPTS = st.lists(SNIPPETS | WORDS, max_size=12).map(" ".join) | st.lists(SNIPPETS, max_size=12).map("\n".join)
WRAPPERS = (
    "env",
    "tini",
    "gosu",
    "nice",
    "setpriv",
    "su-exec",
    "dumb-init",
    "timeout",
    "su",
    "chroot",
    "sh",
    "s6-setuidgid",
)
ARGUMENTS = st.lists(
    st.sampled_from(
        [*WRAPPERS, "-i", "-S", "-u", "--", "-c", "A=1", "a", "/a", "5", "root", "-n", "--reuid", "-s", "-"]
    )
    | WORDS,
    max_size=6,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mark=MARKS, script=SCRIPTS, wrapper=st.sampled_from(WRAPPERS), arguments=ARGUMENTS, shell=st.booleans())
def test_scripts_and_wrappers_always_end_in_a_verdict(
    mark: bytes, script: str, wrapper: str, arguments: list[str], shell: bool
) -> None:
    tree = [
        forge.file("bin/sh", REPORT + b"\0" + mark + b"\0", 0o755),
        forge.file("a", REPORT, 0o755),
        forge.file("b", "#!/bin/sh\n" + script, 0o755),
        forge.file("etc/passwd", "root:x:0:0::/root:\napp:x:5:5::/:\n"),
        *(forge.file(f"bin/{name}", REPORT, 0o755) for name in WRAPPERS if name != "sh"),
    ]
    entrypoint = ("/bin/sh", "-c", script) if shell else (wrapper, *arguments)
    wanted = ProcessSpec(entrypoint=entrypoint, cmd=("/b", "x"), architecture="amd64")
    found = predict(FakeRootfs(tree), wanted, ProcessOptions(engine="docker@28"))
    assert found.verdict.kind in KINDS
    if found.verdict.kind == "RUNS":
        assert found.pid1 is not None and found.pid1.argv
    assert len(found.steps) < 120
