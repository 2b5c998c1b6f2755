"""Names of capabilities, and what options make of the set of an engine."""

from __future__ import annotations

from imagepeel.errors import UsageError

USUAL_CAPABILITIES = (
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
)
"""The set that Docker chose in 2013 and that engines took over, where they do not take more away."""

# In the order of their numbers in linux/capability.h.
ALL_CAPABILITIES = (
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
)


def capability_names(names: tuple[str, ...]) -> frozenset[str]:
    """Capability options without prefix, upper case; `ALL` stands for all of them. Unknown names raise UsageError."""
    found: set[str] = set()
    for name in names:
        short = name.upper().removeprefix("CAP_")
        if short == "ALL":
            found.update(ALL_CAPABILITIES)
        elif short in ALL_CAPABILITIES:
            found.add(short)
        else:
            raise UsageError(f"no capability is called {name!r}", hint="such as NET_ADMIN or ALL")
    return frozenset(found)


def bounding(usual: tuple[str, ...], add: tuple[str, ...], drop: tuple[str, ...]) -> tuple[str, ...]:
    """The bounding set after `--cap-add` and `--cap-drop` on the usual set of an engine, sorted."""
    added, dropped = capability_names(add), capability_names(drop)
    if any(name.upper().removeprefix("CAP_") == "ALL" for name in drop):
        return tuple(sorted(added))
    return tuple(sorted((set(usual) | added) - dropped))
