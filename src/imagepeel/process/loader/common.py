"""The dynamic loader's work, predicted: which libraries are found where, and what is printed when one is not.

`closure` reads the image's own loader to learn which family it is and what was compiled into it (default
directories, cache path), then follows the loader's algorithm over the image's files.  Nothing of the image is
executed.  Where text cannot prove the outcome (a CPU-dependent directory, an auditing library, a loader of
another family) the result says so instead of guessing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal

import msgspec

from imagepeel._lazy import late
from imagepeel.errors import Malformed
from imagepeel.formats.elf.file import ElfFacts, parse_elf, read_phdrs
from imagepeel.formats.elf.header import PT_DYNAMIC, Reader, loaded_tables, parse_ehdr
from imagepeel.process.spec.failure import Failure, FailureCode, Judge
from imagepeel.process.spec.values import Candidate
from imagepeel.tables import ErrnoName

if TYPE_CHECKING:
    from imagepeel.rootfs.tree.inode import Node
    from imagepeel.rootfs.tree.resolve import Resolution
    from imagepeel.rootfs.view import Rootfs

BLOCK = 128 * 1024
_HEAD = 1024
"""Bytes of a file that are read first: its header and program headers."""
_MOST_TABLES = 1024 * 1024
"""Bytes of the segment with the tables that are read at once."""
_MOST_DYNAMIC = 64 * 1024
"""Bytes of the dynamic section that are read at once."""
_MOST_HELD = 16 * 1024 * 1024
"""Bytes of files that stay in memory."""
LOADER_BYTES = 8 * 1024 * 1024
_MAX_OBJECTS = 2_000


class NotProved(Exception):
    """The image does not prove what the loader does next."""


class Library(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One shared object of the program."""

    name: str
    """As it was asked for."""
    requested_by: str
    """Path of the object that asked, or `LD_PRELOAD`."""
    path: str | None
    """As the loader opens it; None when it was not found."""
    real: str | None
    """The file behind all links; None when it was not found."""
    source: str
    """Where it was found: `DT_RPATH of X`, `LD_LIBRARY_PATH`, `DT_RUNPATH of X`, the cache, a built-in directory, a
    path in the name, `the loader itself`."""
    candidates: tuple[Candidate, ...] = ()
    """All places that were tried, in order."""


_FIXES = {
    FailureCode.LIBRARY_MISSING: "install the library in the final image, or run ldconfig after adding its directory",
    FailureCode.LIBRARY_MISSING_MUSL: "apk add the library, or build statically",
    FailureCode.SYMBOL_VERSION_MISSING: "build on the same or an older base than the image that runs it",
    FailureCode.SYMBOL_MISSING: "take program and libraries from the same build",
}


def gives_up(code: FailureCode, lines: Iterable[str], exit_code: int, *, about: str, why: str) -> Failure:
    """The loader gives up: its whole standard error as lines, its exit code, the library or symbol it is about."""
    missing = code in (FailureCode.LIBRARY_MISSING, FailureCode.LIBRARY_MISSING_MUSL)
    return Failure(
        code=code,
        judge=Judge.USERLAND,
        errno="ENOENT" if missing else "",
        message="\n".join(lines),
        exit_code=exit_code,
        about=about,
        why=why,
        fix=_FIXES[code],
    )


LoaderFamily = Literal["static", "glibc", "musl", "unknown"]
"""Whose rules a loader follows; static: the program has none."""


class LoaderResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the loader does with a program."""

    family: LoaderFamily
    loader: str = ""
    """The path of PT_INTERP."""
    libraries: tuple[Library, ...] = ()
    """In load order, each at the first request."""
    failure: Failure | None = None
    """What stops the program, where that is proved."""
    unknown: tuple[str, ...] = ()
    """Reasons why the result may differ in reality."""
    depends: tuple[str, ...] = ()
    """Facts of the host that change the result."""
    warnings: tuple[str, ...] = ()
    """Lines that the loader prints and survives."""

    @property
    def outcome(self) -> Literal["ok", "fails", "unknown"]:
        """In one word; a failure that is proved counts more than a doubt."""
        if self.failure is not None:
            return "fails"
        return "unknown" if self.unknown else "ok"


class LoaderOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the loader is told besides the program."""

    env: Mapping[str, str]
    secure: bool
    """AT_SECURE: the program is set-uid or set-gid, or has file capabilities."""
    cwd: bytes
    argv0: str
    """The program's own name."""
    execfn: str
    """The path that was given to `execve` in the first round."""
    hwcaps: tuple[str, ...] = ()
    """The glibc-hwcaps subdirectories that the CPU supports, best first; empty for the oldest CPU."""
    may_read: Callable[[Node], bool] | None = None
    """Whether the process may open a file for reading."""
    symbols: bool = True
    """Look up every symbol, too."""


