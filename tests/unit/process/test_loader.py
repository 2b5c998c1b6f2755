"""The loader closure on small hand-made trees: what is proved, what is said to be unknown, and damaged input."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from hosttree import DirRootfs
from imagepeel.process.loader.closure import closure
from imagepeel.process.loader.common import LoaderResult, identify_loader

GLIBC = (
    b"\0/lib/arch/\0/usr/lib/arch/\0/lib/\0/usr/lib/\0 /etc/none\0lib/arch\0x\0/etc/ld.so.cache\0\0/etc/ld.so.preload\0"
    b"cannot open shared object file\0GLIBC_PRIVATE\0ld.so stable release version 2.38.\0"
)
MUSL = (
    b"\0/lib:/usr/local/lib:/usr/lib\0%.*s/etc/ld-musl-x86_64.path\0"
    b"Error loading shared library %s: %m (needed by %s)\0"
)


def make(
    needed: tuple[bytes, ...] = (),
    *,
    interp: bytes = b"",
    tags: tuple[tuple[int, int], ...] = (),
    machine: int = 62,
    extra: bytes = b"",
    soname: bytes = b"",
    paths: tuple[tuple[int, bytes], ...] = (),
) -> bytes:
    """A shared object or program of 8 KiB: PT_LOAD over all of it, PT_DYNAMIC at 0x200, strings at 0x1000."""
    strings = b"\0"
    rows: list[tuple[int, int]] = []
    for tag, value in (*((1, name) for name in needed), *paths, *(((14, soname),) if soname else ())):
        rows.append((tag, len(strings)))
        strings += value + b"\0"
    rows += [(5, 0x1000), (10, len(strings)), *tags, (0, 0)]
    table = b"".join(struct.pack("<qQ", tag, value) for tag, value in rows)
    headers = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, 0x2000, 0x2000, 0x1000)
    headers += struct.pack("<IIQQQQQQ", 2, 6, 0x200, 0x200, 0x200, len(table), len(table), 8)
    if interp:
        headers += struct.pack("<IIQQQQQQ", 3, 4, 0x180, 0x180, 0x180, len(interp) + 1, len(interp) + 1, 1)
    head = b"\x7fELF\x02\x01\x01" + b"\0" * 9
    head += struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, 0, 0, 64, 56, len(headers) // 56, 64, 0, 0)
    body = (head + headers).ljust(0x180, b"\0") + interp + b"\0"
    return ((body.ljust(0x200, b"\0") + table).ljust(0x1000, b"\0") + strings + extra).ljust(0x2000, b"\0")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for folder in ("lib", "usr/lib/arch", "etc", "app", "opt"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "lib/ld.so").write_bytes(make(extra=GLIBC, soname=b"ld.so"))
    (tmp_path / "lib/ld-musl.so").write_bytes(make(extra=MUSL))
    return tmp_path


def run(tree: Path, program: bytes, **options: object) -> LoaderResult:
    (tree / "app/prog").write_bytes(program)
    return closure(DirRootfs(tree), "/app/prog", env=options.pop("env", {}), **options)  # type: ignore[arg-type]


def test_static_needs_no_loader(tree: Path) -> None:
    found = run(tree, make())
    assert (found.family, found.outcome) == ("static", "ok")


def test_built_in_directories_are_read_from_the_loader(tree: Path) -> None:
    (tree / "usr/lib/arch/liba.so").write_bytes(make(soname=b"liba.so"))
    found = run(tree, make((b"liba.so", b"ld.so"), interp=b"/lib/ld.so"))
    assert (found.family, found.outcome) == ("glibc", "ok")
    assert [(item.name, item.path) for item in found.libraries] == [
        ("liba.so", "/usr/lib/arch/liba.so"),
        ("ld.so", "/lib/ld.so"),
    ]
    tried = [(candidate.path, candidate.outcome) for candidate in found.libraries[0].candidates]
    assert tried == [("/lib/arch/liba.so", "skipped"), ("/usr/lib/arch/liba.so", "taken")]


def test_missing_library_has_the_text_of_each_family(tree: Path) -> None:
    glibc = run(tree, make((b"libz.so.1",), interp=b"/lib/ld.so"), argv0="prog")
    assert glibc.failure is not None and glibc.failure.code == "F30" and glibc.failure.exit_code == 127
    assert glibc.failure.message == (
        "prog: error while loading shared libraries: libz.so.1: "
        "cannot open shared object file: No such file or directory"
    )
    musl = run(tree, make((b"libz.so.1",), interp=b"/lib/ld-musl.so"), execfn="/entry.sh")
    assert musl.failure is not None and musl.failure.code == "F31" and musl.failure.exit_code == 127
    assert musl.failure.message == (
        "Error loading shared library libz.so.1: No such file or directory (needed by /entry.sh)"
    )


def test_a_glibc_name_that_links_to_musl_is_musl(tree: Path) -> None:
    (tree / "lib/ld-linux.so.2").symlink_to("ld-musl.so")
    found = run(tree, make(interp=b"/lib/ld-linux.so.2"))
    assert (found.family, found.outcome) == ("musl", "ok")


def test_set_uid_ignores_the_library_path(tree: Path) -> None:
    (tree / "opt/liba.so").write_bytes(make())
    program = make((b"liba.so",), interp=b"/lib/ld.so")
    env = {"LD_LIBRARY_PATH": "/opt"}
    assert run(tree, program, env=env).outcome == "ok"
    assert run(tree, program, env=env, secure=True).outcome == "fails"


def test_an_unreadable_library_is_passed_over(tree: Path) -> None:
    (tree / "opt/liba.so").write_bytes(make())
    (tree / "usr/lib/liba.so").mkdir()
    (tree / "usr/lib/liba.so").rmdir()
    (tree / "usr/lib/arch/liba.so").write_bytes(make())
    found = run(
        tree,
        make((b"liba.so",), interp=b"/lib/ld.so"),
        env={"LD_LIBRARY_PATH": "/opt"},
        may_read=lambda node: not node.path.startswith(b"/opt/"),  # type: ignore[attr-defined]
    )
    assert found.libraries[0].path == "/usr/lib/arch/liba.so"
    assert "Permission denied" in found.libraries[0].candidates[0].reason


@pytest.mark.parametrize(
    ("env", "word"),
    [
        ({"LD_AUDIT": "/x.so"}, "LD_AUDIT"),
        ({"LD_TRACE_LOADED_OBJECTS": "1"}, "list"),
        ({"GLIBC_TUNABLES": "glibc.cpu.x=1"}, "TUNABLES"),
    ],
)
def test_variables_that_are_not_modelled_are_said(tree: Path, env: dict[str, str], word: str) -> None:
    found = run(tree, make(interp=b"/lib/ld.so"), env=env)
    assert found.outcome == "unknown" and word in found.unknown[0]


def test_what_depends_on_the_cpu_is_said(tree: Path) -> None:
    (tree / "usr/lib/arch/liba.so").write_bytes(make())
    faster = tree / "usr/lib/arch/glibc-hwcaps/x86-64-v3"
    faster.mkdir(parents=True)
    (faster / "liba.so").write_bytes(make())
    program = make((b"liba.so",), interp=b"/lib/ld.so")
    old = run(tree, program)
    assert old.libraries[0].path == "/usr/lib/arch/liba.so" and "x86-64-v3" in old.depends[0]
    new = run(tree, program, hwcaps=("x86-64-v3",))
    assert new.libraries[0].path == "/usr/lib/arch/glibc-hwcaps/x86-64-v3/liba.so" and not new.depends


def test_platform_token_is_unknown(tree: Path) -> None:
    found = run(tree, make((b"liba.so",), interp=b"/lib/ld.so", paths=((29, b"/opt/$PLATFORM"),)))
    assert found.outcome == "unknown" and "$PLATFORM" in found.unknown[0]


def test_musl_and_a_foreign_machine_is_unknown(tree: Path) -> None:
    (tree / "usr/lib/liba.so").write_bytes(make(machine=183))
    found = run(tree, make((b"liba.so",), interp=b"/lib/ld-musl.so"))
    assert found.outcome == "unknown" and "arm64" in found.unknown[0]


def test_no_loader_no_elf_no_file(tree: Path) -> None:
    assert "not in the image" in run(tree, make(interp=b"/nope")).unknown[0]
    assert "no ELF" in run(tree, b"#!/bin/sh\n").unknown[0]
    assert "no file" in closure(DirRootfs(tree), "/nope", env={}).unknown[0]
    (tree / "lib/other").write_bytes(make())
    assert run(tree, make(interp=b"/lib/other")).family == "unknown"


def test_a_needed_cycle_ends(tree: Path) -> None:
    (tree / "usr/lib/liba.so").write_bytes(make((b"libb.so",)))
    (tree / "usr/lib/libb.so").write_bytes(make((b"liba.so", b"libb.so")))
    for loader in (b"/lib/ld.so", b"/lib/ld-musl.so"):
        found = run(tree, make((b"liba.so",), interp=loader))
        assert [item.name for item in found.libraries] == ["liba.so", "libb.so"]


def test_identify_loader() -> None:
    glibc = identify_loader(GLIBC, None)
    assert glibc.directories == (b"/lib/arch", b"/usr/lib/arch", b"/lib", b"/usr/lib")
    assert (glibc.cache, glibc.preload, glibc.lib) == (b"/etc/ld.so.cache", b"/etc/ld.so.preload", b"lib/arch")
    assert glibc.version == (2, 38)
    musl = identify_loader(MUSL, None)
    assert (musl.arch, musl.directories) == (b"x86_64", (b"/lib", b"/usr/local/lib", b"/usr/lib"))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["app/prog", "lib/ld.so", "lib/ld-musl.so", "usr/lib/liba.so", "etc/ld.so.cache"]),
    st.lists(st.tuples(st.integers(0, 0x1FFF), st.integers(0, 255)), min_size=1, max_size=10),
    st.sampled_from([b"/lib/ld.so", b"/lib/ld-musl.so"]),
)
def test_damaged_files_never_raise(tree: Path, which: str, damage: list[tuple[int, int]], loader: bytes) -> None:
    need = struct.pack("<HHIII", 1, 1, 1, 0x10, 0) + struct.pack("<IHHII", 1, 0, 2, 1, 0)
    tags = ((0x6FFFFFFE, 0x1100), (6, 0x1200), (0x6FFFFEF5, 0x1300), (7, 0x1400), (8, 48), (9, 24), (4, 0x1300))
    files = {
        "app/prog": make((b"liba.so",), interp=loader, tags=tags, extra=b"\0" * 0xE0 + need),
        "lib/ld.so": make(extra=GLIBC, soname=b"ld.so"),
        "lib/ld-musl.so": make(extra=MUSL),
        "usr/lib/liba.so": make((b"liba.so",), tags=tags),
        "etc/ld.so.cache": b"glibc-ld.so.cache1.1".ljust(0x2000, b"\0"),
    }
    content = bytearray(files[which])
    for offset, value in damage:
        content[offset] = value
    files[which] = bytes(content)
    for name, data in files.items():
        (tree / name).write_bytes(data)
    found = closure(DirRootfs(tree), "/app/prog", env={})
    assert found.outcome in ("ok", "fails", "unknown")
