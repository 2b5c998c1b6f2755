"""Programs that really run, and ELF headers against readelf and pyelftools."""

from __future__ import annotations

import io
import os
import platform
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from elftools.elf.dynamic import DynamicSection, DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerDefSection, GNUVerNeedSection
from elftools.elf.segments import InterpSegment

from imagepeel.errors import UsageError
from imagepeel.forge import programs
from imagepeel.forge.assembler import X86
from imagepeel.forge.elf import LOADERS, MACHINES, elf, elf_hash

readelf = pytest.mark.skipif(shutil.which("readelf") is None, reason="readelf is not installed")
native = pytest.mark.skipif(
    platform.machine() != "x86_64" or platform.system() != "Linux", reason="the programs are for Linux on x86-64"
)
PROGRAMS = {"hello": programs.hello, "report": programs.report, "wait": programs.wait, "sh": programs.sh}


def place(folder: Path, name: str, data: bytes) -> str:
    path = folder / name
    path.write_bytes(data)
    path.chmod(0o755)
    return str(path)


def run(argv: Sequence[str], **more: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(argv, capture_output=True, timeout=20, **more)


@native
def test_hello_writes_its_message_and_exits(tmp_path: Path) -> None:
    done = run([place(tmp_path, "h", programs.hello("caf\u00e9\n", 3))])
    assert (done.returncode, done.stdout) == (3, "caf\u00e9\n".encode())


@native
def test_report_tells_what_the_process_is(tmp_path: Path) -> None:
    path = place(tmp_path, "r", programs.report(7, banner="first\n"))
    child = subprocess.Popen(
        [path, "two words", "", "z"], env={"A": "1", "B": "x=y"}, cwd=tmp_path, stdout=subprocess.PIPE
    )
    out, _ = child.communicate(timeout=20)
    assert child.returncode == 7
    head, _, rest = out.partition(b"groups=")
    where = os.path.realpath(tmp_path)
    assert head.decode() == (
        f"first\nargv={path}\nargv=two words\nargv=\nargv=z\nenv=A=1\nenv=B=x=y\n"
        f"uid={os.geteuid()}\ngid={os.getegid()}\n"
    )
    groups, *tail = rest.decode().splitlines()
    assert sorted(int(word) for word in groups.split()) == sorted(os.getgroups())
    assert tail == [f"pid={child.pid}", f"cwd={where}", f"exe={where}/r"]


@native
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may change user")
def test_report_tells_user_and_groups() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        path = place(folder, "r", programs.report())
        done = run([path], user=12, group=4_000_000_000, extra_groups=[5, 70_000, 0])
    lines = done.stdout.decode().splitlines()
    assert "uid=12" in lines and "gid=4000000000" in lines
    assert "groups=0 5 70000" in lines


@native
@pytest.mark.parametrize(("hears", "code"), [(True, 0), (False, -signal.SIGTERM)])
def test_wait_waits_for_a_signal(hears: bool, code: int, tmp_path: Path) -> None:
    path = place(tmp_path, "w", programs.wait("ready\n", hears_sigterm=hears))
    child = subprocess.Popen([path], stdout=subprocess.PIPE)
    assert child.stdout is not None and child.stdout.readline() == b"ready\n"
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.1)
    child.send_signal(signal.SIGTERM)
    assert child.wait(20) == code
    child.stdout.close()


@native
def test_sh_becomes_the_program_it_is_given(tmp_path: Path) -> None:
    sh, report = place(tmp_path, "sh", programs.sh()), place(tmp_path, "r", programs.report(5))
    done = run([sh, "/ignored", report, "a b"], env={"A": "1"})
    assert done.returncode == 5
    assert done.stdout.decode().splitlines()[:3] == [f"argv={report}", "argv=a b", "env=A=1"]
    script = place(tmp_path, "script", f'#!{sh}\nexec "$@"\n'.encode())
    assert run([script, report]).returncode == 5
    assert run([sh, "-c", "true"]).returncode == 2
    assert run([sh, "/script"]).returncode == 2
    assert run([sh, "s", str(tmp_path / "absent")]).returncode == 127
    assert run([sh, "s", str(tmp_path)]).returncode == 126


@pytest.mark.judge
@readelf
@pytest.mark.parametrize("architecture", programs.ARCHITECTURES)
@pytest.mark.parametrize("name", PROGRAMS)
def test_readelf_accepts_the_programs(name: str, architecture: str, tmp_path: Path) -> None:
    done = run(["readelf", "-aW", place(tmp_path, "p", PROGRAMS[name](architecture=architecture))])
    assert (done.returncode, done.stderr) == (0, b"")
    assert (b"X86-64" if architecture == "amd64" else b"AArch64") in done.stdout
    assert b"INTERP" not in done.stdout and b"EXEC (Executable file)" in done.stdout


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_are_small_and_always_the_same(name: str) -> None:
    for architecture in programs.ARCHITECTURES:
        data = PROGRAMS[name](architecture=architecture)
        assert data == PROGRAMS[name](architecture=architecture)
        assert len(data) < 2000


def test_programs_exist_for_two_architectures_and_for_texts_that_fit() -> None:
    with pytest.raises(UsageError, match="s390x"):
        programs.hello(architecture="s390x")
    with pytest.raises(UsageError, match="64 KiB"):
        programs.hello("x" * 70_000, architecture="arm64")


def test_the_assembler_refuses_labels_that_cannot_be() -> None:
    code = X86()
    code.label("a")
    with pytest.raises(UsageError, match="twice"):
        code.label("a")
    code.to("e9", "nowhere")
    with pytest.raises(UsageError, match="nowhere"):
        code.link()