class LoadedFile:
    """A regular file of the image, read in blocks that the store keeps, and in spans that somebody asked to hold."""

    def __init__(self, store: FileStore, rootfs: Rootfs, node: Node) -> None:
        self._store = store
        self._rootfs = rootfs
        self._node = node
        self._blocks: dict[int, bytes] = {}
        self._spans: list[tuple[int, bytes]] = []
        self.size: int = node.size

    def read(self, offset: int, count: int) -> bytes:
        """Bytes at an offset, fewer at the end of the file."""
        if offset < 0 or count <= 0 or offset >= self.size:
            return b""
        count = min(count, self.size - offset)
        for at, span in self._spans:
            if at <= offset and offset + count <= at + len(span):
                return span[offset - at : offset - at + count]
        if offset + count <= _HEAD:
            self.hold(0, _HEAD)
            return self._spans[-1][1][offset : offset + count]
        first, last = offset // BLOCK, (offset + count - 1) // BLOCK
        parts = []
        for number in range(first, last + 1):
            block = self._blocks.get(number)
            if block is None:
                start = number * BLOCK
                block = self._rootfs.read(self._node, start, min(BLOCK, self.size - start))
                self._blocks[number] = block
                self._store.kept(self, len(block))
            parts.append(block)
        joined = parts[0] if len(parts) == 1 else b"".join(parts)
        start = offset - first * BLOCK
        return joined[start : start + count]

    def hold(self, offset: int, count: int) -> None:
        """Read exactly these bytes, which are in the file, and answer from them what lies inside."""
        span = self._rootfs.read(self._node, offset, min(count, self.size - offset))
        self._spans.append((offset, span))
        self._store.kept(self, len(span))

    def forget(self) -> int:
        """Drop what was read and return how many bytes it was."""
        held = sum(map(len, self._blocks.values())) + sum(len(span) for _, span in self._spans)
        self._blocks.clear()
        self._spans.clear()
        return held


class FileStore:
    """Files that loaders read, each once for all programs that need it; what was read longest ago goes first."""

    def __init__(self) -> None:
        self.files: dict[tuple[int, int], LoadedFile] = {}
        self.facts: dict[tuple[int, int], ElfFacts | Malformed] = {}
        self.builds: dict[tuple[int, int], LoaderBuild] = {}
        self._held = 0

    def kept(self, reader: LoadedFile, count: int) -> None:
        """Note that a file keeps `count` more bytes."""
        self._held += count
        for file in list(self.files.values()):
            if self._held <= _MOST_HELD:
                break
            if file is not reader:
                self._held -= file.forget()


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """The result of opening a path for reading: a node with its canonical path, or an errno name."""

    path: bytes
    real: bytes = b""
    node: object = None
    errno: ErrnoName = ""


