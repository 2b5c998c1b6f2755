"""Where glibc's `ld.so` looks for a library, and how it judges what it finds there (`elf/dl-load.c`).

`GlibcSearch.find` knows the order: a path in the name; DT_RPATH of the requester and of those that loaded it, unless
the requester has a DT_RUNPATH; LD_LIBRARY_PATH; DT_RUNPATH; the cache; the built-in directories.  `_try`
(`open_verify`) opens a candidate and judges its header.  It returns None to go on with the search, and raises `Fatal`
where the loader dies at once.  Every candidate is written down with its reason.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from imagepeel.errors import Malformed
from imagepeel.evidence import text
from imagepeel.formats.elf.header import ET_DYN, ET_EXEC, parse_ehdr
from imagepeel.formats.ldcache import CACHE_IDS, LdCache, parse_ldcache
from imagepeel.process.loader.common import Files, LoaderBuild, LoaderOptions, NotProved, Program
from imagepeel.process.loader.glibc_text import token_at
from imagepeel.process.loader.link_map import LinkMap
from imagepeel.process.spec.failure import FailureCode
from imagepeel.process.spec.values import Candidate, CandidateOutcome
from imagepeel.tables import ERRNO_LIBC, ErrnoName

if TYPE_CHECKING:
    from imagepeel.rootfs.tree.inode import Node

_MAX_CANDIDATES = 20_000
_CACHE_BYTES = 16 * 1024 * 1024
_LEGACY_SUBDIRS = (
    b"tls",
    b"x86_64",
    b"haswell",
    b"xeon_phi",
    b"avx512_1",
    b"tls/x86_64",
    b"i686",
    b"tls/i686",
    b"sse2",
)


class Fatal(Exception):
    """The loader stops; carries the object it names, the message and the errno behind it."""

    code = FailureCode.SYMBOL_MISSING

    def __init__(self, about: bytes, message: str, errno: ErrnoName = "") -> None:
        super().__init__(message)
        self.about = about
        self.message = message
        self.errno = errno


class OpenedLibrary(msgspec.Struct, frozen=True):
    """A file that the loader takes: the path it was found under, its canonical path, and its node."""

    path: bytes
    real: bytes
    node: Node


class GlibcSearch:
    """The search of one run of the loader.

    `errno` is that of the last file that could not be opened in the last search, `other_class` tells that one of
    another word size was passed over, and `depends` gathers what only the CPU decides.
    """

    def __init__(
        self, files: Files, program: Program, build: LoaderBuild, options: LoaderOptions, main: LinkMap
    ) -> None:
        self._files = files
        self._program = program
        self._build = build
        self._options = options
        self._main = main
        self._architecture = program.facts.ehdr.machine_name
        self._cache: LdCache | None = None
        self._cache_read = False
        self._tried = 0
        self.errno: ErrnoName = ""
        self.other_class: bool = False
        self.depends: list[str] = []

    def shown(self, item: LinkMap) -> str:
        """The object as the loader names it: the program by its own name."""
        return text(item.path) if item.path else self._options.argv0

    # -- names -----------------------------------------------------------------------------------------------

    def _origin(self, item: LinkMap) -> bytes:
        if item is self._main:
            return posixpath.dirname(self._program.real) or b"/"
        path = item.path if item.path.startswith(b"/") else posixpath.join(self._options.cwd, item.path)
        return posixpath.dirname(path) or b"/"

    def expand(self, value: bytes, item: LinkMap) -> bytes:
        """Replace `$ORIGIN`, `$LIB` and `$PLATFORM`; b"" when a set-uid program may not use the result."""
        if b"$" not in value:
            return value
        out = bytearray()
        position = 0
        trusted_only = False
        while position < len(value):
            if value[position] != 0x24:
                out.append(value[position])
                position += 1
                continue
            token, length = token_at(value, position + 1)
            if not token:
                out.append(0x24)
                position += 1
                continue
            end = position + 1 + length
            if token == b"ORIGIN":
                if self._options.secure:
                    if position != 0 or value[end : end + 1] not in (b"", b"/"):
                        return b""
                    trusted_only = item is self._main
                out += self._origin(item)
            elif token == b"LIB":
                if not self._build.lib:
                    raise NotProved("$LIB is used and its value cannot be read from the loader")
                out += self._build.lib
            else:
                raise NotProved("$PLATFORM is used: its value is a fact of the host's CPU")
            position = end
        if trusted_only:
            normal = posixpath.normpath(bytes(out)) + b"/"
            if not any(normal.startswith(directory.rstrip(b"/") + b"/") for directory in self._build.directories):
                return b""
        return bytes(out)

    def _directories(self, value: bytes, separators: bytes, item: LinkMap) -> list[bytes]:
        for separator in separators[1:]:
            value = value.replace(bytes([separator]), separators[:1])
        found: list[bytes] = []
        for part in value.split(separators[:1]):
            if part:
                part = self.expand(part, item)
                if not part:
                    continue
                part = part.rstrip(b"/") + b"/"
            if part not in found:
                found.append(part)
        return found

    # -- one search ------------------------------------------------------------------------------------------

    def find(self, name: bytes, item: LinkMap, candidates: list[Candidate]) -> tuple[OpenedLibrary | None, str]:
        """The file that a name asked for by `item` leads to, and by which rule; (None, "") where there is none."""
        self.errno = ""
        self.other_class = False
        if b"/" in name:
            return self._try(name, candidates, "a path in the name"), "the path in its name"
        for directories, label in self._listed(item):
            found = self._open_path(name, directories, candidates, label)
            if found is not None:
                return found, label
        nodeflib = item.facts is not None and item.facts.nodeflib
        cached = self._by_cache(name, nodeflib, candidates)
        if cached is not None:
            return cached, text(self._build.cache)
        if not nodeflib:
            if not self._build.directories:
                raise NotProved("the default directories cannot be read from the image's loader")
            directories = [directory.rstrip(b"/") + b"/" for directory in self._build.directories]
            found = self._open_path(name, directories, candidates, "a built-in directory of the loader")
            if found is not None:
                return found, "a built-in directory of the loader"
        return None, ""

    def _listed(self, item: LinkMap) -> Iterator[tuple[list[bytes], str]]:
        """The directories that objects and the environment name, list by list, with the label of each list."""
        runpath = item.facts.runpath if item.facts is not None else None
        if runpath is None:
            chain = _loaders(item)
            for link in chain if self._main in chain else (*chain, self._main):
                rpath = link.facts.rpath if link.facts is not None and link.facts.runpath is None else None
                if rpath is not None and rpath.value:
                    yield self._directories(rpath.value, b":", link), f"DT_RPATH of {self.shown(link)}"
        library_path = "" if self._options.secure else self._options.env.get("LD_LIBRARY_PATH", "")
        if library_path:
            raw_path = library_path.encode("utf-8", "surrogateescape")
            yield self._directories(raw_path, b":;", self._main), "LD_LIBRARY_PATH"
        if runpath is not None and runpath.value:
            yield self._directories(runpath.value, b":", item), f"DT_RUNPATH of {self.shown(item)}"

    def _by_cache(self, name: bytes, nodeflib: bool, candidates: list[Candidate]) -> OpenedLibrary | None:
        if not self._cache_read:
            self._cache_read = True
            data = self._files.content(self._build.cache, _CACHE_BYTES) if self._build.cache else None
            if data is not None:
                try:
                    self._cache = parse_ldcache(data)
                except Malformed:
                    # The real loader treats a damaged cache as absent.
                    self._cache = None
        if self._cache is None:
            return None
        cache_id = CACHE_IDS.get(self._architecture)
        if cache_id is None:
            raise NotProved(f"the cache flags of {self._architecture} are not known")
        entry = self._cache.lookup(name, cache_id, self._options.hwcaps)
        for other in self._cache.named(name):
            if other.flags == cache_id and other.hwcaps and other.hwcaps not in self._options.hwcaps:
                self._depend(other.path, other.hwcaps)
        if entry is None:
            return None
        if nodeflib and any(entry.path.startswith(part.rstrip(b"/") + b"/") for part in self._build.directories):
            candidates.append(
                Candidate(path=text(entry.path), outcome="skipped", reason="DF_1_NODEFLIB forbids default directories")
            )
            return None
        return self._try(entry.path, candidates, text(self._build.cache))

    def _depend(self, path: bytes, subdir: str) -> None:
        line = f"on a CPU with {subdir} the loader takes {text(path)} instead"
        if line not in self.depends and len(self.depends) < 100:
            self.depends.append(line)

    def _open_path(
        self, name: bytes, directories: list[bytes], candidates: list[Candidate], label: str
    ) -> OpenedLibrary | None:
        """`open_path`: in each directory the CPU's subdirectories first, then the directory itself."""
        for directory in directories:
            if directory and self._files.is_dir(directory + b"glibc-hwcaps"):
                supported = [subdir.encode() for subdir in self._options.hwcaps]
                for subdir in supported:
                    prefix = directory + b"glibc-hwcaps/" + subdir + b"/"
                    if self._files.is_dir(prefix):
                        found = self._try(prefix + name, candidates, label)
                        if found is not None:
                            return found
                for subdir in self._files.names(directory + b"glibc-hwcaps"):
                    self._count()
                    path = directory + b"glibc-hwcaps/" + subdir + b"/" + name
                    if subdir not in supported and not self._files.open(path).errno:
                        self._depend(path, text(subdir))
            if self._build.version < (2, 37) and directory:
                for subdir in _LEGACY_SUBDIRS:
                    if not self._files.open(directory + subdir + b"/" + name).errno:
                        self._depend(directory + subdir + b"/" + name, text(subdir))
            found = self._try(directory + name, candidates, label)
            if found is not None:
                return found
            if self.errno not in ("ENOENT", "EACCES") and self._files.is_dir(directory or b"."):
                break
        return None

    def _count(self) -> None:
        """Count a place that is looked at.  NotProved past the bound."""
        self._tried += 1
        if self._tried > _MAX_CANDIDATES:
            raise NotProved(f"more than {_MAX_CANDIDATES} places to look at")

    def _try(self, path: bytes, candidates: list[Candidate], label: str) -> OpenedLibrary | None:
        """`open_verify`: open, read the header, judge it; None means that the search goes on."""
        self._count()

        def note(outcome: CandidateOutcome, reason: str) -> None:
            candidates.append(Candidate(path=text(path), outcome=outcome, reason=f"{label}: {reason}"))

        opened = self._files.open(path)
        if opened.errno:
            self.errno = opened.errno
            note("skipped", ERRNO_LIBC.get(opened.errno, opened.errno))
            return None
        node: Node = opened.node  # type: ignore[assignment]
        if node.is_dir:
            note("fatal", "a directory")
            raise Fatal(path, "cannot read file data", "EISDIR")
        if not node.is_file:
            raise NotProved(f"{text(path)} is a special file")
        bits = self._program.facts.ehdr.bits
        head = self._files.file(node).read(0, 64)
        try:
            problem, fatal = self._header(head, bits)
        except Malformed:
            problem, fatal = "invalid ELF header", True
        if fatal:
            note("fatal", problem)
            raise Fatal(path, problem)
        if problem:
            self.errno = "ENOENT"
            note("skipped", problem)
            return None
        note("taken", "it exists and fits the program")
        return OpenedLibrary(path=path, real=opened.real, node=node)

    def _header(self, head: bytes, bits: int) -> tuple[str, bool]:
        """(problem, whether the loader stops for it); ("", False) when the header is accepted."""
        if len(head) < (64 if bits == 64 else 52):
            return "file too short", True
        if head[:4] != b"\x7fELF":
            return "invalid ELF header", True
        little = self._program.facts.ehdr.little
        if head[4] != (2 if bits == 64 else 1):
            self.other_class = True
            return "an ELF file of the other word size", False
        if head[5] != (1 if little else 2):
            return f"ELF file data encoding not {'little' if little else 'big'}-endian", True
        if head[6] != 1:
            return "ELF file version ident does not match current one", True
        if head[7] not in (0, 3):
            return "ELF file OS ABI invalid", True
        if head[8] != 0 and (head[7] == 0 or head[8] > 3):
            return "ELF file ABI version invalid", True
        if any(head[9:16]):
            return "nonzero padding in e_ident", True
        ehdr = parse_ehdr(head)
        if ehdr.version != 1:
            return "ELF file version does not match current one", True
        if ehdr.machine != self._program.facts.ehdr.machine:
            return f"an ELF file for {ehdr.machine_name}", False
        if ehdr.type not in (ET_DYN, ET_EXEC):
            return "only ET_DYN and ET_EXEC can be loaded", True
        if ehdr.phentsize != (56 if bits == 64 else 32):
            return "ELF file's phentsize not the expected size", True
        return "", False


def _loaders(item: LinkMap) -> list[LinkMap]:
    """An object and those that loaded it, up to the program or what was preloaded."""
    chain = [item]
    while (loader := chain[-1].loader) is not None:
        chain.append(loader)
    return chain
