"""Symbols at start: which reference would not be found, and how each loader says so (`dl-lookup.c`, `dynlink.c`)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from imagepeel.errors import Malformed
from imagepeel.evidence import text
from imagepeel.formats.elf.file import ElfFacts
from imagepeel.formats.elf.symbols import STB_LOCAL, STB_WEAK, Links, SymbolTable, usable
from imagepeel.process.loader.common import LoadedFile, gives_up
from imagepeel.process.spec.failure import Failure, FailureCode

Object = tuple[bytes, LoadedFile, ElfFacts]
"""(name as the loader prints it, file, facts); the program's name is b"" for glibc."""

_MAX_LOOKUPS = 500_000
_HIDDEN = 0x8000


class _Assertion(Exception):
    """glibc stops itself: an object without version table answers for the file that a version names."""


class _Scope:
    """The global scope: every object in load order."""

    def __init__(self, objects: Iterable[Object]) -> None:
        links = Links()
        self.tables = [(name, SymbolTable(file.read, facts, links), facts) for name, file, facts in objects]
        self.lookups = 0
        self.last = 0
        self.named: dict[bytes, int] = {}
        """Name of a library -> the first object of that name, where it has a version table."""
        for position, (_, table, facts) in enumerate(self.tables):
            if facts.soname is not None and table.versioned:
                self.named.setdefault(facts.soname.value, position)
        self.found: set[tuple[bytes, bool]] = set()
        """Names that musl finds, and whether for a copy."""
        self.answers: dict[tuple[bytes, bytes | None, bytes], bool] = {}
        self._versions: dict[int, dict[int, bytes]] = {}
        self._files: dict[int, dict[int, bytes]] = {}

    def count(self, lookups: int = 1) -> None:
        self.lookups += lookups
        if self.lookups > _MAX_LOOKUPS:
            raise Malformed(f"more than {_MAX_LOOKUPS} symbol look-ups")

    def version_names(self, facts: ElfFacts) -> dict[int, bytes]:
        """Version index to name: required and defined versions share one numbering."""
        known = self._versions.get(id(facts))
        if known is None:
            known = {version.index & 0x7FFF: version.name for need in facts.verneed for version in need.versions}
            known.update({item.index & 0x7FFF: item.name for item in facts.verdef if not item.flags & 1})
            self._versions[id(facts)] = known
        return known

    def version_files(self, facts: ElfFacts) -> dict[int, bytes]:
        """Version index to the library that the requirement names."""
        known = self._files.get(id(facts))
        if known is None:
            known = {version.index & 0x7FFF: need.file for need in facts.verneed for version in need.versions}
            self._files[id(facts)] = known
        return known


def _matches(scope: _Scope, position: int, name: bytes, version: bytes | None, file: bytes) -> bool:
    """glibc's `check_match` over the symbols of one object; `file` is the library that the version names."""
    path, table, facts = scope.tables[position]
    newest = 0
    for symbol in table.find(name):
        if not usable(symbol):
            continue
        if not table.versioned:
            own_names = (path.rsplit(b"/", 1)[-1], facts.soname.value if facts.soname is not None else b"")
            if version is not None and file in own_names:
                raise _Assertion(text(path))
            return True
        number = symbol.version & 0x7FFF
        if version is not None:
            own = scope.version_names(facts).get(number)
            if own == version or (own is None and not symbol.version & _HIDDEN):
                return True
        elif number < 3:
            return True
        elif not symbol.version & _HIDDEN:
            newest += 1
    return newest == 1


