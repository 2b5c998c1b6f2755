"""ELF facts: the kernel's view and the loader's view, judged by readelf and by pyelftools' section view."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from effort import steps
from imagepeel.errors import ImagepeelError, Malformed
from imagepeel.forge import programs
from imagepeel.formats.elf import file as elf
from imagepeel.formats.elf import header


def reader(data: bytes) -> header.Reader:
    return lambda offset, count: data[offset : offset + count]


def tiny(
    *,
    interp: bytes | None = b"/lib64/ld-linux-x86-64.so.2\0",
    machine: int = 62,
    kind: int = 3,
    phentsize: int = 56,
    phnum: int | None = None,
    filesz: int | None = None,
) -> bytes:
    """A 64-bit little-endian ELF file with at most one program header."""
    count = (1 if interp is not None else 0) if phnum is None else phnum
    head = b"\x7fELF\x02\x01\x01" + b"\0" * 9
    head += struct.pack("<HHIQQQIHHHHHH", kind, machine, 1, 0, 64, 0, 0, 64, phentsize, count, 64, 0, 0)
    if interp is None:
        return head
    size = len(interp) if filesz is None else filesz
    return head + struct.pack("<IIQQQQQQ", 3, 4, 120, 120, 120, size, size, 1) + interp


def dynamic(
    entries: list[tuple[int, int]], strings: bytes, extra: bytes = b"", *, tail: list[tuple[int, int]] | None = None
) -> bytes:
    """A shared object: one PT_LOAD over the file, PT_DYNAMIC at 0x100, strings at 0x800, `extra` at 0xA00."""
    rows = [*entries, (5, 0x800), (10, len(strings)), *(tail or []), (0, 0)]
    table = b"".join(struct.pack("<qQ", tag, value) for tag, value in rows)
    head = b"\x7fELF\x02\x01\x01" + b"\0" * 9
    head += struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    head += struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, 0x1000, 0x1000, 0x1000)
    head += struct.pack("<IIQQQQQQ", 2, 6, 0x100, 0x100, 0x100, len(table), len(table), 8)
    return (
        (head.ljust(0x100, b"\0") + table).ljust(0x800, b"\0") + strings.ljust(0x200, b"\0") + extra.ljust(0x600, b"\0")
    )


def view(data: bytes, architecture: str = "amd64") -> header.KernelView:
    return header.kernel_view(reader(data), len(data), architecture)


def test_the_kernel_takes_the_loader_path_up_to_its_nul() -> None:
    found = view(tiny(interp=b"/lib/ld.so\0/junk\0"))
    assert (found.errno, found.interp, found.interp_at, found.interp_phdr_at) == ("", b"/lib/ld.so", 120, 64)


@pytest.mark.parametrize(
    ("data", "errno", "word"),
    [
        (tiny(kind=1), "ENOEXEC", "REL"),
        (tiny(machine=183), "ENOEXEC", "machine"),
        (tiny(phentsize=32), "ENOEXEC", "program header"),
        (tiny(phnum=0), "ENOEXEC", "0 program headers"),
        (tiny(phnum=2_000), "ENOEXEC", "2000"),
        (tiny(phnum=900), "ENOEXEC", "ends"),
        (tiny(interp=b"\0"), "ENOEXEC", "PT_INTERP"),
        (tiny(interp=b"/lib/ld.so"), "ENOEXEC", "NUL"),
        (tiny(interp=b"/" * 4096 + b"\0"), "ENOEXEC", "4097"),
        (tiny(filesz=100), "EIO", "ends"),
        (b"\x7fELF", "ENOEXEC", "NONE"),
        (tiny()[:60], "ENOEXEC", "program header"),
    ],
)
def test_the_kernel_refuses(data: bytes, errno: str, word: str) -> None:
    found = view(data)
    assert found.errno == errno and word in found.reason


def test_4096_bytes_of_loader_path_fit() -> None:
    assert view(tiny(interp=b"/" * 4095 + b"\0")).interp == b"/" * 4095


def test_static_has_no_loader() -> None:
    data = tiny(interp=None, phnum=1) + struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, 120, 120, 4096)
    assert view(data).errno == "" and view(data).interp is None


def test_the_machine_is_read_in_the_byte_order_of_the_host() -> None:
    assert header.machine_matches(tiny()[:64], "amd64")
    assert not header.machine_matches(tiny()[:64], "arm64")
    assert not header.machine_matches(tiny(machine=22)[:64], "s390x")
    big = bytearray(tiny())
    big[18:20] = b"\0\x16"
    assert header.machine_matches(bytes(big[:64]), "s390x")
    assert not header.machine_matches(tiny()[:64], "pdp11")


def test_dynamic_facts_and_their_offsets() -> None:
    strings = b"\0liba.so\0libb.so\0/run\0/rp\0me.so\0"
    data = dynamic(
        [(1, strings.index(b"liba")), (1, strings.index(b"libb")), (29, strings.index(b"/run"))],
        strings,
        tail=[(15, strings.index(b"/rp")), (14, strings.index(b"me.so")), (0x6FFFFFFB, elf.DF_1_NODEFLIB | 1)],
    )
    found = elf.parse_elf(reader(data), len(data))
    assert [name.value for name in found.needed] == [b"liba.so", b"libb.so"]
    assert [name.at for name in found.needed] == [0x100, 0x110]
    assert data[found.needed[1].string_at :].startswith(b"libb.so\0")
    assert found.runpath is not None and found.runpath.value == b"/run"
    assert found.rpath is not None and found.rpath.value == b"/rp"
    assert found.soname is not None and found.soname.value == b"me.so"
    assert found.nodeflib and found.bind_now and not found.is_static
    assert "no-section-headers" in found.hints


def test_strings_outside_are_malformed_with_their_offset() -> None:
    data = dynamic([(1, 1 << 20)], b"\0a\0")
    with pytest.raises(Malformed, match="named at 256"):
        elf.parse_elf(reader(data), len(data))


def test_a_version_chain_that_loops_ends() -> None:
    aux = struct.pack("<IHHII", 1, 0, 2, 1, 0x10) + struct.pack("<IHHII", 1, 0, 2, 1, (1 << 32) - 0x10)
    need = struct.pack("<HHIII", 1, 1, 1, 0x10, 0)
    data = dynamic([(0x6FFFFFFE, 0xA00)], b"\0lib\0", need + aux)
    with pytest.raises(Malformed):
        steps(elf.parse_elf, reader(data), len(data), limit=30_000)


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"\x7fELF\x09", tiny()[:40], b"MZ" + b"\0" * 100])
def test_malformed(data: bytes) -> None:
    with pytest.raises(Malformed):
        elf.parse_elf(reader(data), len(data))


HOST = [Path(name) for name in ("/bin/sh", "/bin/bash", "/usr/bin/env", "/bin/busybox") if Path(name).exists()]


@given(st.binary(max_size=600))
def test_any_bytes(tail: bytes) -> None:
    data = header.MAGIC + tail
    for architecture in ("amd64", "arm", "s390x"):
        header.kernel_view(reader(data), len(data), architecture)
    try:
        elf.parse_elf(reader(data), len(data))
    except ImagepeelError:
        pass


@settings(deadline=2_000)
@given(st.lists(st.tuples(st.integers(0, 0xFFF), st.integers(0, 255)), max_size=12))
def test_damaged_files(damage: list[tuple[int, int]]) -> None:
    aux = struct.pack("<IHHII", 1, 0, 2, 1, 0)
    need = struct.pack("<HHIII", 1, 1, 1, 0x10, 0)
    define = struct.pack("<HHHHIII", 1, 0, 1, 1, 5, 20, 0) + struct.pack("<II", 1, 0)
    data = bytearray(
        dynamic(
            [(1, 1), (0x6FFFFFFE, 0xA00), (0x6FFFFFFC, 0xB00)], b"\0lib\0", (need + aux).ljust(0x100, b"\0") + define
        )
    )
    for offset, value in damage:
        data[offset] = value
    try:
        elf.parse_elf(reader(bytes(data)), len(data))
    except ImagepeelError:
        pass


def readelf(*arguments: str) -> str:
    return subprocess.run(["readelf", "-W", *arguments], capture_output=True, text=True, errors="replace").stdout


def host_files() -> list[Path]:
    folders = [
        Path("/usr/lib/x86_64-linux-gnu"),
        Path("/usr/lib/aarch64-linux-gnu"),
        Path("/usr/lib"),
        Path("/usr/bin"),
    ]
    found = list(HOST)
    for folder in folders:
        if folder.is_dir():
            files = sorted(path for path in folder.iterdir() if path.is_file() and not path.is_symlink())
            found += [path for path in files if path.open("rb").read(4) == header.MAGIC][:40]
    return found


@pytest.mark.judge
def test_readelf_agrees() -> None:
    if shutil.which("readelf") is None:
        pytest.skip("needs readelf")
    compared = 0
    for path in host_files():
        data = path.read_bytes()
        found = elf.parse_elf(reader(data), len(data))
        shown = readelf("-d", "-l", "-V", "-n", str(path))
        assert [name.value.decode() for name in found.needed] == re.findall(r"\(NEEDED\).*\[(.*)\]", shown), path
        for label, value in (("SONAME", found.soname), ("RPATH", found.rpath), ("RUNPATH", found.runpath)):
            wanted = re.findall(rf"\({label}\).*\[(.*)\]", shown)
            assert ([] if value is None else [value.value.decode()]) == wanted, (path, label)
        wanted = re.findall(r"\[Requesting program interpreter: (.*)\]", shown)
        assert ([] if found.interp is None else [found.interp.decode()]) == wanted, path
        wanted = re.findall(r"Build ID: ([0-9a-f]+)", shown)
        assert found.build_id == (wanted[0] if wanted else ""), path
        needs = re.findall(r"Name: (\S+) +Flags: .* Version: \d+", shown)
        assert [version.name.decode() for need in found.verneed for version in need.versions] == needs, path
        defines = re.findall(r"Rev: \d+ +Flags: .* Cnt: \d+ +Name: (\S+)", shown)
        assert [version.name.decode() for version in found.verdef] == defines, path
        compared += 1
    assert compared >= 4


def test_a_program_of_the_other_byte_order_is_one_for_another_machine() -> None:
    """The kernel of s390x refuses the type 0x0200, which is EXEC read backwards; people ask for the machine."""
    program = programs.hello()
    view = header.kernel_view(lambda at, count: program[at : at + count], len(program), "s390x")
    assert (view.problem, view.errno) == ("machine", "ENOEXEC")