class Files:
    """The image's files as the loader opens them: relative paths from the working directory, links inside."""

    def __init__(self, rootfs: Rootfs, options: LoaderOptions, store: FileStore) -> None:
        self._rootfs = rootfs
        self._options = options
        self._store = store
        self._own = FileStore()
        self.tops: set[bytes] = set()
        """The directories right below the root that paths led through."""

    def resolve(self, path: bytes) -> Resolution:
        """Follow a path from the working directory."""
        found = self._rootfs.resolve(path, cwd=self._options.cwd)
        for part in (found.path, *(hop.path for hop in found.hops)):
            self.tops.add(part.split(b"/", 2)[1] if part.startswith(b"/") else b"")
        return found

    def open(self, path: bytes) -> Opened:
        """Open for reading, as the process would; directories open as well, as `open(2)` allows."""
        if not path:
            return Opened(path=path, errno="ENOENT")
        found = self.resolve(path)
        if found.node is None:
            return Opened(path=path, errno=found.errno or "ENOENT")
        if path.endswith(b"/") and not found.node.is_dir:
            return Opened(path=path, errno="ENOTDIR")
        if found.node.kind == "ghost":
            return Opened(path=path, errno="ENOENT")
        if self._options.may_read is not None and not self._options.may_read(found.node):
            return Opened(path=path, errno="EACCES")
        return Opened(path=path, real=found.path, node=found.node)

    def is_dir(self, path: bytes) -> bool:
        found = self.resolve(path)
        return found.node is not None and found.node.is_dir

    def names(self, path: bytes) -> Iterator[bytes]:
        """Yield the names in a directory, none where there is none."""
        found = self.resolve(path)
        return self._rootfs.names(found.path) if found.node is not None and found.node.is_dir else iter(())

    def file(self, node: Node) -> LoadedFile:
        """The content of a node."""
        store, key = self._place(node)
        known = store.files.get(key)
        if known is None:
            known = store.files[key] = LoadedFile(store, self._rootfs, node)
        return known

    def facts(self, node: Node) -> ElfFacts:
        """ELF facts of a node, read once.  Raises `Malformed`."""
        store, key = self._place(node)
        known = store.facts.get(key)
        if known is None:
            file = self.file(node)
            try:
                _read_tables(file)
                known = parse_elf(file.read, file.size)
            except Malformed as error:
                known = error
            store.facts[key] = known
        if isinstance(known, Malformed):
            raise known
        return known

    def build(self, node: Node) -> LoaderBuild:
        """What is compiled into a loader, read once."""
        store, key = self._place(node)
        known = store.builds.get(key)
        if known is None:
            content = self.file(node).read(0, LOADER_BYTES)
            try:
                facts: ElfFacts | None = self.facts(node)
            except Malformed:
                facts = None
            known = store.builds[key] = identify_loader(content, facts)
        return known

    def _place(self, node: Node) -> tuple[FileStore, tuple[int, int]]:
        """Where a file is kept: one that no entry describes, such as that of a mount, for this program alone."""
        if node.layer is None or node.entry is None:
            return self._own, (-1, node.ino)
        return self._store, (node.layer, node.entry)

    def content(self, path: bytes, limit: int) -> bytes | None:
        """A small text file; None when it is absent, unreadable or no regular file."""
        opened = self.open(path)
        node = opened.node
        if opened.errno or not getattr(node, "is_file", False):
            return None
        file = self.file(node)  # type: ignore[arg-type]
        return file.read(0, min(file.size, limit))


def _read_tables(file: LoadedFile) -> None:
    """Hold the tables and the dynamic section of a program or library, which a scan of its layer has kept.

    In this order, since the dynamic section stands behind the tables.  Malformed for a damaged header.
    """
    phdrs = read_phdrs(file.read, file.size, parse_ehdr(file.read(0, 64)))
    tables = loaded_tables(phdrs)
    if tables is not None and _HEAD < tables.filesz <= _MOST_TABLES:
        file.hold(0, tables.filesz)
    dynamic = next((phdr for phdr in phdrs if phdr.type == PT_DYNAMIC), None)
    if dynamic is not None and dynamic.offset < file.size and dynamic.filesz <= _MOST_DYNAMIC:
        file.hold(dynamic.offset, dynamic.filesz)


class LoaderBuild(msgspec.Struct, frozen=True, kw_only=True):
    """What is compiled into a loader file."""

    family: LoaderFamily
    directories: tuple[bytes, ...] = ()
    """The default directories, without a final slash."""
    cache: bytes = b""
    """Path of the cache that it reads."""
    preload: bytes = b""
    """Path of the list of preloaded libraries that it reads."""
    lib: bytes = b""
    """The value of `$LIB`; b"" when it cannot be told."""
    version: tuple[int, int] = (0, 0)
    """glibc's release."""
    arch: bytes = b""
    """musl's name of the architecture."""
    soname: bytes = b""
    why: str = ""
    """Why the family is not known."""


