"""What a kernel does differently from Linux when it executes a program.

A runtime may bring a kernel of its own.  The judges of `process/kernel` ask for the values here and for no name.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from imagepeel.formats.shebang import Shebang, parse_shebang
from imagepeel.tables import ErrnoName


class Kernel(msgspec.Struct, frozen=True, kw_only=True):
    """One kernel; the defaults are Linux."""

    own: bool = False
    """It is not the host's: what is below /proc, /sys and /dev is its own."""
    first_line: Callable[[bytes], Shebang | None] = parse_shebang
    """What it makes of the start of a file that begins with `#!`."""
    changes_identity: bool = True
    """Set-uid and set-gid bits and file capabilities count; else no_new_privs is always on."""
    keeps_capabilities: bool = False
    """A user other than root starts with the capabilities of the config; the next execve takes them away."""
    bounds_strings: bool = True
    """Arguments and variables have a greatest size (E2BIG)."""
    has_personalities: bool = True
    """personality(2) takes more than the question which one there is."""
    short_loader: ErrnoName = "EIO"
    """About a loader that ends inside its ELF header."""
    odd_loader: ErrnoName = ""
    """About a loader whose ELF type is none of a program; empty where it is mapped all the same."""


LINUX = Kernel()
