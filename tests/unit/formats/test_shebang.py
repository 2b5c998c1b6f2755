"""The `#!` line: the rules by hand, and the running kernel as judge."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagepeel.formats.shebang import BUFFER, Shebang, parse_shebang


def line(head: bytes) -> tuple[bytes, bytes | None]:
    found = parse_shebang(head)
    assert found is not None and found.ok, found
    return found.interpreter, found.argument


@pytest.mark.parametrize(
    ("head", "interpreter", "argument"),
    [
        (b"#!/bin/sh\n", b"/bin/sh", None),
        (b"#! \t/bin/sh \t\n", b"/bin/sh", None),
        (b"#!/usr/bin/env python -u\nx", b"/usr/bin/env", b"python -u"),
        (b"#!/bin/sh -e  -x  \n", b"/bin/sh", b"-e  -x"),
        (b"#!/bin/sh\r\n", b"/bin/sh\r", None),
        (b"#!/bin/sh -e\r\n", b"/bin/sh", b"-e\r"),
        (b"#!sh\n", b"sh", None),
        (b"#!/bin/sh", b"/bin/sh", None),
        (b"#!/bin/sh\0junk\n", b"/bin/sh", None),
        (b"#!/bin/sh -a\0junk\n", b"/bin/sh", b"-a"),
    ],
)
def test_accepted(head: bytes, interpreter: bytes, argument: bytes | None) -> None:
    assert line(head) == (interpreter, argument)


@pytest.mark.parametrize("head", [b"#!\n", b"#!  \t \n", b"#!" + b" " * 300, b"#!/" + b"a" * 253, b"#!/" + b"a" * 300])
def test_refused(head: bytes) -> None:
    found = parse_shebang(head)
    assert found is not None and not found.ok


@pytest.mark.parametrize("head", [b"", b"#", b"\xef\xbb\xbf#!/bin/sh\n", b"\n#!/bin/sh\n", b" #!/bin/sh\n", b"echo"])
def test_no_shebang(head: bytes) -> None:
    assert parse_shebang(head) is None


def test_255_bytes_fit_and_256_do_not() -> None:
    assert line(b"#!/" + b"a" * 252 + b"\n")[0] == b"/" + b"a" * 252
    refused = parse_shebang(b"#!/" + b"a" * 253 + b"\n")
    assert refused is not None and not refused.ok and refused.truncated


def test_a_long_argument_is_cut_at_255() -> None:
    found = parse_shebang(b"#!/bin/sh " + b"x" * 400 + b"\n")
    assert found is not None and found.ok and found.truncated
    assert found.argument == b"x" * 245


def test_argv_of_the_next_round() -> None:
    found = Shebang(interpreter=b"/bin/sh", argument=b"-e")
    assert found.argv(b"/run.sh", (b"a", b"b")) == (b"/bin/sh", b"-e", b"/run.sh", b"a", b"b")


def test_carriage_return_is_named() -> None:
    found = parse_shebang(b"#!/bin/sh\r\n")
    assert found is not None and found.carriage_return


@given(st.binary(max_size=400))
def test_any_bytes(tail: bytes) -> None:
    found = parse_shebang(b"#!" + tail)
    assert found is not None
    assert len(found.interpreter) < BUFFER
    assert parse_shebang(tail) is None or tail.startswith(b"#!")


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny interpreter that prints its own argv, NUL-separated."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler for the tiny interpreter")
    folder = tmp_path_factory.mktemp("kernel")
    source = folder / "echo.c"
    source.write_text(
        "#include <stdio.h>\n"
        "int main(int c, char **v) { for (int i = 0; i < c; i++) { fputs(v[i], stdout); putchar(0); } return 0; }\n"
    )
    subprocess.run([compiler, "-o", str(folder / "i"), str(source)], check=True)
    return str(folder / "i")


def kernel_says(script: Path) -> tuple[str, list[bytes]]:
    """(errno name or "", argv the interpreter saw) of one execve without any shell in between."""
    try:
        done = subprocess.run([str(script)], executable=str(script), stdout=subprocess.PIPE, cwd=script.parent)
    except OSError as error:
        return errno.errorcode[error.errno or 0], []
    return "", done.stdout.split(b"\0")[:-1]


@pytest.mark.judge
@pytest.mark.skipif(sys.platform != "linux", reason="the judge is the Linux kernel")
def test_the_kernel_agrees(echo: str) -> None:
    interpreter = echo.encode()
    pad = 255 - 2 - len(interpreter)
    heads = [
        b"#!%s\n",
        b"#!  %s\n",
        b"#!\t%s \t \n",
        b"#!%s a b  c \n",
        b"#!%s\r\n",
        b"#!%s a\r\n",
        b"#!%s",
        b"#!%s ",
        b"#!%s \0",
        b"#!%s a",
        b"#!%s\0",
        b"#!%s\0\n",
        b"#!%s a\0b\n",
        b"#!%s \0b\n",
        b"#!\n",
        b"#!",
        b"#! ",
        b"#! \n%s\n",
        b"#!" + b" " * pad + b"%s\n",
        b"#!" + b" " * (pad + 1) + b"%s\n",
        b"#!" + b" " * (pad + 1) + b"%s",
        b"#!" + b" " * 300 + b"%s\n",
        b"#!%s " + b"x" * 400 + b"\n",
        b"#!%s " + b"x" * 100 + b" " * 400 + b"\n",
        b"#!%s" + b" " * 400 + b"\n",
        b"#!%s" + b" " * (pad - 1) + b"\n",
        b"#!%s" + b" " * pad + b"\n",
        b"#!%s" + b" " * (pad + 1) + b"\n",
        b"#!%s x" + b" " * (pad - 2) + b"\n",
        b"#!%s x" + b" " * (pad - 1) + b"\n",
        b"#!\0%s\n",
        b"#! \0%s\n",
        b"\n#!%s\n",
        b"\xef\xbb\xbf#!%s\n",
        b"",
        b"# !%s\n",
    ]
    folder = Path(echo).parent
    for number, template in enumerate(heads):
        head = template.replace(b"%s", interpreter)
        script = folder / f"s{number}"
        script.write_bytes(head)
        script.chmod(stat.S_IRWXU)
        errno_name, argv = kernel_says(script)
        found = parse_shebang(head)
        if found is None or not found.ok:
            assert errno_name == "ENOEXEC", (head, errno_name)
        elif found.interpreter != interpreter:
            # The line is accepted, but names another file (a CR in the path, or no path at all).
            assert errno_name in ("ENOENT", "EACCES"), (head, errno_name)
            assert not os.path.exists(found.interpreter)
        else:
            assert errno_name == "", (head, errno_name)
            assert argv == list(found.argv(os.fsencode(script))), head
