"""Volumes that the caller mounts: `-v` as Docker reads it."""

from __future__ import annotations

import posixpath

import msgspec

from imagepeel.errors import UsageError


class VolumeMount(msgspec.Struct, frozen=True, kw_only=True):
    """One volume of the command line."""

    path: str
    """Absolute path in the container, without a slash at its end."""
    source: str = ""
    """Name of the volume or path on the host; "" for one without a name."""
    read_only: bool = False
    mode: int | None = None
    """Mode that an empty directory is given; None leaves it to the runtime."""
    owner: tuple[int, int] = (0, 0)
    """Uid and gid that an empty directory belongs to."""
    empty: bool = False
    """Whether an empty directory is mounted."""
    depends: str = ""
    """What its content depends on, where no image tells it; "" for the other kinds."""

    @property
    def of_host(self) -> bool:
        """Whether a directory of the host is mounted, of which the image tells nothing."""
        return self.source.startswith(("/", ".", "~"))


def parse_volume(given: str) -> VolumeMount:
    """Read `PATH`, `NAME:PATH` or `/HOST:PATH`, each with options behind a further colon.

    UsageError where Docker finds the specification invalid: an empty part, a path that is not absolute, or more than
    three parts.  Source: moby `volume/mounts/linux_parser.go`.
    """
    parts = given.split(":")
    source, path, options = "", parts[0], ""
    if len(parts) == 2 and not parts[1].startswith("/"):
        path, options = parts
    elif len(parts) > 1:
        source, path = parts[:2]
        options = parts[2] if len(parts) == 3 else ""
    wrong = len(parts) > 3 or not all(parts) or not path.startswith("/") or posixpath.normpath(path) == "/"
    if wrong:
        raise UsageError(
            f"{given!r} is no volume", hint="write NAME:/path, /host/path:/path or /path, with :ro if wanted"
        )
    return VolumeMount(path=posixpath.normpath(path), source=source, read_only="ro" in options.split(","))


def parse_tmpfs(given: str) -> VolumeMount:
    """Read `PATH` or `PATH:OPTIONS`, of which `mode=`, `uid=`, `gid=` and `ro` count.

    UsageError for a path that is not absolute or is the root, and for a value that is no number.
    """
    path, _, rest = given.partition(":")
    _checked(path, given)
    options = rest.split(",")
    values = {name: _number(name, word, given) for name, _, word in (one.partition("=") for one in options) if word}
    return VolumeMount(
        path=posixpath.normpath(path),
        empty=True,
        mode=values.get("mode"),
        owner=(values.get("uid") or 0, values.get("gid") or 0),
        read_only="ro" in options,
    )


def _number(name: str, word: str, given: str) -> int | None:
    """The value of an option of a tmpfs, None of one that decides nothing here."""
    if name not in ("mode", "uid", "gid"):
        return None
    try:
        number = int(word, 8 if name == "mode" else 10)
    except ValueError:
        number = -1
    if not 0 <= number < 2**31 or not word.isascii() or len(word) > 10:
        raise UsageError(f"{given!r} has no number for {name}", hint="write such as mode=1777,uid=1000")
    return number & 0o7777 if name == "mode" else number


def parse_elsewhere(given: str) -> VolumeMount:
    """Read `PATH=WHAT`.  UsageError for a path that is not absolute or is the root, and without WHAT."""
    path, _, what = given.partition("=")
    _checked(path if what else "", given)
    return VolumeMount(path=posixpath.normpath(path), depends=what)


def _checked(path: str, given: str) -> None:
    if not path.startswith("/") or posixpath.normpath(path) in ("/", "//"):
        raise UsageError(f"{given!r} is no mount", hint="write an absolute path below the root")
