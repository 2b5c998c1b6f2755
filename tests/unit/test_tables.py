"""The tables of names, judged by the C library, by pyelftools and by forge's own table."""

from __future__ import annotations

import errno
import os
import platform

import pytest
from elftools.elf.enums import ENUM_E_MACHINE

from imagepeel import tables
from imagepeel.forge.elf import MACHINES as FORGED

ON_GLIBC = platform.system() == "Linux" and platform.libc_ver()[0] == "glibc"
NAMES_OF_ELF = {
    "amd64": "EM_X86_64", "arm64": "EM_AARCH64", "arm": "EM_ARM", "386": "EM_386", "ppc64le": "EM_PPC64",
    "ppc64": "EM_PPC64", "s390x": "EM_S390", "riscv64": "EM_RISCV", "loong64": "EM_LOONGARCH",
    "mips64le": "EM_MIPS", "mips64": "EM_MIPS",
}  # fmt: skip


@pytest.mark.skipif(not ON_GLIBC, reason="the words of glibc")
@pytest.mark.parametrize("name", tables.ERRNO_LIBC)
def test_glibc_says_these_words(name: str) -> None:
    assert tables.ERRNO_LIBC[name] == os.strerror(getattr(errno, name, 80))  # 80: ELIBBAD, which Python lacks


@pytest.mark.skipif(platform.system() != "Linux", reason="the numbers of Linux")
@pytest.mark.parametrize("name", tables.ERRNO_NUMBER)
def test_linux_has_these_numbers(name: str) -> None:
    assert tables.ERRNO_NUMBER[name] == getattr(errno, name)


@pytest.mark.parametrize("name", tables.MACHINES)
def test_pyelftools_has_these_machines(name: str) -> None:
    assert tables.MACHINES[name][0] == ENUM_E_MACHINE[NAMES_OF_ELF[name]]


@pytest.mark.parametrize("name", FORGED)
def test_forge_builds_for_these_machines(name: str) -> None:
    forged = FORGED[name]
    assert tables.MACHINES[name] == (forged.number, forged.bits, not forged.big)


@pytest.mark.parametrize("name", [name for name in tables.MACHINES if not name.startswith("mips")])
def test_a_machine_is_called_by_its_go_name(name: str) -> None:
    number, _, little = tables.MACHINES[name]
    assert tables.number_name(number, little=little) == name


@pytest.mark.parametrize(
    ("said", "known"), [("linux/amd64", "amd64"), (" X86_64 ", "amd64"), ("arm64/v8", "arm64"), ("vax", None)]
)
def test_names_of_architectures(said: str, known: str | None) -> None:
    assert tables.known_architecture(said) == known
