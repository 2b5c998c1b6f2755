"""The bad and the good image of each rule of the family `entries`."""

from __future__ import annotations

from imagepeel.findings.example import Example, specimen
from imagepeel.forge.entry import (
    device,
    directory,
    file,
    hardlink,
)
from imagepeel.forge.specimens import (
    NET_BIND_SERVICE,
    file_capability,
    holding,
    sound,
)

EXAMPLES: dict[str, Example] = {
    "ROOTLESS-IDS": Example(
        bad=lambda: holding(file("srv.txt", "x", uid=1_200_345, gid=1000)), good=lambda: holding(file("srv.txt", "x"))
    ),
    "ROOTLESS-DROPS": Example(
        bad=lambda: holding(
            file("bin/ping", "x", 0o755, xattrs={"security.capability": file_capability(NET_BIND_SERVICE)})
        ),
        good=lambda: holding(file("bin/ping", "x", 0o755)),
    ),
    "UID-WRAP": Example(bad=lambda: holding(file("srv.txt", "x", uid=1 << 32)), good=sound),
    "DEVICE-NODE": Example(
        bad=lambda: holding(device("disk", 8, 0, block=True)), good=lambda: holding(file("disk", "no device\n"))
    ),
    "OVERLAY-MARKS": Example(bad=lambda: holding(device("bin/tool", 0, 0)), good=sound),
    "ATTRIBUTE-DROPPED": Example(
        bad=lambda: holding(file("tagged", "x", pax={"LIBARCHIVE.xattr.user.colour": "Ymx1ZQ"})),
        good=lambda: holding(file("tagged", "x", xattrs={"user.colour": "blue"})),
    ),
    "GLOBAL-HEADER": specimen("git-archive"),
    "HIDDEN-BYTES": specimen("hidden-tail"),
    "TIME-OUT-OF-RANGE": Example(
        bad=lambda: holding(file("motd", "x", mtime=-1)), good=lambda: holding(file("motd", "x", mtime=0))
    ),
    "ROOT-ATTRIBUTES": Example(
        bad=lambda: holding(directory("./", 0o700, 1000, 1000), file("motd", "x")),
        good=lambda: holding(directory("./", 0o755), file("motd", "x")),
    ),
    "LINK-METADATA": Example(
        bad=lambda: holding(file("one", "x", 0o644), hardlink("two", "one", 0o600, 1000, 1000)),
        good=lambda: holding(file("one", "x", 0o644), hardlink("two", "one", 0o644)),
    ),
    "DUPLICATE-ENTRY": Example(
        bad=lambda: holding(file("motd", "first\n"), file("./motd", "second\n")),
        good=lambda: holding(file("motd", "once\n")),
    ),
    "OUTSIDE-NAME": specimen("attack-outside-name"),
    "CASE-COLLISION": Example(
        bad=lambda: holding(file("README", "one\n"), file("readme", "two\n")),
        good=lambda: holding(file("README", "one\n")),
    ),
    "CONTROL-CHARACTERS": specimen("control-characters"),
}
