"""musl's dynamic linker: search order, texts and habits of `ldso/dynlink.c` (1.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagepeel.errors import Malformed
from imagepeel.evidence import raw, text
from imagepeel.formats.elf.file import ElfFacts
from imagepeel.formats.elf.header import ET_DYN, ET_EXEC, PT_LOAD
from imagepeel.process.loader.common import (
    Files,
    Library,
    LoadedFile,
    LoaderBuild,
    LoaderOptions,
    LoaderResult,
    NotProved,
    Program,
    gives_up,
)
from imagepeel.process.spec.failure import Failure, FailureCode
from imagepeel.process.spec.values import Candidate
from imagepeel.tables import ERRNO_MUSL, ErrnoName

if TYPE_CHECKING:
    from imagepeel.rootfs.tree.inode import Node

_MAX_OBJECTS = 1_000
_MAX_CANDIDATES = 20_000
_NAME_MAX = 255
_RESERVED = (b"c.", b"pthread.", b"rt.", b"m.", b"dl.", b"util.", b"xnet.")


class _Dso:
    """One loaded object; `name` is what the loader prints."""

    def __init__(self, name: bytes, ino: int, facts: ElfFacts, file: LoadedFile, needed_by: _Dso | None) -> None:
        self.name = name
        self.ino = ino
        self.facts = facts
        self.file: LoadedFile = file
        self.needed_by = needed_by
        self.short: bytes | None = None
        self.is_program = False


class Musl:
    """One run of the linker over a program; see `follow_musl`."""

    def __init__(self, files: Files, program: Program, build: LoaderBuild, node: Node, options: LoaderOptions) -> None:
        self._files = files
        self._program = program
        self._build = build
        self._options = options
        self._tried = 0
        self._errno: ErrnoName = ""
        self._system: list[bytes] | None = None
        self._system_from = "a default directory of the loader"
        name = raw(options.execfn)
        if name.startswith(b"/proc/"):
            name = raw(options.argv0)
        self.program: _Dso = _Dso(
            name,
            getattr(program.node, "ino", -1),
            program.facts,
            files.file(program.node),  # type: ignore[arg-type]
            None,
        )
        self.program.is_program = True
        self.loader: _Dso = _Dso(program.interp, node.ino, files.facts(node), files.file(node), None)
        self.chain: list[_Dso] = [self.program]
        self.libraries: list[Library] = []
        self.errors: list[str] = []
        self.missing: list[str] = []

    def run(self) -> None:
        """Load the preloads and then, object by object, what each needs; missing ones are reported and passed over."""
        preload = "" if self._options.secure else self._options.env.get("LD_PRELOAD", "")
        for name in preload.replace(":", " ").split():
            self._load(raw(name), None, "LD_PRELOAD")
        for item in self.chain:
            for needed in item.facts.needed:
                found, errno = self._load(needed.value, item, text(item.name))
                if found is None:
                    self.missing.append(text(needed.value))
                    self.errors.append(
                        f"Error loading shared library {text(needed.value)}: {ERRNO_MUSL.get(errno, errno)}"
                        f" (needed by {text(item.name)})"
                    )

    def _load(self, name: bytes, item: _Dso | None, requester: str) -> tuple[_Dso | None, ErrnoName]:
        """`load_library`: (object, "") or (None, errno name)."""
        if not name:
            return None, "EINVAL"
        if (name.startswith(b"lib") and name[3:].startswith(_RESERVED)) or name == self.loader.name:
            if self.loader not in self.chain:
                self.chain.append(self.loader)
                self._note(
                    name, requester, self.loader.name, self._program.loader, source="the loader itself", candidates=[]
                )
            return self.loader, ""
        plain = b"/" not in name
        known = next((known for known in self.chain[1:] if known.short == name), None) if plain else None
        if known is not None:
            return known, ""
        if plain and len(name) > _NAME_MAX:
            return None, "ENAMETOOLONG"
        candidates: list[Candidate] = []
        found, errno, path, source = self._search(name, item, candidates)
        if found is None:
            self._note(name, requester, None, None, source="", candidates=candidates)
            return None, errno
        node, real = found
        known = self._same_file(node)
        if known is not None:
            if known.short is None and plain:
                known.short = known.name.rsplit(b"/", 1)[-1]
            return known, ""
        facts, errno = self._admit(path, node)
        if facts is None:
            candidates.append(Candidate(path=text(path), outcome="fatal", reason=ERRNO_MUSL.get(errno, errno)))
            self._note(name, requester, None, None, source="", candidates=candidates)
            return None, errno
        if self._is_a_libc(node, facts):
            return self._load(b"libc.so", item, requester)
        if len(self.chain) >= _MAX_OBJECTS:
            raise NotProved(f"more than {_MAX_OBJECTS} libraries")
        fresh = _Dso(path, node.ino, facts, self._files.file(node), item)
        if plain:
            fresh.short = path.rsplit(b"/", 1)[-1]
        self.chain.append(fresh)
        self._note(name, requester, path, real, source=source, candidates=candidates)
        return fresh, ""

    def _same_file(self, node: Node) -> _Dso | None:
        """The object that this file is already; None for a file that is not loaded."""
        known = next((known for known in self.chain[1:] if known.ino == node.ino), None)
        if known is None and node.ino == self.program.ino:
            raise NotProved("the program is loaded a second time as its own library")
        return known

    def _note(
        self,
        name: bytes,
        requester: str,
        path: bytes | None,
        real: bytes | None,
        *,
        source: str,
        candidates: list[Candidate],
    ) -> None:
        self.libraries.append(
            Library(
                name=text(name),
                requested_by=requester,
                path=None if path is None else text(path),
                real=None if real is None else text(real),
                source=source,
                candidates=tuple(candidates),
            )
        )

    def _search(
        self, name: bytes, item: _Dso | None, candidates: list[Candidate]
    ) -> tuple[tuple[Node, bytes] | None, ErrnoName, bytes, str]:
        if b"/" in name:
            found, errno = self._open(name, candidates, "a path in the name")
            return found, errno, name, "the path in its name"
        library_path = "" if self._options.secure else self._options.env.get("LD_LIBRARY_PATH", "")
        if library_path:
            found, errno, path, stop = self._open_path(name, raw(library_path), candidates, "LD_LIBRARY_PATH")
            if found is not None or stop:
                return found, errno, path, "LD_LIBRARY_PATH"
        link = item
        while link is not None:
            rpath = self._rpath(link)
            if rpath:
                label = f"the rpath of {text(link.name)}"
                found, errno, path, stop = self._open_path(name, rpath, candidates, label)
                if found is not None or stop:
                    return found, errno, path, label
            link = link.needed_by
        if self._system is None:
            self._read_path_file()
        system = b":".join(self._system or [])
        found, errno, path, _ = self._open_path(name, system, candidates, self._system_from)
        return found, errno, path, self._system_from

    def _read_path_file(self) -> None:
        """`/etc/ld-musl-ARCH.path`, next to the directory of the loader, replaces the default directories."""
        interp = self.loader.name
        prefix = b"/".join(interp.split(b"/")[:-2]) if interp.startswith(b"/") else b""
        path = prefix + b"/etc/ld-musl-" + self._build.arch + b".path"
        opened = self._files.open(path)
        if opened.errno == "ENOENT":
            self._system = list(self._build.directories)
            return
        self._system_from = text(path)
        content = self._files.content(path, 1 << 20)
        if content is None:
            # The file is there but cannot be read: no directory is left, and errno stays that of the read.
            node: Node | None = opened.node  # type: ignore[assignment]
            self._errno = opened.errno or ("EISDIR" if node is not None and node.is_dir else "EIO")
        self._system = [] if content is None else content.split(b"\0", 1)[0].replace(b"\n", b":").split(b":")

    def _rpath(self, item: _Dso) -> bytes:
        """DT_RUNPATH or DT_RPATH with `$ORIGIN` replaced; b"" when there is none or it is ignored."""
        chosen = item.facts.runpath or item.facts.rpath
        if chosen is None:
            return b""
        value = chosen.value
        if b"$" not in value:
            return value
        rest = value
        while b"$" in rest:
            rest = rest[rest.index(b"$") :]
            if not rest.startswith((b"$ORIGIN", b"${ORIGIN}")):
                return b""
            rest = rest[1:]
        if item.is_program:
            if self._options.secure:
                raise NotProved("musl stops searching at $ORIGIN of a set-uid program")
            path = self._program.real
        else:
            path = item.name
            if self._options.secure and not path.startswith(b"/"):
                raise NotProved("musl stops searching at a relative $ORIGIN of a set-uid program")
        origin = path.rsplit(b"/", 1)[0] if b"/" in path else b"."
        return value.replace(b"${ORIGIN}", origin).replace(b"$ORIGIN", origin)

    def _open_path(
        self, name: bytes, path: bytes, candidates: list[Candidate], label: str
    ) -> tuple[tuple[Node, bytes] | None, ErrnoName, bytes, bool]:
        """`path_open`: (node and canonical path or None, errno, path tried last, stop searching)."""
        errno = self._errno
        for directory in path.replace(b"\n", b":").split(b":"):
            if not directory:
                continue
            full = directory + b"/" + name
            if len(full) >= 2 * _NAME_MAX + 2:
                continue
            found, errno = self._open(full, candidates, label)
            if found is not None:
                return found, "", full, False
            if errno not in ("ENOENT", "ENOTDIR", "EACCES", "ENAMETOOLONG"):
                return None, errno, full, True
        return None, errno, b"", False

    def _open(
        self, path: bytes, candidates: list[Candidate], label: str
    ) -> tuple[tuple[Node, bytes] | None, ErrnoName]:
        self._tried += 1
        if self._tried > _MAX_CANDIDATES:
            raise NotProved(f"more than {_MAX_CANDIDATES} places to look at")
        opened = self._files.open(path)
        if opened.errno:
            reason = ERRNO_MUSL.get(opened.errno, opened.errno)
            candidates.append(Candidate(path=text(path), outcome="skipped", reason=f"{label}: {reason}"))
            self._errno = opened.errno
            return None, opened.errno
        candidates.append(Candidate(path=text(path), outcome="taken", reason=f"{label}: it exists"))
        node: Node = opened.node  # type: ignore[assignment]
        return (node, opened.real), ""

    def _admit(self, path: bytes, node: Node) -> tuple[ElfFacts | None, ErrnoName]:
        """`map_library`: ELF facts, or the errno with which the file is refused."""
        if node.is_dir:
            return None, "EISDIR"
        if not node.is_file:
            raise NotProved(f"{text(path)} is a special file")
        file = self._files.file(node)
        head = file.read(0, 896)
        bits = self._program.facts.ehdr.bits
        little = self._program.facts.ehdr.little
        if len(head) < (64 if bits == 64 else 52):
            return None, "ENOEXEC"
        kind = int.from_bytes(head[16:18], "little" if little else "big")
        if kind not in (ET_DYN, ET_EXEC):
            return None, "ENOEXEC"
        # musl looks neither at the magic nor at class and machine: what then happens is not in the image's text.
        if head[:5] != b"\x7fELF" + (b"\2" if bits == 64 else b"\1"):
            raise NotProved(f"musl maps {text(path)} although it is no ELF file of the program's word size")
        try:
            facts = self._files.facts(node)
        except Malformed as error:
            raise NotProved(f"{text(path)} is damaged: {error}") from error
        if facts.ehdr.machine != self._program.facts.ehdr.machine:
            raise NotProved(f"musl maps {text(path)} although it is for {facts.ehdr.machine_name}")
        loads = [phdr for phdr in facts.phdrs if phdr.type == PT_LOAD]
        if facts.dynamic_at is None:
            return None, "ENOEXEC"
        if not loads:
            raise NotProved(f"{text(path)} has no loadable segment")
        if any(phdr.filesz and phdr.offset + phdr.filesz > facts.size for phdr in loads):
            raise NotProved(f"{text(path)} ends inside a segment: the program may die by SIGBUS")
        return facts, ""

    def _is_a_libc(self, node: Node, facts: ElfFacts) -> bool:
        """A C library that was found by name is dropped for musl itself: the two symbols tell."""
        from imagepeel.formats.elf.symbols import SymbolTable  # start time

        table = SymbolTable(self._files.file(node).read, facts)
        return table.defines(b"__libc_start_main") and table.defines(b"stdin")


def follow_musl(files: Files, program: Program, build: LoaderBuild, node: Node, options: LoaderOptions) -> LoaderResult:
    """Run musl's loading algorithm for a program.

    `build` is what `identify_loader` read from the loader file `node`.  Missing libraries and, with
    `options.symbols`, missing symbols are all reported before the linker exits with 127, as the real one does.
    """
    unknown: list[str] = []
    run = Musl(files, program, build, node, options)
    failure: Failure | None = None
    try:
        run.run()
        lines = list(run.errors)
        missing_symbols: list[str] = []
        if options.symbols:
            from imagepeel.process.loader.symbols import check_musl  # start time

            missing_symbols = check_musl([(dso.name, dso.file, dso.facts) for dso in run.chain], run.loader.name)
            lines += missing_symbols
        if lines:
            about = run.missing[0] if run.missing else missing_symbols[0].split(": ")[1]
            what = "a library is missing" if run.missing else "a symbol is missing"
            failure = gives_up(
                FailureCode.LIBRARY_MISSING_MUSL if run.missing else FailureCode.SYMBOL_MISSING,
                lines,
                127,
                about=about,
                why=f"{what}: {about}",
            )
    except NotProved as reason:
        unknown.append(str(reason))
    except Malformed as error:
        unknown.append(f"a library is damaged: {error}")
    return LoaderResult(
        family="musl",
        loader=text(program.interp),
        libraries=tuple(run.libraries),
        failure=None if unknown else failure,
        unknown=tuple(unknown),
    )
