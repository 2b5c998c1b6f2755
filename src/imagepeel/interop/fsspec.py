"""A filesystem of an image for fsspec, and so for pandas, dask and everything that reads through it.

    fsspec.open("imagepeel://etc/os-release::file:///tmp/image.tar")
    fs = fsspec.filesystem("imagepeel", fo="image.tar", view="spec")

Needs the extra: `pip install imagepeel[fsspec]`.  Read-only; nothing of the image reaches this machine's disk.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from imagepeel.api import open as open_archive
from imagepeel.errors import NotFound, Unsupported
from imagepeel.evidence import layer_label, text
from imagepeel.rootfs.path import RootfsPath

if TYPE_CHECKING:
    from imagepeel.rootfs.tree.inode import Inode
    from imagepeel.rootfs.view import Rootfs
    from imagepeel.verbs import Image

    class AbstractFileSystem:
        """fsspec's base class as type checkers see it, since fsspec has no types: `__getattr__` is all it inherits."""

        def __init__(self, **options: Any) -> None: ...
        def __getattr__(self, name: str) -> Any: ...

else:
    from fsspec.spec import AbstractFileSystem

__all__ = ["ImagepeelFileSystem"]

_LOCAL = (None, "file", "local")
_TYPES = {"file": "file", "dir": "directory", "symlink": "link"}


class ImagepeelFileSystem(AbstractFileSystem):
    """The merged filesystem of one image of an archive, read-only.

    Arguments: `fo` is the path of the archive on this machine (what stands behind `::` in a chained URL).  `image` and
    `platform` choose among several images, as `Archive.image` takes them.  `view` is a view's name, `verify` whether
    digests are computed.  `target_protocol` and `target_options` are what fsspec passes for a chained URL.

    Paths are `str` without a leading slash.  `info` follows symlinks and says so (`islink`, `destination`); a listing
    shows links as type `link`, so that walking ends.

    FileNotFoundError for what is not there; the errors of `imagepeel.open` and `Archive.image`; UsageError for an
    unknown view; Unsupported for an archive that is not on this machine.

    Source: fsspec, `fsspec.spec.AbstractFileSystem`.
    """

    protocol = "imagepeel"
    root_marker = ""
    cachable = False
    """Two instances may show two versions of the same file name."""

    def __init__(
        self,
        fo: str = "",
        *,
        image: str | None = None,
        platform: str | None = None,
        view: str = "runtime",
        verify: bool = True,
        target_protocol: str | None = None,
        target_options: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if target_protocol not in _LOCAL:
            raise Unsupported(
                f"an archive behind {target_protocol}:// cannot be read in place",
                hint="put filecache:: in front of it, or download it first",
            )
        self._archive = open_archive(fo, verify=verify)
        self.image: Image = self._archive.image(image, platform=platform)
        self.rootfs: Rootfs = self.image.view(view)

    def close(self) -> None:
        """Close the archive; the filesystem cannot be read any more."""
        self._archive.close()

    @classmethod
    def _strip_protocol(cls, path: str | list[str]) -> str | list[str]:
        if isinstance(path, list):
            return [str(cls._strip_protocol(one)) for one in path]
        return str(path).removeprefix("imagepeel://").strip("/")

    def _facts(self, path: str, node: Inode) -> dict[str, Any]:
        out: dict[str, Any] = {
            "name": path,
            "size": node.size if node.kind == "file" else 0,
            "type": _TYPES.get(node.kind, "other"),
            "kind": node.kind,
            "mode": node.mode,
            "uid": node.uid,
            "gid": node.gid,
            "mtime": node.mtime[0] + node.mtime[1] / 1e9 if node.mtime is not None else None,
            "ino": node.ino,
            "nlink": node.nlink,
            "islink": node.kind == "symlink",
            "layer": node.layer,
            "label": "" if node.layer is None else layer_label(node.layer),
        }
        if node.kind == "symlink":
            out["destination"] = text(node.target)
        return out

    def _lookup(self, path: str, *, follow: bool = True) -> Inode:
        try:
            return self.rootfs.lookup("/" + path, follow=follow)
        except NotFound as error:
            # fsspec knows one error for a path that cannot be reached, whatever the reason.
            raise FileNotFoundError(path) from error

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        """Return the facts of a path, of a link those of its target.

        `size` is in bytes and 0 for all but files, `mtime` in seconds since 1970 (None for the time of unpacking).
        `layer` counts from 0 and is None for what no layer has.  A link that leads nowhere has its own facts.

        FileNotFoundError when nothing is at the path.
        """
        name = str(self._strip_protocol(path))
        node = self._lookup(name, follow=False)
        facts = self._facts(name, node)
        if node.kind == "symlink":
            found = self.rootfs.resolve("/" + name).node
            if found is not None:
                facts = {**self._facts(name, found), "islink": True, "destination": facts["destination"]}
        return facts

    def ls(self, path: str = "", detail: bool = True, **options: Any) -> list[Any]:
        """Return the members of a directory, or the file itself as a list of one.

        With `detail` each is a dictionary as from `info`, without following links; else its path.

        FileNotFoundError when nothing is at the path.
        """
        name = str(self._strip_protocol(path))
        node = self._lookup(name)
        if node.kind != "dir":
            found = [self.info(name)]
        else:
            prefix = name + "/" if name else ""
            found = [self._facts(prefix + text(base), one) for base, one in self.rootfs.scandir("/" + name)]
        return found if detail else [facts["name"] for facts in found]

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        if mode != "rb":
            raise OSError(30, "an image is read-only", path)
        node = self._lookup(str(self._strip_protocol(path)))
        if node.kind == "dir":
            raise IsADirectoryError(path)
        try:
            return RootfsPath(self.rootfs, "/" + str(self._strip_protocol(path))).open("rb")
        except NotFound as error:
            raise FileNotFoundError(path) from error

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **options: Any) -> bytes:
        """Return the bytes of a file from offset `start` up to and without `end`.

        Negative offsets count from the end of the file; None is the start or the end of it.  b"" when nothing lies
        between.

        FileNotFoundError when nothing is at the path, IsADirectoryError for a directory.
        """
        with self._open(path) as file:
            size = file.seek(0, io.SEEK_END)
            first = max(0, start + size if start is not None and start < 0 else start or 0)
            last = size if end is None else min(size, end + size if end < 0 else end)
            file.seek(first)
            return bytes(file.read(max(0, last - first)))

    def readlink(self, path: str) -> str:
        """Return the raw target of a link, unescaped.

        FileNotFoundError when nothing is at the path; OSError (EINVAL) when it is no link.
        """
        node = self._lookup(str(self._strip_protocol(path)), follow=False)
        if node.kind != "symlink":
            raise OSError(22, "not a symbolic link", path)
        return text(node.target)
