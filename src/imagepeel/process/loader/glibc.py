"""glibc's `ld.so`: search order, checks and texts of `elf/dl-load.c`, `dl-deps.c` and `dl-version.c`.

Theory of operation.  `Glibc` plays one run of the loader over the files of the image.  `objects` is the loader's list
of link maps.  The program stands first; preloads follow, then, breadth first, what each object needs.

1. `_map` (`_dl_map_object`) resolves one name.  An object that answers to it already (by name, path or soname) is
   taken; else `glibc_search.py` looks for a file, and a file whose inode is loaded already is that object under a new
   name.
2. `_versions` (`_dl_check_map_versions`) compares the symbol versions that each object asks for with those that the
   libraries define.  `symbols.check_glibc` then looks the symbols up.

A `Fatal` becomes the failure, with glibc's text and exit code 127.  `NotProved` ends the run where the image does not
prove what comes next, such as $PLATFORM: the result then says so and has no failure.  What only the CPU decides goes
into `depends`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from imagepeel.errors import Malformed
from imagepeel.evidence import text
from imagepeel.formats.elf.file import ElfFacts, HeadersCut
from imagepeel.formats.elf.header import ET_DYN, ET_EXEC, PT_LOAD
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
from imagepeel.process.loader.glibc_search import Fatal, GlibcSearch
from imagepeel.process.loader.glibc_text import strerror
from imagepeel.process.loader.link_map import LinkMap
from imagepeel.process.spec.failure import Failure, FailureCode
from imagepeel.process.spec.values import Candidate
from imagepeel.tables import MACHINES

if TYPE_CHECKING:
    from imagepeel.rootfs.tree.inode import Node

_MAX_OBJECTS = 1_000
_DF_1_PIE = 0x08000000
_UNPROVED_ENV = {
    "LD_AUDIT": "LD_AUDIT loads code that may redirect every library",
    "LD_TRACE_LOADED_OBJECTS": "LD_TRACE_LOADED_OBJECTS makes the loader list libraries and start nothing",
}


class _Missing(Fatal):
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
        self._search = GlibcSearch(files, program, build, options, main)

    @property
    def depends(self) -> list[str]:
        """What only the CPU decides."""
        return self._search.depends

    # -- the run ---------------------------------------------------------------------------------------------

    def run(self) -> Failure | None:
        """Load everything; the failure that stops the program, or None."""
        try:
            self._preload()
            self._load_all()
        except Fatal as fatal:
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
                    raise NotProved(f"{self._search.shown(item)} has {label}, whose effect is not modelled")
            for needed in facts.needed:
                found = self._map(self._search.expand(needed.value, item), item)
                if id(found) not in seen:
                    seen.add(id(found))
                    queue.append(found)

    # -- one library -----------------------------------------------------------------------------------------

    def _map(self, name: bytes, item: LinkMap, where: str = "") -> LinkMap:
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
        candidates: list[Candidate] = []
        found, source = self._search.find(name, item, candidates)
        requester = where or self._search.shown(item)
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
            if self._search.other_class:
                other = 64 if self._program.facts.ehdr.bits == 32 else 32
                raise Fatal(name, f"wrong ELF class: ELFCLASS{other}")
            raise _Missing(name, "cannot open shared object file", self._search.errno)
        path, real, node = found.path, found.real, found.node
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
        item: LinkMap,
        found: LinkMap,
        *,
        source: str,
        candidates: list[Candidate],
        where: str,
    ) -> None:
        self.libraries.append(
            Library(
                name=text(name),
                requested_by=where or self._search.shown(item),
                path=text(found.path),
                real=text(found.real),
                source=source,
                candidates=tuple(candidates),
            )
        )

    def _admit(self, name: bytes, path: bytes, real: bytes, node: Node, item: LinkMap) -> LinkMap:
        """`_dl_map_object_from_fd`: map the segments of a file whose header was accepted.

        From here on the loader's messages name the library as it was asked for, not the path.
        """
        try:
            facts = self._files.facts(node)
        except HeadersCut as error:
            raise Fatal(path, "cannot read file data") from error
        except Malformed as error:
            raise NotProved(f"{text(path)} is damaged: {error}") from error
        loads = [phdr for phdr in facts.phdrs if phdr.type == PT_LOAD]
        if not loads:
            raise Fatal(name, "object file has no loadable segments")
        for phdr in loads:
            if phdr.align & 0xFFF or (phdr.vaddr - phdr.offset) & 0xFFF:
                raise NotProved(f"{text(path)} has a segment that is not aligned to pages")
            if phdr.filesz and phdr.offset + phdr.filesz > facts.size:
                raise NotProved(f"{text(path)} ends inside a segment: the program may die by SIGBUS")
        if facts.dynamic_at is None:
            if facts.ehdr.type == ET_DYN:
                raise Fatal(name, "object file has no dynamic section")
            raise NotProved(f"{text(path)} is an executable without a dynamic section")
        if facts.ehdr.type == ET_EXEC:
            raise Fatal(name, "cannot dynamically load executable")
        if facts.flags_1 & _DF_1_PIE:
            raise Fatal(name, "cannot dynamically load position-independent executable")
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
                self._map(self._search.expand(name, self.main), self.main, where)
            except Fatal as fatal:
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
            shown = self._search.shown(item)
            for need in item.facts.verneed:
                provider = next((known for known in (*self.objects, self.rtld) if known.answers(need.file)), None)
                if provider is None or provider.facts is None:
                    raise NotProved(f"{shown} requires versions of {text(need.file)}, which it does not need")
                who = self._search.shown(provider)
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