FULL: dict[str, Any] = {
    "needed": ["libc.so.6", "libm.so.6"],
    "soname": "libself.so.1",
    "rpath": "/old",
    "runpath": "$ORIGIN/../lib",
    "versions_needed": {"libc.so.6": ["GLIBC_2.2.5", "GLIBC_2.34"], "libm.so.6": ["GLIBC_2.29"]},
    "versions_defined": ["SELF_1.0", "SELF_2.0"],
    "imports": ["wanted"],
    "exports": ["given"],
    "flags_1": 0x0800_0000,
}


@pytest.mark.judge
@readelf
@pytest.mark.parametrize("architecture", MACHINES)
@pytest.mark.parametrize("kind", ["dyn", "exec"])
def test_readelf_accepts_dynamic_files_of_every_machine(architecture: str, kind: str, tmp_path: Path) -> None:
    data = elf(architecture, interpreter=LOADERS.get(architecture, "/lib/ld.so"), type=kind, **FULL)
    done = run(
        ["readelf", "-lhdVW", "--dyn-syms", place(tmp_path, "e", data)], env={"LC_ALL": "C", "PATH": os.environ["PATH"]}
    )
    text = done.stdout.decode()
    assert (done.returncode, done.stderr) == (0, b"")
    assert f"[Requesting program interpreter: {LOADERS.get(architecture, '/lib/ld.so')}]" in text
    for word in ("libc.so.6", "libm.so.6"):
        assert f"Shared library: [{word}]" in text
    for word in ("GLIBC_2.34", "GLIBC_2.29", "SELF_2.0", "Flags: BASE"):
        assert word in text
    assert "Library soname: [libself.so.1]" in text and "Library runpath: [$ORIGIN/../lib]" in text


@pytest.mark.parametrize("architecture", MACHINES)
def test_an_independent_parser_reads_what_was_asked_for(architecture: str) -> None:
    parsed = ELFFile(io.BytesIO(elf(architecture, interpreter="/lib/ld.so", **FULL)))
    known = MACHINES[architecture]
    assert parsed.elfclass == known.bits and parsed.little_endian != known.big
    (interp,) = [each for each in parsed.iter_segments() if isinstance(each, InterpSegment)]
    assert interp.get_interp_name() == "/lib/ld.so"
    dynamic = parsed.get_section_by_name(".dynamic")
    assert isinstance(dynamic, DynamicSection)
    tags = [
        (tag.entry.d_tag, getattr(tag, key))
        for tag in dynamic.iter_tags()
        for key in ("needed", "soname", "rpath", "runpath")
        if hasattr(tag, key)
    ]
    assert tags == [
        ("DT_NEEDED", "libc.so.6"),
        ("DT_NEEDED", "libm.so.6"),
        ("DT_SONAME", "libself.so.1"),
        ("DT_RPATH", "/old"),
        ("DT_RUNPATH", "$ORIGIN/../lib"),
    ]
    needs = parsed.get_section_by_name(".gnu.version_r")
    assert isinstance(needs, GNUVerNeedSection)
    assert {need.name: [aux.name for aux in auxes] for need, auxes in needs.iter_versions()} == FULL["versions_needed"]
    defined = parsed.get_section_by_name(".gnu.version_d")
    assert isinstance(defined, GNUVerDefSection)
    assert [[aux.name for aux in auxes] for _, auxes in defined.iter_versions()] == [
        ["libself.so.1"],
        ["SELF_1.0"],
        ["SELF_2.0"],
    ]
    symbols = {symbol.name: symbol.entry.st_shndx for symbol in parsed.get_section_by_name(".dynsym").iter_symbols()}
    assert symbols["wanted"] == "SHN_UNDEF" and symbols["given"] == "SHN_ABS"


def test_headers_can_lie_and_files_can_be_cut() -> None:
    bare = elf(needed=["x"], sections=False)
    parsed = ELFFile(io.BytesIO(bare))
    assert parsed.num_sections() == 0
    (dynamic,) = [each for each in parsed.iter_segments() if isinstance(each, DynamicSegment)]
    assert [tag.needed for tag in dynamic.iter_tags("DT_NEEDED")] == ["x"]
    assert elf(size=10) == b"\x7fELF\x02\x01\x01\0\0\0"
    assert ELFFile(io.BytesIO(elf(machine=2, type="rel"))).header.e_machine == "EM_SPARC"
    assert ELFFile(io.BytesIO(elf(type="rel"))).header.e_type == "ET_REL"
    assert ELFFile(io.BytesIO(elf(type=0x1234))).header.e_type == 0x1234
    assert b"/lib/x\0" in elf(interpreter="/lib/x") and b"/lib/x\0" not in elf(
        interpreter="/lib/x", interpreter_nul=False, sections=False
    )
    assert b"/lib\0/usr/lib\0" in elf(rodata=b"/lib\0/usr/lib\0")
    for bad in ({"architecture": "z80"}, {"type": "what"}):
        with pytest.raises(UsageError):
            elf(**bad)


@pytest.mark.parametrize(("name", "value"), [(b"", 0), (b"printf", 0x077905A6), (b"GLIBC_2.2.5", 0x09691A75)])
def test_the_hash_of_the_gabi(name: bytes, value: int) -> None:
    # "printf" is the usual worked example; the version's hash stands in .gnu.version_r of any glibc program.
    assert elf_hash(name) == value
