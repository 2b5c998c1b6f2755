"""The teaching image of packages: databases of dpkg, pip and npm as their programs write them, over six build steps."""

from __future__ import annotations

import base64
import hashlib
import json

from imagepeel.forge import programs
from imagepeel.forge.entry import Entry, directory, file, whiteout
from imagepeel.forge.image import ImageSpec, image, layer
from imagepeel.forge.specimens import PATH, noise

_RELEASE = b'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\n'
_SITE = "usr/local/lib/python3.11/site-packages"

# name, version, size in kB, what it depends on, its files beside those of its directories
_BASE = (("base-files", "12.4+deb12u5", 340, "", ("usr/share/base-files/motd",)),)
_CURL = (
    ("curl", "7.88.1-10+deb12u5", 500, "libcurl4", ("usr/bin/curl", "usr/share/doc/curl/copyright")),
    ("libcurl4", "7.88.1-10+deb12u5", 800, "", ("usr/lib/x86_64-linux-gnu/libcurl.so.4.8.0",)),
)
_WGET = (("wget", "1.21.3-1+b2", 3692, "", ("usr/bin/wget",)),)
_SIZES = {
    "usr/share/base-files/motd": 286, "usr/bin/curl": 260_000, "usr/share/doc/curl/copyright": 900,
    "usr/lib/x86_64-linux-gnu/libcurl.so.4.8.0": 700_000, "usr/bin/wget": 468_000,
}  # fmt: skip
_Package = tuple[str, str, int, str, tuple[str, ...]]


def _status(*packages: _Package) -> Entry:
    paragraphs = []
    for name, version, kilobytes, depends, _ in packages:
        lines = [
            f"Package: {name}", "Status: install ok installed", "Priority: optional", "Section: net",
            f"Installed-Size: {kilobytes}", "Maintainer: Nobody <nobody@example.com>", "Architecture: amd64",
            f"Version: {version}", *([f"Depends: {depends}"] if depends else []), f"Description: {name}, invented",
        ]  # fmt: skip
        paragraphs.append("\n".join(lines) + "\n")
    return file("var/lib/dpkg/status", "\n".join(paragraphs))


def _lists(*packages: _Package) -> list[Entry]:
    """The list of files of each package, with their directories as dpkg writes them, and their MD5 sums."""
    out = []
    for name, _, _, _, files in packages:
        above = sorted(
            {"/" + "/".join(path.split("/")[:end]) for path in files for end in range(1, path.count("/") + 1)}
        )
        listed = ["/.", *sorted({*above, *(f"/{path}" for path in files)})]
        out.append(file(f"var/lib/dpkg/info/{name}.list", "\n".join(listed) + "\n"))
        sums = (f"{hashlib.md5(_content(path), usedforsecurity=False).hexdigest()}  {path}" for path in files)
        out.append(file(f"var/lib/dpkg/info/{name}.md5sums", "\n".join(sums) + "\n"))
    return out


def _content(path: str) -> bytes:
    return noise(path, _SIZES[path])


def _files(*packages: _Package) -> list[Entry]:
    paths = [path for package in packages for path in package[4]]
    return [file(path, _content(path), 0o755 if "/bin/" in path else 0o644) for path in paths]


def _wheel(name: str, version: str, files: dict[str, bytes]) -> list[Entry]:
    """A distribution as pip leaves it: RECORD has the SHA-256 of each file."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: invented\n".encode()
    content = {**files, f"{info}/METADATA": metadata, f"{info}/INSTALLER": b"pip\n"}
    record = [f"{path},{_sha256(data)},{len(data)}" for path, data in content.items()] + [f"{info}/RECORD,,"]
    content[f"{info}/RECORD"] = ("\n".join(record) + "\n").encode()
    return [file(f"{_SITE}/{path}", data) for path, data in content.items()]


def _sha256(data: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def pantry() -> ImageSpec:
    """dpkg, pip and npm, a package that was purged and is still shipped, and files that no package claims."""
    package = {"name": "left-pad", "version": "1.3.0", "description": "invented"}
    app = {"name": "app", "version": "2.0.0", "dependencies": {"left-pad": "^1.3.0"}}
    wget = [whiteout("usr/bin/wget"), *(whiteout(f"var/lib/dpkg/info/wget.{kind}") for kind in ("list", "md5sums"))]
    return image(
        layer(
            directory("bin"),
            file("bin/report", programs.report(), 0o755),
            file("etc/os-release", _RELEASE),
            file("etc/passwd", "root:x:0:0:root:/root:/bin/report\n"),
            _status(*_BASE),
            *_lists(*_BASE),
            *_files(*_BASE),
            created_by="ADD rootfs.tar.xz / # buildkit",
        ),
        layer(
            _status(*_BASE, *_CURL, *_WGET),
            *_lists(*_CURL, *_WGET),
            *_files(*_CURL, *_WGET),
            created_by="RUN /bin/sh -c apt-get install -y curl wget # buildkit",
        ),
        layer(
            *_wheel("requests", "2.31.0", {"requests/__init__.py": b'__version__ = "2.31.0"\n'}),
            created_by="RUN /bin/sh -c pip install requests==2.31.0 # buildkit",
        ),
        layer(
            file("app/package.json", json.dumps(app)),
            file("app/node_modules/left-pad/package.json", json.dumps(package)),
            file("app/node_modules/left-pad/index.js", "module.exports = (text, width) => text.padStart(width)\n"),
            created_by="RUN /bin/sh -c npm install --omit=dev # buildkit",
        ),
        layer(file("app/server", programs.report(), 0o755), created_by="COPY server /app/server # buildkit"),
        layer(_status(*_BASE, *_CURL), *wget, created_by="RUN /bin/sh -c apt-get purge -y wget # buildkit"),
        entrypoint=["/app/server"],
        env={"PATH": PATH},
        workdir="/app",
        names="pantry:1",
    )