def check_glibc(objects: list[Object], program: str, bind_now: bool, warnings: list[str]) -> tuple[Failure | None, str]:
    """Look up what glibc looks up before the first instruction.

    `objects` in search order, the program first with the name b""; `program` is argv[0]; `bind_now` the variable
    LD_BIND_NOW.  Returns (failure, reason of doubt): a function that is missing but only
    looked up when it is called first is a doubt, not a failure.
    """
    scope = _Scope(objects)
    doubt = ""
    try:
        # glibc relocates the last object first, so that copy relocations of the program win.
        for position in range(len(scope.tables) - 1, -1, -1):
            name, table, facts = scope.tables[position]
            lazy = not bind_now and not facts.bind_now
            names = scope.version_names(facts)
            for reference in table.asked():
                symbol = reference.symbol
                number = symbol.version & 0x7FFF
                version = names.get(number) if number > 1 else None
                file = scope.version_files(facts).get(number, b"")
                if _found(scope, symbol.name, version, file, position if reference.copy else None):
                    continue
                shown = text(name) if name else program
                if reference.plt and lazy:
                    doubt = doubt or f"{shown} lacks the function {text(symbol.name)} and dies when it calls it"
                    continue
                tail = f", version {text(version)}" if version is not None else ""
                line = f"{program}: symbol lookup error: {shown}: undefined symbol: {text(symbol.name)}{tail}"
                failure = gives_up(
                    FailureCode.SYMBOL_MISSING,
                    [*warnings, line],
                    127,
                    about=text(symbol.name),
                    why=f"no library of the image defines {text(symbol.name)}, which {shown} needs",
                )
                return failure, ""
    except _Assertion as error:
        return None, f"a version of {error} is asked for and it has no version table: the loader asserts"
    except Malformed as error:
        return None, f"the symbols cannot be checked: {error}"
    return None, doubt


def _found(scope: _Scope, name: bytes, version: bytes | None, file: bytes, skip: int | None) -> bool:
    if skip is None:
        known = scope.answers.get((name, version, file))
        if known is None:
            known = scope.answers[(name, version, file)] = _search(scope, name, version, file, None)
        return known
    return _search(scope, name, version, file, skip)


def _search(scope: _Scope, name: bytes, version: bytes | None, file: bytes, skip: int | None) -> bool:
    # Only whether any object answers is asked, so the one that the version names is asked first, and then the one
    # that answered last (mostly libc).
    named = scope.named.get(file) if version is not None else None
    for position in chain((scope.last,) if named is None else (named, scope.last), range(len(scope.tables))):
        if position == skip:
            continue
        scope.count()
        if _matches(scope, position, name, version, file):
            scope.last = position
            return True
    return False


def check_musl(objects: list[Object], loader: bytes) -> list[str]:
    """The lines that musl prints for symbols that it does not find; empty when all are there.

    `objects` in load order, the program first; `loader` the name of the linker, which is not relocated again.
    musl has no lazy binding and knows no symbol versions, except that hidden ones are passed over.
    Raises `Malformed` when a table lies outside its file.
    """
    scope = _Scope(objects)
    lines: list[str] = []
    for name, table, _ in [*scope.tables[1:], *scope.tables[:1]]:
        if name == loader:
            continue
        lacking = _lacking(scope, table)
        if not lacking:
            continue
        references = list(table.references())
        # do_relocs() takes DT_JMPREL first.
        for reference in [*(item for item in references if item.plt), *(item for item in references if not item.plt)]:
            symbol = reference.symbol
            if symbol.bind == STB_LOCAL or (symbol.shndx == 0 and symbol.bind == STB_WEAK):
                continue
            if (symbol.name, reference.copy) in lacking:
                lines.append(f"Error relocating {text(name)}: {text(symbol.name)}: symbol not found")
    return lines


def _lacking(scope: _Scope, table: SymbolTable) -> set[tuple[bytes, bool]]:
    """Return what a file asks for and no object defines: names, and whether for a copy, which passes the program by."""
    asked = set(table.names_asked()) - scope.found
    lacking: set[tuple[bytes, bool]] = set()
    for wanted in (False, True):
        left = [name for name, copy in asked if copy is wanted]
        for _, other, _ in scope.tables[wanted:]:
            if not left:
                break
            scope.count(len(left))
            left = other.lacks(left)
        lacking.update((name, wanted) for name in left)
    scope.found |= asked - lacking
    return lacking
