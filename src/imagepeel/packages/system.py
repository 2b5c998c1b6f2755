"""What the image says of its own distribution, and the package URLs that follow from it.

Sources: os-release(5); the package URL specification and its type definitions (deb, apk, rpm, pypi, npm).
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING
from urllib.parse import quote

from imagepeel.errors import ImagepeelError

if TYPE_CHECKING:
    from imagepeel.packages.record import DatabaseKind, Record
    from imagepeel.rootfs.view import Rootfs

_MOST = 64 * 1024
_DEFAULT_VENDOR = {"deb": "debian", "apk": "alpine"}


def os_release(rootfs: Rootfs) -> dict[str, str]:
    """Return the variables of os-release, {} where there is none."""
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        found = rootfs.resolve(path)
        if found.node is not None and found.node.kind == "file" and found.node.size <= _MOST:
            try:
                data = rootfs.read(found.node)
            except ImagepeelError:
                return {}
            return _variables(data.decode("utf-8", "replace"))
    return {}


def _variables(content: str) -> dict[str, str]:
    out: dict[str, str] = {}
    for line in content.split("\n"):
        name, equals, value = line.strip().partition("=")
        if not equals or name.startswith("#"):
            continue
        try:
            words = shlex.split(value)
        except ValueError:
            continue
        out[name] = words[0] if words else ""
    return out


def project(name: str) -> str:
    """Return the name of a Python project in its normal form (PyPA: Names and normalization)."""
    return re.sub("[-_.]+", "-", name).lower()


def package_url(kind: DatabaseKind, record: Record, system: dict[str, str]) -> str:
    """Return the package URL of a record: `pkg:deb/debian/curl@7.88.1-10?arch=amd64&distro=debian-12`."""
    name, space = record.name, ""
    qualifiers: dict[str, str] = {}
    if kind.purl == "pypi":
        name = project(name)
    elif kind.purl == "npm":
        scope, slash, rest = name.partition("/")
        if slash:
            space, name = scope, rest
    else:
        space = (system.get("ID") or _DEFAULT_VENDOR.get(kind.purl, "")).lower()
        name = name if kind.purl == "rpm" else name.lower()
        version = system.get("VERSION_ID", "")
        qualifiers = {"arch": record.arch, "epoch": record.epoch}
        qualifiers["distro"] = f"{space}-{version}" if space and version else ""
    query = "&".join(f"{key}={_quoted(value)}" for key, value in sorted(qualifiers.items()) if value)
    return (
        f"pkg:{kind.purl}/{_quoted(space) + '/' if space else ''}{_quoted(name)}"
        + (f"@{_quoted(record.version)}" if record.version else "")
        + (f"?{query}" if query else "")
    )


def _quoted(word: str) -> str:
    """Percent-encode as the specification says: a colon stays as it is."""
    return quote(word, safe="-._~:", errors="surrogateescape")
