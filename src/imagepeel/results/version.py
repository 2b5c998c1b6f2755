"""What `imagepeel version --json` carries."""

from __future__ import annotations

import msgspec

from imagepeel._display import Shown

LIBRARIES = ("click", "jinja2", "msgspec", "pyelftools", "python-magic", "rich", "zlib-ng", "zstandard", "pylibmagic")
"""Distributions that a bug report is about."""


class VersionResult(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """Result of `imagepeel version`: what a bug report needs.  A library that is absent has the version ""."""

    imagepeel: str
    python: str
    system: str
    libraries: dict[str, str]
    libmagic: str


def version_result(*, libmagic: bool) -> VersionResult:
    """Return the versions of imagepeel, of Python and of the libraries; `libmagic` says whether it could be loaded."""
    import platform  # start time
    from importlib.metadata import PackageNotFoundError, version  # start time

    from imagepeel._version import __version__  # start time

    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    return VersionResult(
        imagepeel=__version__,
        python=platform.python_version(),
        system=_system(),
        libraries=found,
        libmagic="present" if libmagic else "",
    )


def _system() -> str:
    """`Linux-6.1.0-x86_64-with-glibc2.36`, as `platform.platform()` has it; that one runs `uname -p`."""
    import platform  # start time

    parts = (platform.system(), platform.release(), platform.machine())
    libc = "".join(platform.libc_ver())
    return "-".join(filter(None, parts)) + (f"-with-{libc}" if libc else "")
