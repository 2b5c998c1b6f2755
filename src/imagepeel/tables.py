"""Names that Linux gives to numbers, each in one place: the words of errors, and the names of machines."""

from __future__ import annotations

from typing import Literal

ErrnoName = Literal[
    "", "EPERM", "ENOENT", "EIO", "E2BIG", "ENOEXEC", "EACCES", "EEXIST", "ENOTDIR", "EISDIR", "EINVAL", "ENAMETOOLONG",
    "ELOOP", "ELIBBAD", "ENOTSUP", "ENOSYS", "EROFS", "ErrDot",
]  # fmt: skip
"""Why a call is refused, "" for no error.  `ErrDot` is none of Linux: Go's os/exec refuses a relative hit with it."""

ERRNO_LIBC: dict[ErrnoName, str] = {
    "EPERM": "Operation not permitted",
    "ENOENT": "No such file or directory",
    "EIO": "Input/output error",
    "E2BIG": "Argument list too long",
    "ENOEXEC": "Exec format error",
    "EACCES": "Permission denied",
    "EEXIST": "File exists",
    "ENOTDIR": "Not a directory",
    "EISDIR": "Is a directory",
    "EINVAL": "Invalid argument",
    "ENAMETOOLONG": "File name too long",
    "ELOOP": "Too many levels of symbolic links",
    "ELIBBAD": "Accessing a corrupted shared library",
    "ENOTSUP": "Operation not supported",
    "ENOSYS": "Function not implemented",
    "EROFS": "Read-only file system",
}
"""What glibc's strerror says (`sysdeps/gnu/errlist.h`)."""

ERRNO_GO: dict[ErrnoName, str] = {errno: words[0].lower() + words[1:] for errno, words in ERRNO_LIBC.items()}
"""What Go says (`syscall/zerrors_linux_amd64.go`): the words of glibc with a small first letter."""

ERRNO_MUSL: dict[ErrnoName, str] = ERRNO_LIBC | {
    "": "No error information",  # for errno 0: its loader prints errno where nothing was opened and nothing failed
    "ELOOP": "Symbolic link loop",
    "ENAMETOOLONG": "Filename too long",
    "EIO": "I/O error",
    "ELIBBAD": "No error information",
    "ENOTSUP": "Not supported",
}
"""What musl's strerror says (`src/errno/__strerror.h`; asked of musl 1.2.3)."""

ERRNO_DJB: dict[ErrnoName, str] = {
    "ENOENT": "file does not exist",
    "EACCES": "access denied",
    "ENOEXEC": "exec format error",
}
"""What programs with D. J. Bernstein's library say (`error_str.c`, as runit has it); other errors in glibc's words."""

ERRNO_NUMBER: dict[ErrnoName, int] = {"ENOTDIR": 20, "EISDIR": 21, "ENAMETOOLONG": 36, "ELOOP": 40}
"""Numbers of `asm-generic/errno.h`, where a program prints those.  The `errno` of Python has the host's numbers."""


MACHINES: dict[str, tuple[int, int, bool]] = {
    "amd64": (62, 64, True),
    "arm64": (183, 64, True),
    "arm": (40, 32, True),
    "386": (3, 32, True),
    "ppc64le": (21, 64, True),
    "ppc64": (21, 64, False),
    "s390x": (22, 64, False),
    "riscv64": (243, 64, True),
    "loong64": (258, 64, True),
    "mips64le": (8, 64, True),
    "mips64": (8, 64, False),
}
"""Go's name of an architecture to (e_machine of its ELF files, word size in bits, little endian)."""

COMPAT: dict[str, tuple[str, ...]] = {"amd64": ("386",), "arm64": ("arm",)}
"""Further architectures that a 64-bit kernel may run when it is built for it: a fact of the host, not the image."""

_COMPAT_NEEDS = {"386": "a kernel with CONFIG_IA32_EMULATION", "arm": "a CPU that still runs 32-bit ARM programs"}
_ALIASES = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
    "armhf": "arm",
    "armv6l": "arm",
    "armv7l": "arm",
    "i386": "386",
    "i686": "386",
    "x86": "386",
    "loongarch64": "loong64",
    "powerpc64le": "ppc64le",
}
_WITHOUT_GO_NAME = {2: "sparc", 8: "mips", 20: "ppc"}
"""Machines that Go has no name for, or several."""


def go_name(architecture: str) -> str:
    """Go's name of an architecture, in small letters: `amd64` for `x86_64`; a name that has no other stays."""
    name = architecture.lower()
    return _ALIASES.get(name, name)


def known_architecture(name: str) -> str | None:
    """Go's name of an architecture (`amd64` for `x86_64` or `linux/amd64`); None for one that is not in MACHINES."""
    found = go_name(name.strip().lower().removeprefix("linux/").partition("/")[0])
    return found if found in MACHINES else None


def not_for_linux(os: str, architecture: str) -> str:
    """Say why no Linux kernel runs an image for this platform, as a clause; "" where one does."""
    if "wasm" in architecture or os.startswith("wasi"):
        return "the image is for WebAssembly, which a runtime of its own runs; only Linux processes are predicted"
    return f"the image is for {os}, only Linux processes are predicted" if os not in ("", "linux") else ""


def number_name(number: int, *, little: bool = True) -> str:
    """A readable name of an ELF machine number; the byte order tells `ppc64le` from `ppc64`."""
    if number in _WITHOUT_GO_NAME:
        return _WITHOUT_GO_NAME[number]
    names = [name for name, machine in MACHINES.items() if machine[0] == number]
    exact = [name for name in names if MACHINES[name][2] == little]
    return (exact or names or [f"ELF machine {number}"])[0]


def compat_need(host: str, number: int, bits: int) -> tuple[str, str] | None:
    """The second architecture that a 64-bit host may run for this machine, and the host fact it needs."""
    for name in COMPAT.get(host, ()):
        if MACHINES[name][:2] == (number, bits):
            return name, _COMPAT_NEEDS[name]
    return None
