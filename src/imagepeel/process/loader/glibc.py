"""glibc's `ld.so`: search order, checks and texts of `elf/dl-load.c`, `dl-deps.c` and `dl-version.c`.

Theory of operation.  `Glibc` plays one run of the loader over the files of the image.  `objects` is the loader's list
of link maps.  The program stands first; preloads follow, then, breadth first, what each object needs.

1. `_map` (`_dl_map_object`) resolves one name.  An object that answers to it already (by name, path or soname) is
   taken; else `_search` looks for a file, and a file whose inode is loaded already is that object under a new name.
2. `_search` knows the order: a path in the name; DT_RPATH of the requester and of those that loaded it, unless the
   requester has a DT_RUNPATH; LD_LIBRARY_PATH; DT_RUNPATH; the cache; the built-in directories.
3. `_try` (`open_verify`) opens a candidate and judges its header.  It returns None to go on with the search, and
   raises `_Fatal` where the loader dies at once.  Every candidate is written down with its reason.
4. `_versions` (`_dl_check_map_versions`) compares the symbol versions that each object asks for with those that the
   libraries define.  `symbols.check_glibc` then looks the symbols up.

A `_Fatal` becomes the failure, with glibc's text and exit code 127.  `NotProved` ends the run where the image does not
prove what comes next, such as $PLATFORM: the result then says so and has no failure.  What only the CPU decides goes
into `depends`.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from imagepeel.errors import Malformed
from imagepeel.evidence import text
from imagepeel.formats.elf.file import ElfFacts
from imagepeel.formats.elf.header import ET_DYN, ET_EXEC, PT_LOAD, parse_ehdr
from imagepeel.formats.ldcache import CACHE_IDS, LdCache, parse_ldcache
from imagepeel.process.loader.common import (
    Files,
    Library,
    LoaderBuild,
    LoaderOptions,
    LoaderResult,
    NotProved,
    Program,
    gives_up,
)
from imagepeel.process.loader.glibc_text import strerror, token_at
from imagepeel.process.loader.link_map import LinkMap
from imagepeel.process.spec.failure import Failure, FailureCode
from imagepeel.process.spec.values import Candidate, CandidateOutcome
from imagepeel.tables import ERRNO_LIBC, MACHINES, ErrnoName

if TYPE_CHECKING:
    from imagepeel.rootfs.tree.inode import Node

_MAX_OBJECTS = 1_000
_MAX_CANDIDATES = 20_000
_CACHE_BYTES = 16 * 1024 * 1024
_DF_1_PIE = 0x08000000
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
_UNPROVED_ENV = {
    "LD_AUDIT": "LD_AUDIT loads code that may redirect every library",
    "LD_TRACE_LOADED_OBJECTS": "LD_TRACE_LOADED_OBJECTS makes the loader list libraries and start nothing",
}


class _Fatal(Exception):
    """The loader stops; carries the object it names, the message and the errno behind it."""

    code = FailureCode.SYMBOL_MISSING

    def __init__(self, about: bytes, message: str, errno: ErrnoName = "") -> None:
        super().__init__(message)
        self.about = about
        self.message = message
        self.errno = errno


class _Missing(_Fatal):
    """The object is nowhere."""

    code = FailureCode.LIBRARY_MISSING


class Glibc:
    """One run of the loader over a program; see `follow_glibc`."""

    def __init__(self, files: Files, program: Program, build: LoaderBuild, node: Node, options: LoaderOptions) -> None:
        self._files = files
        self._program = program
        self._build = build
        self._options = options
        self._prog = options.argv0
        self._cache: LdCache | None = None
        self._cache_read = False
        self._tried = 0
        self.depends: list[str] = []
        self.unknown: list[str] = []
        self.warnings: list[str] = []
        self.libraries: list[Library] = []
        main = LinkMap(b"", program.real, getattr(program.node, "ino", -1), program.facts, None)
        main.node = program.node  # type: ignore[assignment]
        try:
            loader_facts: ElfFacts | None = files.facts(node)
        except Malformed:
            loader_facts = None
        self.rtld: LinkMap = LinkMap(program.interp, program.loader, node.ino, loader_facts, None)
        self.rtld.node = node
        self.rtld.names.add(program.interp)
        if build.soname:
            self.rtld.names.add(build.soname)
        self.main = main
        self.objects: list[LinkMap] = [main]
        self._rtld_listed = False
        self._architecture = program.facts.ehdr.machine_name

    # -- the run ---------------------------------------------------------------------------------------------

    def run(self) -> Failure | None:
        """Load everything; the failure that stops the program, or None."""
        try:
            self._preload()
            self._load_all()
        except _Fatal as fatal:
            suffix = f": {strerror(fatal.errno)}" if fatal.errno else ""
            about = text(fatal.about)
            line = f"{self._prog}: error while loading shared libraries: {about}: {fatal.message}{suffix}"
            return gives_up(
                fatal.code,
                [*self.warnings, line],
                127,
                about=about,
                why=f"the loader cannot use {about}: {fatal.message}{suffix}",
            )
        return self._versions()

    def _load_all(self) -> None:
        queue = list(self.objects)
        seen = {id(item) for item in queue}
        for item in queue:
            facts = item.facts
            if facts is None:
                continue
            for tag, label in ((0x7FFFFFFF, "DT_FILTER"), (0x7FFFFFFD, "DT_AUXILIARY"), (0x6FFFFEFC, "DT_AUDIT")):
                if tag in facts.tags:
                    raise NotProved(f"{self._shown(item)} has {label}, whose effect is not modelled")
            for needed in facts.needed:
                found = self._map(self._expand(needed.value, item), item)
                if id(found) not in seen:
                    seen.add(id(found))
                    queue.append(found)

    def _shown(self, item: LinkMap) -> str:
        return text(item.path) if item.path else self._prog

    # -- names -----------------------------------------------------------------------------------------------

    def _origin(self, item: LinkMap) -> bytes:
        if item is self.main:
            return posixpath.dirname(self._program.real) or b"/"
        path = item.path if item.path.startswith(b"/") else posixpath.join(self._options.cwd, item.path)
        return posixpath.dirname(path) or b"/"

    def _expand(self, value: bytes, item: LinkMap) -> bytes:
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
                    trusted_only = item is self.main
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
                part = self._expand(part, item)
                if not part:
                    continue
                part = part.rstrip(b"/") + b"/"
            if part not in found:
                found.append(part)
        return found

    # -- one library -----------------------------------------------------------------------------------------

    def _map(self, name: bytes, item: LinkMap | None, where: str = "") -> LinkMap:
        """`_dl_map_object`: an object that already answers to the name, or a search."""
        for known in self.objects:
            if known.answers(name):
                known.names.add(name)
                return known
        if self.rtld.answers(name):
            if not self._rtld_listed:
                self._rtld_listed = True
                self.objects.append(self.rtld)
                self._add(name, item, self.rtld, source="the loader itself", candidates=[], where=where)
            return self.rtld
        if len(self.objects) >= _MAX_OBJECTS:
            raise NotProved(f"more than {_MAX_OBJECTS} libraries")
        self._errno: ErrnoName = ""
        self._other_class = False
        candidates: list[Candidate] = []
        found, source = self._search(name, item, candidates)
        requester = where or (self._shown(item) if item is not None else "")
        if found is None:
            self.libraries.append(
                Library(
                    name=text(name),
                    requested_by=requester,
                    path=None,
                    real=None,
                    source="",
                    candidates=tuple(candidates),
                )
            )
            if self._other_class:
                other = 64 if self._program.facts.ehdr.bits == 32 else 32
                raise _Fatal(name, f"wrong ELF class: ELFCLASS{other}")
            raise _Missing(name, "cannot open shared object file", self._errno)
        path, real, node = found
        for known in (*self.objects, self.rtld):
            if known.ino == node.ino:
                known.names.add(name)
                if known is self.rtld and not self._rtld_listed:
                    self._rtld_listed = True
                    self.objects.append(self.rtld)
                    self._add(name, item, self.rtld, source=source, candidates=candidates, where=where)
                return known
        fresh = self._admit(name, path, real, node, item)
        fresh.names.add(name)
        self.objects.append(fresh)
        self._add(name, item, fresh, source=source, candidates=candidates, where=where)
        return fresh

    def _add(
        self,
        name: bytes,
        item: LinkMap | None,
        found: LinkMap,
        *,
        source: str,
        candidates: list[Candidate],
        where: str,
    ) -> None:
        self.libraries.append(
            Library(
                name=text(name),
                requested_by=where or (self._shown(item) if item is not None else ""),
                path=text(found.path),
                real=text(found.real),
                source=source,
                candidates=tuple(candidates),
            )
        )

    def _search(
        self, name: bytes, item: LinkMap | None, candidates: list[Candidate]
    ) -> tuple[tuple[bytes, bytes, Node] | None, str]:
        if b"/" in name:
            found = self._try(name, candidates, "a path in the name")
            return found, "the path in its name"
        requester = item if item is not None else self.main
        if item is None or item.facts is None or item.facts.runpath is None:
            done_main = False
            link = item
            while link is not None:
                done_main |= link is self.main
                found = self._by_rpath(name, link, candidates)
                if found is not None:
                    return found, f"DT_RPATH of {self._shown(link)}"
                link = link.loader
            if not done_main:
                found = self._by_rpath(name, self.main, candidates)
                if found is not None:
                    return found, f"DT_RPATH of {self._shown(self.main)}"
        library_path = "" if self._options.secure else self._options.env.get("LD_LIBRARY_PATH", "")
        if library_path:
            raw_path = library_path.encode("utf-8", "surrogateescape")
            directories = self._directories(raw_path, b":;", self.main)
            found = self._open_path(name, directories, candidates, "LD_LIBRARY_PATH")
            if found is not None:
                return found, "LD_LIBRARY_PATH"
        runpath = item.facts.runpath if item is not None and item.facts is not None else None
        if item is not None and runpath is not None and runpath.value:
            label = f"DT_RUNPATH of {self._shown(item)}"
            found = self._open_path(name, self._directories(runpath.value, b":", item), candidates, label)
            if found is not None:
                return found, label
        nodeflib = requester.facts is not None and requester.facts.nodeflib
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

    def _by_rpath(self, name: bytes, link: LinkMap, candidates: list[Candidate]) -> tuple[bytes, bytes, Node] | None:
        facts = link.facts
        if facts is None or facts.rpath is None or facts.runpath is not None or not facts.rpath.value:
            return None
        directories = self._directories(facts.rpath.value, b":", link)
        return self._open_path(name, directories, candidates, f"DT_RPATH of {self._shown(link)}")

    def _by_cache(self, name: bytes, nodeflib: bool, candidates: list[Candidate]) -> tuple[bytes, bytes, Node] | None:
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
    ) -> tuple[bytes, bytes, Node] | None:
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
                for subdir in self._files.listdir(directory + b"glibc-hwcaps"):
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
            if self._errno not in ("ENOENT", "EACCES") and self._files.is_dir(directory or b"."):
                break
        return None

    def _try(self, path: bytes, candidates: list[Candidate], label: str) -> tuple[bytes, bytes, Node] | None:
        """`open_verify`: open, read the header, judge it; None means that the search goes on."""
        self._tried += 1
        if self._tried > _MAX_CANDIDATES:
            raise NotProved(f"more than {_MAX_CANDIDATES} places to look at")

        def note(outcome: CandidateOutcome, reason: str) -> None:
            candidates.append(Candidate(path=text(path), outcome=outcome, reason=f"{label}: {reason}"))

        opened = self._files.open(path)
        if opened.errno:
            self._errno = opened.errno
            note("skipped", ERRNO_LIBC.get(opened.errno, opened.errno))
            return None
        node: Node = opened.node  # type: ignore[assignment]
        if node.is_dir:
            note("fatal", "a directory")
            raise _Fatal(path, "cannot read file data", "EISDIR")
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
            raise _Fatal(path, problem)
        if problem:
            self._errno = "ENOENT"
            note("skipped", problem)
            return None
        note("taken", "it exists and fits the program")
        return path, opened.real, node

    def _header(self, head: bytes, bits: int) -> tuple[str, bool]:
        """(problem, whether the loader stops for it); ("", False) when the header is accepted."""
        if len(head) < (64 if bits == 64 else 52):
            return "file too short", True
        if head[:4] != b"\x7fELF":
            return "invalid ELF header", True
        little = self._program.facts.ehdr.little
        if head[4] != (2 if bits == 64 else 1):
            self._other_class = True
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

    def _admit(self, name: bytes, path: bytes, real: bytes, node: Node, item: LinkMap | None) -> LinkMap:
        """`_dl_map_object_from_fd`: map the segments of a file whose header was accepted.

        From here on the loader's messages name the library as it was asked for, not the path.
        """
        try:
            facts = self._files.facts(node)
        except Malformed as error:
            if "program headers" in str(error):
                raise _Fatal(path, "cannot read file data") from error
            raise NotProved(f"{text(path)} is damaged: {error}") from error
        loads = [phdr for phdr in facts.phdrs if phdr.type == PT_LOAD]
        if not loads:
            raise _Fatal(name, "object file has no loadable segments")
        for phdr in loads:
            if phdr.align & 0xFFF or (phdr.vaddr - phdr.offset) & 0xFFF:
                raise NotProved(f"{text(path)} has a segment that is not aligned to pages")
            if phdr.filesz and phdr.offset + phdr.filesz > facts.size:
                raise NotProved(f"{text(path)} ends inside a segment: the program may die by SIGBUS")
        if facts.dynamic_at is None:
            if facts.ehdr.type == ET_DYN:
                raise _Fatal(name, "object file has no dynamic section")
            raise NotProved(f"{text(path)} is an executable without a dynamic section")
        if facts.ehdr.type == ET_EXEC:
            raise _Fatal(name, "cannot dynamically load executable")
        if facts.flags_1 & _DF_1_PIE:
            raise _Fatal(name, "cannot dynamically load position-independent executable")
        fresh = LinkMap(path, real, node.ino, facts, item)
        fresh.node = node
        return fresh

    # -- preloading ------------------------------------------------------------------------------------------

    def _preload(self) -> None:
        listed: list[tuple[str, bytes]] = []
        preload = self._options.env.get("LD_PRELOAD", "").encode("utf-8", "surrogateescape")
        for name in preload.replace(b":", b" ").split(b" "):
            if name and not (self._options.secure and b"/" in name):
                if self._options.secure:
                    raise NotProved("LD_PRELOAD of a set-uid program takes only set-uid libraries")
                listed.append(("LD_PRELOAD", name))
        data = self._files.content(self._build.preload, 1 << 20) if self._build.preload else None
        if data is not None:
            for line in data.split(b"\n"):
                for name in line.split(b"#", 1)[0].replace(b":", b" ").replace(b"\t", b" ").split(b" "):
                    if name:
                        listed.append((text(self._build.preload), name))
        for where, name in listed[:_MAX_OBJECTS]:
            try:
                self._map(self._expand(name, self.main), self.main, where)
            except _Fatal as fatal:
                self.warnings.append(
                    f"ERROR: ld.so: object '{text(name)}' from {where} cannot be preloaded ({fatal.message}): ignored."
                )

    # -- versions --------------------------------------------------------------------------------------------

    def _versions(self) -> Failure | None:
        """`_dl_check_all_versions`: every required version is defined by the library it is required of."""
        lines: list[str] = []
        about = ""
        missing = 0
        for item in self.objects:
            if item.facts is None:
                continue
            shown = self._shown(item)
            for need in item.facts.verneed:
                provider = next((known for known in (*self.objects, self.rtld) if known.answers(need.file)), None)
                if provider is None or provider.facts is None:
                    raise NotProved(f"{shown} requires versions of {text(need.file)}, which it does not need")
                who = self._shown(provider)
                if not provider.facts.has_verdef:
                    if need.versions:
                        lines += [f"{self._prog}: {who}: no version information available (required by {shown})"] * len(
                            need.versions
                        )
                    continue
                defined = {version.name for version in provider.facts.verdef}
                for version in need.versions:
                    if version.name in defined:
                        continue
                    kind = "weak version" if version.weak else "version"
                    lines.append(f"{self._prog}: {who}: {kind} `{text(version.name)}' not found (required by {shown})")
                    if not version.weak:
                        missing += 1
                        about = about or text(version.name)
        if not missing:
            self.warnings += lines
            return None
        return gives_up(
            FailureCode.SYMBOL_VERSION_MISSING,
            [*self.warnings, *lines],
            1,
            about=about,
            why=f"the libraries of this image do not define the version {about}",
        )


def follow_glibc(
    files: Files, program: Program, build: LoaderBuild, node: Node, options: LoaderOptions
) -> LoaderResult:
    """Run glibc's loading algorithm for a program.

    `build` is what `identify_loader` read from the loader file `node`.  Returns libraries in load order; `failure`
    with the exact text where a library, its header or a symbol version stops the program.
    """
    if program.facts.ehdr.machine_name not in MACHINES:
        return LoaderResult(
            family="glibc",
            loader=text(program.interp),
            unknown=(f"no rules are known for {program.facts.ehdr.machine_name}",),
        )
    run = Glibc(files, program, build, node, options)
    if not options.secure:
        for name, why in _UNPROVED_ENV.items():
            if options.env.get(name):
                run.unknown.append(why)
        if "glibc." in options.env.get("GLIBC_TUNABLES", ""):
            run.unknown.append("GLIBC_TUNABLES changes how the loader works")
    failure: Failure | None = None
    try:
        failure = run.run()
        if failure is None and options.symbols and not run.unknown:
            from imagepeel.process.loader.symbols import check_glibc  # start time

            objects = [item for item in run.objects if item.facts is not None]
            failure, why = check_glibc(
                [
                    (item.path, files.file(item.node), item.facts)
                    for item in objects
                    if item.node is not None and item.facts is not None
                ],
                options.argv0,
                options.env.get("LD_BIND_NOW", "") != "",
                run.warnings,
            )
            if why:
                run.unknown.append(why)
    except NotProved as reason:
        run.unknown.append(str(reason))
    return LoaderResult(
        family="glibc",
        loader=text(program.interp),
        libraries=tuple(run.libraries),
        failure=failure if not run.unknown else None,
        unknown=tuple(run.unknown),
        depends=tuple(run.depends),
        warnings=tuple(run.warnings),
    )
