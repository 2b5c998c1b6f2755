"""No scanner written by hand costs the square of a text of an image: the lines that it runs are counted.

A text four times as long may run four times as many lines; the square would be sixteen times.  Patterns have their own
test beside this one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

import imagepeel
from imagepeel import forge
from imagepeel.archive.mangled import mangled
from imagepeel.archive.source import MemorySource
from imagepeel.decoding.decode import decode
from imagepeel.errors import ImagepeelError
from imagepeel.evidence import text
from imagepeel.findings.detectors import detect
from imagepeel.findings.dockerfile_lines import plain_command
from imagepeel.forge.elf import elf
from imagepeel.formats.elf.file import parse_elf
from imagepeel.formats.go_decode import unread
from imagepeel.formats.go_json import syntax_error
from imagepeel.formats.passwd import UserRefused, account_file, go_quote, resolve_user
from imagepeel.formats.shebang import parse_shebang
from imagepeel.formats.shell.parser import parse_shell
from imagepeel.formats.tar.scanner import scan
from imagepeel.history.builders import read_step
from imagepeel.image import LayeredImage
from imagepeel.loading.reference import parse as parse_reference
from imagepeel.loading.structs import MOBY_IMAGE
from imagepeel.masking import redacted, secrets_in
from imagepeel.oci.config import HistoryStep
from imagepeel.oci.json_document import parse_json
from imagepeel.process.engines.lookup import elements
from imagepeel.process.loader.common import identify_loader
from imagepeel.process.shell.arithmetic import ArithmeticFails, evaluate
from imagepeel.process.shell.outcome import classify
from imagepeel.process.shell.uses import uses
from imagepeel.process.wrappers import daemons, execline, execline_words
from imagepeel.process.wrappers.env import split_string
from imagepeel.process.wrappers.programs import unwrap
from imagepeel.process.wrappers.sudoers import Asking, needs_no_password
from imagepeel.rootfs.engines.names import VIEWS
from imagepeel.rootfs.view import Rootfs
from imagepeel.text import without_middle

SIZES = (1_200, 4_800)
"""Bytes; counted lines need no long text to tell a square from a line."""
SHORT = (240, 960)
"""Bytes of scripts that are walked: each command costs hundreds of lines."""
UNITS = (
    b"a", b" ", b"\n", b"a ", b"a\n", b":", b"a:", b"\\", b"\\\n", b'"', b"'", b"$", b"$(", b"$((", b"${", b"${a",
    b"`", b"(", b"((", b"{", b"{ a } ", b"[", b"[[ ", b"]", b"<<a\n", b"<<'a\n", b"<(", b"|", b"|1 ", b"&&", b";",
    b";;", b"#", b"#a\n", b",", b"=", b"a=b ", b"a=$a\n", b"/", b"/a", b"../", b"%", b"${a%%*", b"*", b"?", b"!",
    b"~", b"\x00", b"\xff", b"\xe2\x80\xa8", b"if a; then ", b"case a in a) ", b"a() { ", b"for a in ",
    b"while a; do ", b"a & ", b"eval a;", b"set a;", b"set -- $@ a;", b"include a\n", b"@include a\n",
    b"#include a\n", b"a ALL=(ALL) NOPASSWD: a\n", b'{"a":', b'["', b"0", b"-", b"1+", b"1?", b"a=", b"x:x:0:0::/:\n",
    b"x:x:0:x,", b"ENV a=b ", b"#(nop) ", b"EXPOSE ", b"BEGIN PRIVATE KEY-----", b"token: ", b"-a", b"--a=",
    b"\x7fELF", b"glibc 2.", b"/etc/ld-musl-", b"GNU bash", b"daemon ",
)  # fmt: skip
"""What is repeated; before it stands what makes the scanner look."""


class _Reads:
    """A rootfs whose only file is the text."""

    def __init__(self, data: bytes) -> None:
        entries = [forge.file(f"etc/{name}", data) for name in ("sudoers", "supervisord.conf")]
        archive = forge.to_bytes(forge.image(forge.layer(*entries), names="x:1"), "docker-archive")
        self.image: LayeredImage = imagepeel.open(MemorySource(archive, "x.tar")).image()
        self.rootfs: Rootfs = self.image.rootfs


_ASKING = Asking(names=frozenset(("ALL", "a")), wanted="root", command="/a")


def _prepared(data: bytes) -> Any:
    return _Reads(data).rootfs


Scanner = tuple[bytes, Callable[[bytes], Any], Callable[[Any], Any]]
"""What stands before the units; what is made of a text before it counts; and the scanner."""


def _plain(scanner: Callable[[bytes], Any], before: bytes = b"") -> Scanner:
    return before, lambda data: data, scanner


def _of_text(scanner: Callable[[str], Any], before: bytes = b"") -> Scanner:
    return before, text, scanner


def _elf_of(data: bytes) -> bytes:
    return elf(needed=[data.replace(b"\0", b"a")], rpath=data.replace(b"\0", b":"))


def _shell(shell: str) -> Callable[[str], Any]:
    return lambda script: classify(script, shell=shell, mode="script", args=("/a", "b"), env={"a": "b"})


def _tar(data: bytes) -> bytes:
    record = b"comment=" + data + b"\n"
    size = len(record) + 2
    while size != len(b"%d " % size) + len(record):
        size = len(b"%d " % size) + len(record)
    body = b"%d %s" % (size, record)
    return forge.header(name=b"x", size=len(body), typeflag=b"x") + body + bytes(-len(body) % 512)


SCANNERS: dict[str, Scanner] = {
    "shell": _of_text(parse_shell),
    "shell-dash": _of_text(_shell("dash"), b"a=b\n"),
    "shell-bash": _of_text(_shell("bash")),
    "shell-quoted": _of_text(_shell("dash"), b'exec "'),
    "shell-readers": _of_text(uses),
    "arithmetic": _of_text(lambda words: evaluate(words, {"a": "1"}.get, dash=False)),
    "passwd": _plain(lambda data: resolve_user("a:b", account_file(data), account_file(data))),
    "go-quote": _of_text(go_quote),
    "shebang": _plain(parse_shebang, b"#!"),
    "go-json": _plain(syntax_error),
    "go-decode": _plain(lambda data: unread(data, MOBY_IMAGE), b'{"created":"'),
    "json": _plain(parse_json),
    "history": _of_text(lambda line: read_step(HistoryStep(created_by=line))),
    "history-nop": _of_text(lambda line: read_step(HistoryStep(created_by=line)), b"/bin/sh -c #(nop)  CMD ["),
    "history-run": _of_text(lambda line: read_step(HistoryStep(created_by=line)), b"RUN |2 a=b "),
    "history-health": _of_text(lambda line: read_step(HistoryStep(created_by=line)), b'HEALTHCHECK &{["CMD" '),
    "history-env": _of_text(lambda line: read_step(HistoryStep(created_by=line)), b"ENV "),
    "reference": _of_text(parse_reference),
    "redacted": _of_text(redacted),
    "why-exec": _of_text(decode, b'exec: "a'),
    "why-shell": _of_text(decode, b"sh: line 1: a: command not found "),
    "secrets": _of_text(lambda words: list(secrets_in(words))),
    "detectors": _plain(lambda data: [detect(path, data) for path in (b"/a/.env", b"/a/.npmrc", b"/a/.netrc")]),
    "path": _of_text(elements),
    "env-split": _of_text(lambda words: split_string(words, {"a": "b"})),
    "options": _of_text(lambda words: unwrap(("env", "-S", words, *words.split(" ")), env={})),
    "execline": _of_text(execline.parse_execline),
    "plain-command": _of_text(plain_command),
    "without-middle": _of_text(without_middle),
    "loader": _plain(lambda data: identify_loader(data, None), b"ld.so stable release version 2.38\0"),
    "mangled": _plain(lambda data: mangled("x", data)),
    "elf-strings": (b"", _elf_of, lambda data: parse_elf(lambda at, size: data[at : at + size], len(data))),
    "pax": (b"", _tar, scan),
    "sudoers": (b"", _prepared, lambda rootfs: needs_no_password(rootfs, _ASKING)),
    "daemons": (b"", _prepared, lambda rootfs: daemons.backgrounds(rootfs, "supervisord", ("a",), "/", shell=False)),
}  # fmt: skip
REFUSALS = (ImagepeelError, ValueError, ArithmeticFails, UserRefused, execline_words.NotFollowed)


class _TooMany(BaseException):
    pass


def lines(call: Callable[[Any], Any], value: Any, most: int) -> int:
    """Lines of the package that a call runs, at most `most` + 1."""
    done = 0

    def inside(frame: FrameType, event: str, _: object) -> Any:
        nonlocal done
        done += 1
        if done > most:
            sys.settrace(None)
            raise _TooMany
        return inside

    def enter(frame: FrameType, event: str, _: object) -> Any:
        return inside if "/imagepeel/" in frame.f_code.co_filename else None

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        call(value)
    except (_TooMany, *REFUSALS):
        pass
    finally:
        sys.settrace(before)
    return done


def grows(scanner: Scanner, unit: bytes, sizes: tuple[int, int] = SIZES) -> str:
    """How the lines grow where they grow faster than the text; "" where they do not."""
    before, prepare, call = scanner
    counts: list[int] = []
    for size in sizes:
        most = 6 * counts[-1] + 3_000 if counts else 10**6
        counts.append(lines(call, prepare(before + unit * (size // len(unit))), most))
        if counts[-1] > most:
            return f"{unit!r}: {counts}"
        if counts[-1] < 200:  # it is refused, or looked at by C alone
            break
    return ""


def test_the_count_finds_what_it_looks_for() -> None:
    def square(data: bytes) -> None:
        for end in range(len(data) // 10):
            for _ in range(end):
                pass

    square.__code__ = square.__code__.replace(co_filename="/imagepeel/square.py")
    assert grows(_plain(square), b"a")
    assert not grows(SCANNERS["execline"], b"a ")


GROWS = {b"set -- $@ a;"}
"""Each command copies all words that were set before; the walk ends when their bytes together reach its bound."""


@pytest.mark.parametrize("name", SCANNERS)
def test_a_scanner_costs_what_a_text_is_long(name: str) -> None:
    walked = name in {"shell-dash", "shell-bash", "shell-quoted"}
    sizes = SHORT if walked else SIZES
    assert [
        found for unit in UNITS if not (walked and unit in GROWS) and (found := grows(SCANNERS[name], unit, sizes))
    ] == []


@pytest.mark.parametrize("view", VIEWS)
def test_a_deep_path_is_not_followed_from_the_root_for_each_of_its_parts_twice(view: str) -> None:
    """The kernel's limit of 4,096 bytes bounds what is left: the square of the parts of one path, never the cube."""
    counts = []
    for parts in (100, 400):
        layer = forge.layer(forge.file("/".join("d" * parts), b"x"), forge.symlink("l", "d"), forge.file("l/x", b""))
        archive = forge.to_bytes(forge.image(layer, names="x:1"), "docker-archive")
        with imagepeel.open(MemorySource(archive, "deep.tar")) as opened:
            image = opened.image()
            image.scan()
            counts.append(lines(lambda image: list(image.view(view).walk()), image, 4 * 10**6))
    assert counts[1] < 20 * counts[0], counts
