"""What the file of a program tells about its making, as far as the stop of a container asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from imagepeel.errors import ImagepeelError, Malformed
from imagepeel.formats.elf.file import ElfFacts, parse_elf

if TYPE_CHECKING:
    from imagepeel.rootfs.view import Rootfs


class _Hints(dict[bytes, tuple[str, ...]]):
    """What each program of a filesystem tells: engines that start the same program share it."""

    def __init__(self, rootfs: Rootfs) -> None:
        super().__init__()


def of(rootfs: Rootfs, final: bytes | None) -> tuple[str, ...]:
    """Return the hints of the program at a resolved path, such as `go` or `no-handlers`; () for no ELF file."""
    if final is None:
        return ()
    known = rootfs.derived(_Hints)
    if final not in known:
        known[final] = _read(rootfs, final)
    return known[final]


def _read(rootfs: Rootfs, final: bytes) -> tuple[str, ...]:
    try:
        node = rootfs.lookup(final)

        def read(offset: int, count: int) -> bytes:
            return rootfs.read(node, offset, count)

        facts = parse_elf(read, node.size)
        return (*facts.hints, "no-handlers") if _cannot_handle(read, facts) else facts.hints
    except (Malformed, ImagepeelError):
        return ()


_HANDLERS = frozenset(
    b"sigaction __sigaction signal __sysv_signal bsd_signal sigset sigwait sigwaitinfo sigtimedwait signalfd "
    b"syscall dlopen".split()
)
"""Functions by which a program can take a signal, by itself or through code that it loads later."""

_LIBC = (b"libc.", b"libm.", b"libpthread.", b"libdl.", b"librt.", b"ld-linux", b"ld64", b"ld-musl", b"linux-vdso")


def _cannot_handle(read: Callable[[int, int], bytes], facts: ElfFacts) -> bool:
    """Whether a dynamic program imports nothing that takes a signal, and no library but the C library's own."""
    if facts.is_static or not all(needed.value.startswith(_LIBC) for needed in facts.needed):
        return False
    from imagepeel.formats.elf.symbols import SymbolTable  # start time

    return not any(asked.symbol.name in _HANDLERS for asked in SymbolTable(read, facts).references())