_DIRECTORIES = late(rb"\0(/(?:[!-~]{0,255}/\0(?:/[!-~]{0,255}/\0)*|\0/[!-~]{0,255}/\0))")
"""All of it begins with the same two bytes, for which alone the whole file is searched."""
_CACHE = late(rb"\0(/[!-~]{0,255}ld\.so\.cache)\0")
_PRELOAD = late(rb"\0(/[!-~]{0,255}ld\.so\.preload)\0")
_VERSION = late(rb"release version (\d{1,3})\.(\d{1,3})")
_MUSL_MARK = b"%.*s/etc/ld-musl-"
_MUSL_PATH = late(re.escape(_MUSL_MARK) + rb"([!-~]{1,32})\.path\0")
_NEAR = 64 * 1024
_MUSL_DIRECTORIES = late(rb"/[!-9;-~]{1,255}+(?::/[!-9;-~]{1,255}+)+")


def identify_loader(content: bytes, facts: ElfFacts | None) -> LoaderBuild:
    """Tell the family of a loader from its own bytes and read what is compiled into it.

    `content` is the file (at most its first 8 MiB), `facts` its ELF facts if it is ELF.  The name of the file is
    not looked at: a glibc name may be a link to musl.  Source: string constants of `elf/rtld.c`, `elf/dl-load.c`
    (glibc) and `ldso/dynlink.c` (musl).
    """
    soname = facts.soname.value if facts is not None and facts.soname is not None else b""
    mark = content.find(_MUSL_MARK)
    musl = _MUSL_PATH.search(content, mark) if mark >= 0 else None
    if musl is not None and b"Error loading shared library" in content:
        # A linker puts strings together: most of a file need not be searched.
        near = _musl_paths(content, max(0, mark - _NEAR))
        path = next(near, None) or next(_musl_paths(content), None)
        if path is None:
            return LoaderBuild(family="unknown", why="a musl loader without the list of its default directories")
        return LoaderBuild(family="musl", directories=tuple(path.split(b":")), arch=musl[1], soname=soname)
    if b"cannot open shared object file" in content and b"GLIBC_PRIVATE" in content:
        runs = [match[1] for match in _DIRECTORIES.finditer(content)]
        lists = [tuple(part.rstrip(b"/") or b"/" for part in run.split(b"\0")[:-1]) for run in runs]
        lists = [dirs for dirs in lists if any(b"lib" in part for part in dirs)]
        directories = max(lists, key=len, default=())
        cache = _CACHE.search(content)
        preload = _PRELOAD.search(content)
        version = _VERSION.search(content)
        guesses = {part.lstrip(b"/") for part in directories if not part.startswith(b"/usr")} | {b"lib64", b"lib"}
        libs = [guess for guess in sorted(guesses) if b"\0" + guess + b"\0" in content]
        return LoaderBuild(
            family="glibc",
            directories=directories,
            cache=cache[1] if cache else b"",
            preload=preload[1] if preload else b"",
            lib=libs[0] if len(libs) == 1 else b"",
            version=(int(version[1]), int(version[2])) if version else (0, 0),
            soname=soname,
        )
    return LoaderBuild(family="unknown", why="the loader is neither glibc's nor musl's")


def _musl_paths(content: bytes, start: int = 0) -> Iterator[bytes]:
    """Yield the strings from `start` that are lists of directories, one of them a library directory."""
    at = content.find(b":/", start)
    while at >= 0:
        begin, end = content.rfind(b"\0", max(0, at - 256), at) + 1, content.find(b"\0", at, at + 65_536)
        if begin and end >= 0 and b"/lib" in content[begin:end] and _MUSL_DIRECTORIES.fullmatch(content, begin, end):
            yield content[begin:end]
        at = content.find(b":/", max(end, at + 1))


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """The program that the kernel mapped: path as executed, canonical path, and its loader."""

    path: bytes
    real: bytes
    node: object
    facts: ElfFacts
    interp: bytes
    loader: bytes


__all__ = [
    "Candidate",
    "Files",
    "Library",
    "LoadedFile",
    "LoaderBuild",
    "LoaderOptions",
    "LoaderResult",
    "NotProved",
    "Opened",
    "Program",
    "Reader",
    "gives_up",
    "identify_loader",
]
