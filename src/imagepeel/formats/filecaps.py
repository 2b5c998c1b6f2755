"""File capabilities: the `security.capability` extended attribute (`linux/capability.h`, versions 1 to 3)."""

from __future__ import annotations

import struct

import msgspec

from imagepeel.errors import Malformed
from imagepeel.text import plural

XATTR = b"security.capability"
"""Name of the attribute on a file; in a tar it is the PAX record `SCHILY.xattr.security.capability`."""

NAMES: tuple[str, ...] = (
    "cap_chown",
    "cap_dac_override",
    "cap_dac_read_search",
    "cap_fowner",
    "cap_fsetid",
    "cap_kill",
    "cap_setgid",
    "cap_setuid",
    "cap_setpcap",
    "cap_linux_immutable",
    "cap_net_bind_service",
    "cap_net_broadcast",
    "cap_net_admin",
    "cap_net_raw",
    "cap_ipc_lock",
    "cap_ipc_owner",
    "cap_sys_module",
    "cap_sys_rawio",
    "cap_sys_chroot",
    "cap_sys_ptrace",
    "cap_sys_pacct",
    "cap_sys_admin",
    "cap_sys_boot",
    "cap_sys_nice",
    "cap_sys_resource",
    "cap_sys_time",
    "cap_sys_tty_config",
    "cap_mknod",
    "cap_lease",
    "cap_audit_write",
    "cap_audit_control",
    "cap_setfcap",
    "cap_mac_override",
    "cap_mac_admin",
    "cap_syslog",
    "cap_wake_alarm",
    "cap_block_suspend",
    "cap_audit_read",
    "cap_perfmon",
    "cap_bpf",
    "cap_checkpoint_restore",
)
"""Capability names by bit number."""

_SIZES = {1: 12, 2: 20, 3: 24}


class FileCaps(msgspec.Struct, frozen=True, kw_only=True):
    """Capabilities that a file grants.

    `permitted` and `inheritable` are bit sets; `effective` is the single flag that raises them at exec;
    `root_id` is the user-namespace root of a version 3 attribute, else None.
    """

    version: int
    effective: bool
    permitted: int
    inheritable: int
    root_id: int | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the permitted capabilities, by bit number; bits without a name as `cap_NN`."""
        return names_of(self.permitted)

    def text(self) -> str:
        """The same value as `getcap` writes it, for instance `cap_net_bind_service=ep`."""
        both = self.permitted & self.inheritable
        flag = "e" if self.effective else ""
        parts: list[str] = []
        for mask, flags in (
            (both, f"{flag}ip"),
            (self.permitted & ~both, f"{flag}p"),
            (self.inheritable & ~both, f"{flag}i"),
        ):
            if mask:
                parts.append(f"{','.join(names_of(mask))}={flags}")
        return " ".join(parts) or "="


def names_of(mask: int) -> tuple[str, ...]:
    """Capability names of the bits that are set in `mask` (64 bits), lowest bit first."""
    return tuple(
        NAMES[bit] if bit < len(NAMES) else f"cap_{bit}" for bit in range(min(mask.bit_length(), 64)) if mask >> bit & 1
    )


def mask_of(names: tuple[str, ...] | list[str] | frozenset[str]) -> int:
    """The bit set of capability names, with or without the `CAP_` prefix, in any case.

    Raises `Malformed` for a name that is none.
    """
    mask = 0
    for name in names:
        lowered = name.lower()
        if not lowered.startswith("cap_"):
            lowered = f"cap_{lowered}"
        if lowered not in NAMES:
            raise Malformed(f"{name!r} is not a capability")
        mask |= 1 << NAMES.index(lowered)
    return mask


def parse_filecaps(value: bytes) -> FileCaps:
    """Read the attribute's bytes.

    Raises `Malformed` when the version is unknown or the length does not fit it: the kernel answers EINVAL at
    exec in that case.  Source: `struct vfs_cap_data` and `vfs_ns_cap_data`, `get_vfs_caps_from_disk`.
    """
    if len(value) < 4:
        raise Malformed(f"security.capability has {plural(len(value), 'byte')}, less than its 4-byte header")
    magic = struct.unpack_from("<I", value)[0]
    version = magic >> 24
    size = _SIZES.get(version)
    if size is None:
        raise Malformed(f"security.capability has the unknown version {version}")
    if len(value) != size:
        raise Malformed(f"security.capability version {version} has {plural(len(value), 'byte')} instead of {size}")
    words = struct.unpack_from(f"<{(size - 4) // 4}I", value, 4)
    permitted, inheritable = words[0], words[1]
    if version > 1:
        permitted |= words[2] << 32
        inheritable |= words[3] << 32
    return FileCaps(
        version=version,
        effective=bool(magic & 1),
        permitted=permitted,
        inheritable=inheritable,
        root_id=words[4] if version == 3 else None,
    )
