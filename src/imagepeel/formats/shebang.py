"""The first line of a script exactly as the Linux kernel reads it (`fs/binfmt_script.c`, Linux 5.1 and later)."""

from __future__ import annotations

import msgspec

BUFFER = 256
"""Bytes of a file that `execve` reads before it decides what the file is (`BINPRM_BUF_SIZE`)."""

SHORT_BUFFER = 127
"""Bytes of a script that gVisor's kernel looks at."""

MAX_NESTING = 5
"""Scripts that may name scripts: the sixth in a row is refused with ELOOP (`exec_binprm`, `depth > 5`)."""

_BLANK = b" \t"


class Shebang(msgspec.Struct, frozen=True, kw_only=True):
    """What the kernel makes of a file that starts with `#!`.

    `interpreter` is the path that will be executed and `argument` the single optional argument, both verbatim.
    `reason` is empty when the kernel accepts the line, else it says why `execve` ends in ENOEXEC and the other
    fields are what could be read.  `truncated` means that the argument was cut because the line does not end
    inside the first 256 bytes.  `length` counts the bytes of the line without its newline.
    """

    interpreter: bytes
    argument: bytes | None
    reason: str = ""
    truncated: bool = False
    length: int = 0

    @property
    def ok(self) -> bool:
        """The kernel goes on to execute `interpreter`."""
        return not self.reason

    @property
    def carriage_return(self) -> bool:
        """The line ends in CR LF, so the CR became part of the interpreter path or of its argument."""
        last = self.interpreter if self.argument is None else self.argument
        return last.endswith(b"\r")

    def argv(self, script: bytes, rest: tuple[bytes, ...] = ()) -> tuple[bytes, ...]:
        """The argument vector of the next round.

        `script` is the path that was executed, `rest` its arguments without argv[0].  Returns interpreter,
        argument if there is one, script path, then `rest`: argv[0] of the script is lost.
        """
        middle = () if self.argument is None else (self.argument,)
        return (self.interpreter, *middle, script, *rest)


def parse_shebang(head: bytes, *, buffer: int = BUFFER) -> Shebang | None:
    """Read the `#!` line at the start of a file.

    `head` is the start of the file (more than `buffer` bytes are ignored, fewer are padded with NUL as the
    kernel does).  Returns None when the file does not start with `#!`; a `Shebang` whose `reason` is set when it
    does and the kernel still answers ENOEXEC.  Raises nothing.  Source: `load_script` in fs/binfmt_script.c.
    """
    if head[:2] != b"#!":
        return None
    window = head[:buffer].ljust(buffer, b"\0")
    last = buffer - 1
    nul = window.find(b"\0")
    # The kernel's strnchr() gives up at a NUL, so a newline behind one is never seen.
    newline = window.find(b"\n", 0, None if nul < 0 else nul)
    truncated = False
    if newline >= 0:
        end = newline
    else:
        first = _skip_blanks(window, 2, last)
        if first is None:
            return Shebang(interpreter=b"", argument=None, reason="nothing but blanks in the first 256 bytes")
        if _terminator(window, first, last) is None:
            return Shebang(
                interpreter=window[first:],
                argument=None,
                reason="the interpreter path does not end within the first 256 bytes",
                truncated=True,
                length=len(window),
            )
        end = last
        truncated = nul < 0
    length = newline if newline >= 0 else (nul if nul >= 0 else buffer)
    while window[end - 1] in _BLANK:
        end -= 1
    name = _skip_blanks(window, 2, end)
    if name is None or name == end:
        return Shebang(interpreter=b"", argument=None, reason="no interpreter is named after #!", length=length)
    separator = _terminator(window, name, end)
    argument: bytes | None = None
    if separator is None:
        interpreter = window[name:end]
    else:
        interpreter = window[name:separator]
        if window[separator] != 0:
            start = _skip_blanks(window, separator, end)
            if start is not None:
                argument = _c_string(window[start:end])
    interpreter = _c_string(interpreter)
    if not interpreter:
        # A NUL right after #!: the kernel opens the empty path, which is ENOENT; nothing runs either way.
        return Shebang(interpreter=b"", argument=argument, truncated=truncated, length=length)
    return Shebang(interpreter=interpreter, argument=argument, truncated=truncated, length=length)


def parse_short_shebang(head: bytes) -> Shebang | None:
    """Read the `#!` line as gVisor's kernel does: 127 bytes of it, and blanks at its end stay in the argument.

    Arguments and return value are those of `parse_shebang`.  A NUL in the interpreter's name stays there, and no file
    has such a name.  Source: measured with Debian 12's runsc.
    """
    if head[:2] != b"#!":
        return None
    line, newline, _ = head[2:SHORT_BUFFER].partition(b"\n")
    truncated = not newline and len(head) > SHORT_BUFFER and head[SHORT_BUFFER : SHORT_BUFFER + 1] != b"\n"
    words = line.lstrip(_BLANK)
    ends = [at for at in map(words.find, (b" ", b"\t")) if at >= 0]
    interpreter = words[: min(ends)] if ends else words
    argument = words[len(interpreter) :].lstrip(_BLANK)
    reason = "" if interpreter else "no interpreter is named after #!"
    return Shebang(
        interpreter=interpreter,
        argument=_c_string(argument) or None,
        reason=reason,
        truncated=truncated,
        length=len(line) + 2,
    )


def _skip_blanks(window: bytes, first: int, last: int) -> int | None:
    """Index of the first byte in `first..last` (inclusive, as in the kernel) that is no blank."""
    for index in range(first, last + 1):
        if window[index] not in _BLANK:
            return index
    return None


def _terminator(window: bytes, first: int, last: int) -> int | None:
    """Index of the first blank or NUL in `first..last`, inclusive."""
    for index in range(first, last + 1):
        if window[index] in b" \t\0":
            return index
    return None


def _c_string(value: bytes) -> bytes:
    return value.split(b"\0", 1)[0]
