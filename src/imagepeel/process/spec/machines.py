"""Names of architectures: Go's, the kernel's, and what an ELF machine number is called."""

from __future__ import annotations

from imagepeel.formats.elf.file import COMPAT, MACHINES

_NUMBERS = {number: name for name, (number, _, _) in reversed(MACHINES.items())} | {8: "mips", 2: "sparc", 20: "ppc"}
_ALIASES = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
    "armhf": "arm",
    "armv7l": "arm",
    "i386": "386",
    "i686": "386",
    "x86": "386",
    "loongarch64": "loong64",
    "powerpc64le": "ppc64le",
}
_COMPAT_NEEDS = {"386": "a kernel with CONFIG_IA32_EMULATION", "arm": "a CPU that still runs 32-bit ARM programs"}


def goarch(name: str) -> str | None:
    """The Go name of an architecture (`amd64` for `x86_64` or `linux/amd64`); None for one we do not know."""
    key = name.strip().lower().removeprefix("linux/").partition("/")[0]
    key = _ALIASES.get(key, key)
    return key if key in MACHINES else None


def number_name(number: int) -> str:
    """A readable name of an ELF machine number."""
    return _NUMBERS.get(number, f"ELF machine {number}")


def compat_need(host: str, number: int, bits: int) -> tuple[str, str] | None:
    """The second architecture that a 64-bit host may run for this machine, and the host fact it needs."""
    for name in COMPAT.get(host, ()):
        if MACHINES[name][:2] == (number, bits):
            return name, _COMPAT_NEEDS.get(name, "a kernel built for it")
    return None
