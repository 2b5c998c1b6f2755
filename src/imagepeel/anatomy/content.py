"""What a file begins with, field by field: ELF and the line of a script, which the kernel reads, or a JSON document."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from imagepeel.evidence import text
from imagepeel.formats.elf.fields import elf_fields
from imagepeel.formats.field import Field
from imagepeel.formats.shebang import BUFFER, parse_shebang

Reader = Callable[[int, int], bytes]
ContentKind = Literal["", "ELF", "shebang", "JSON"]
"""What a file is, where its fields are told: what the kernel reads, or a document of the archive."""


def content_fields(read: Reader | None) -> tuple[ContentKind, tuple[Field, ...]]:
    """Return what the kernel sees in the content of a file, and its fields: ELF or a shebang line; "" and () else.

    `read(offset, count)` gives bytes of the file, None where it has none; the offsets of the fields count from its
    start.
    """
    if read is None:
        return "", ()
    fields = elf_fields(read)
    if fields:
        return "ELF", fields
    head = read(0, BUFFER)
    shebang = parse_shebang(head)
    if shebang is None:
        return "", ()
    return "shebang", tuple(_line(head, shebang.interpreter, shebang.argument, shebang.length))


def _line(head: bytes, interpreter: bytes, argument: bytes | None, length: int) -> list[Field]:
    line = head[:length]
    out = [Field(offset=0, name="#!", data=line[:2], value="shebang", meaning="The kernel starts another program.")]
    at = line.find(interpreter, 2) if interpreter else -1
    if at < 0:
        if line[2:]:
            out.append(Field(offset=2, name="line", data=line[2:], value=text(line[2:])))
    else:
        if at > 2:
            out.append(Field(offset=2, name="blanks", data=line[2:at], value="passed over"))
        meaning = "The program to start."
        out.append(Field(offset=at, name="interpreter", data=interpreter, value=text(interpreter), meaning=meaning))
        end = at + len(interpreter)
        if line[end:]:
            meaning = "One argument, without the blanks at its ends." if argument is not None else "Passed over."
            out.append(
                Field(offset=end, name="argument", data=line[end:], value=text(argument or b""), meaning=meaning)
            )
    if head[length : length + 1] == b"\n":
        out.append(Field(offset=length, name="newline", data=b"\n", value="the line ends here"))
    return out
