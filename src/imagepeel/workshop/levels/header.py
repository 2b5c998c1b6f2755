"""Level 3: the learner writes a tar header."""

from __future__ import annotations

import ast
from pathlib import Path

from imagepeel.forge.programs import machine
from imagepeel.formats.tar.header import BLOCK, TarError, checksum_matches, parse_header
from imagepeel.workshop.images import hello
from imagepeel.workshop.level import Level, learned, missing
from imagepeel.workshop.resources import starter

TAR = "mine.tar"
PROGRAM = "hello"
WRITER = "mine.py"
_READERS = ("tarfile", "shutil", "subprocess", "imagepeel")


def _prepare(folder: Path) -> None:
    program = hello(machine()).layers[0].entries[0].data
    (folder / PROGRAM).write_bytes(program)
    (folder / PROGRAM).chmod(0o755)
    (folder / WRITER).write_text(starter("header_start.py.txt"))


def _check(folder: Path) -> None:
    written = learned(folder, WRITER, f"take {WRITER} out of the course again").decode("utf-8", "replace")
    try:
        nodes = list(ast.walk(ast.parse(written)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        missing(f"{WRITER} is no Python", f"python3 {WRITER} says in which line")
    named = {alias.name.partition(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named |= {(node.module or "").partition(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}
    for module in _READERS:
        if module in named:
            missing(f"{WRITER} lets {module} write the tar", "the header is 512 bytes that you join yourself")
    data = learned(folder, TAR, f"python3 {WRITER} writes it")
    if len(data) % BLOCK:
        missing(f"{TAR} has {len(data)} bytes, which is no multiple of {BLOCK}", "fill up the last block with zeros")
    block = data[:BLOCK]
    if len(block) < BLOCK or not block.rstrip(b"\0"):
        missing(f"{TAR} has no header at its start", f"a header is {BLOCK} bytes, the name first")
    if not checksum_matches(block):
        missing(
            "the checksum of the header is wrong",
            "it is the sum of all 512 bytes, its own eight counted as spaces: six octal digits, a NUL, a space",
        )
    try:
        header = parse_header(block)
    except TarError as error:
        missing(f"the header cannot be read: {error}", "numbers are octal digits, as text, with a NUL behind them")
    program = (folder / PROGRAM).read_bytes()
    if header.name != PROGRAM.encode():
        missing(f"the header names {header.name.decode('utf-8', 'replace')!r}", f"the file is called {PROGRAM}")
    if header.size != len(program):
        missing(f"the header says {header.size} bytes", f"{PROGRAM} has {len(program)}: are the digits octal?")
    if header.mode & 0o777 != 0o755:
        missing(f"the header says mode {header.mode & 0o7777:o}", "a program needs 755, in octal digits")
    if header.type not in (b"0", b"\0"):
        missing("the header does not say that it is a file", "the byte at 156 is the digit 0")
    if data[BLOCK : BLOCK + len(program)] != program:
        missing(f"behind the header does not stand {PROGRAM}", "the content begins at byte 512")
    end = BLOCK + len(program) + -len(program) % BLOCK
    if data[BLOCK + len(program) :].strip(b"\0"):
        missing("behind the content stands something else than zeros", "zeros fill its last block and end the tar")
    if len(data) < end + 2 * BLOCK:
        missing(f"the end of {TAR} is not there", "a tar ends with two blocks of zeros")


def _solution(folder: Path) -> dict[str, str]:
    return {WRITER: starter("header.py.txt"), "solution.sh": f"python3 {WRITER}\n"}


LEVEL = Level(
    number=3,
    name="header",
    title="Write a tar header",
    idea="512 bytes of text and zeros are all that a file needs to be in a layer.",
    minutes=15,
    paths=(120,),
    prepare=_prepare,
    check=_check,
    solution=_solution,
)
