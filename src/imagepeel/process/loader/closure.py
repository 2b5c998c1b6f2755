"""The loader's work for one program: which loader it is, and what that one does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from imagepeel.errors import ImagepeelError, LimitExceeded
from imagepeel.evidence import raw, text
from imagepeel.formats.elf.header import is_elf
from imagepeel.process.loader.common import Files, FileStore, LoaderOptions, LoaderResult, Program

if TYPE_CHECKING:
    from imagepeel.rootfs.tree.inode import Node
    from imagepeel.rootfs.view import Rootfs


def closure(
    rootfs: Rootfs,
    path: bytes | str,
    *,
    env: Mapping[str, str],
    secure: bool = False,
    cwd: bytes | str = b"/",
    argv0: str | None = None,
    execfn: str | None = None,
    hwcaps: Sequence[str] = (),
    may_read: Callable[[Node], bool] | None = None,
    symbols: bool = True,
) -> LoaderResult:
    """Follow the dynamic loader for one executable of the image.

    `path` is the ELF file of the last exec round, as the kernel was given it.  `env`, `secure` (set-uid or file
    capabilities), `cwd`, `argv0` (default: `path`) and `execfn` (path of the first round, default: `path`) are what
    the process starts with; `hwcaps` the glibc-hwcaps subdirectories of the CPU, best first.  `may_read` limits
    what the process can open; `symbols` also checks that symbols looked up at start exist.
    Returns the libraries in load order and, where it is proved, the loader's failure with its exact text.
    Never raises for what the image holds: damaged files end in `unknown`.
    """
    options = LoaderOptions(
        env=env,
        secure=secure,
        cwd=raw(cwd),
        argv0=text(path) if argv0 is None else argv0,
        execfn=text(path) if execfn is None else execfn,
        hwcaps=tuple(hwcaps),
        may_read=may_read,
        symbols=symbols,
    )
    return _guarded(Files(rootfs, options, FileStore()), raw(path), options)


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a loader does, and all that the answer rests on besides the start and the content of files."""

    result: LoaderResult
    rootfs: Rootfs
    tops: frozenset[bytes]
    """The directories right below the root that it looked into."""
    read: tuple[tuple[Node, bool], ...]
    """The files that it opened, and whether it was allowed to."""

    def holds(self, rootfs: Rootfs, may_read: Callable[[Node], bool]) -> bool:
        """Whether it is true for another filesystem of the same files, and a process of other rights."""
        if rootfs is not self.rootfs:
            covered = {path.split(b"/", 2)[1] for path in (*self.rootfs.covers, *rootfs.covers)}
            if not self.tops.isdisjoint(covered):
                return False
        return all(may_read(node) == allowed for node, allowed in self.read)


class Closures:
    """What loaders do with the programs of one set of files: engines that start a program alike share the answer."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], list[_Answer]] = {}
        self._store = FileStore()

    def follow(
        self, rootfs: Rootfs, path: str, options: LoaderOptions, may_read: Callable[[Node], bool]
    ) -> LoaderResult:
        """Return what `closure` does for a start; `options.may_read` is not looked at."""
        # All that a loader reads of the environment.
        env = {name: value for name, value in options.env.items() if name.startswith(("LD_", "GLIBC_"))}
        key = (path, options.secure, options.cwd, options.argv0, options.execfn, tuple(sorted(env.items())))
        answers = self._known.setdefault(key, [])
        for answer in answers:
            if answer.holds(rootfs, may_read):
                return answer.result
        read: dict[int, tuple[Node, bool]] = {}

        def noted(node: Node) -> bool:
            allowed = may_read(node)
            read[id(node)] = (node, allowed)
            return allowed

        asked = msgspec.structs.replace(options, env=env, may_read=noted)
        files = Files(rootfs, asked, self._store)
        result = _guarded(files, raw(path), asked)
        answer = _Answer(result=result, rootfs=rootfs, tops=frozenset(files.tops), read=tuple(read.values()))
        answers.append(answer)
        return result


def _guarded(files: Files, path: bytes, options: LoaderOptions) -> LoaderResult:
    try:
        return _closure(files, path, options)
    except LimitExceeded as error:
        return LoaderResult(family="unknown", unknown=(f"a bound was reached: {error}",))
    except ImagepeelError as error:
        return LoaderResult(family="unknown", unknown=(str(error),))


def _closure(files: Files, path: bytes, options: LoaderOptions) -> LoaderResult:
    # The kernel, not the process, opens the program and its loader: read permission does not matter here.
    found = files.resolve(path)
    if found.node is None or not found.node.is_file:
        return LoaderResult(family="unknown", unknown=(f"{text(path)} is no file of the image",))
    head = files.file(found.node).read(0, 64)
    if not is_elf(head):
        return LoaderResult(family="unknown", unknown=(f"{text(path)} is no ELF file",))
    facts = files.facts(found.node)
    if facts.interp is None:
        return LoaderResult(family="static")
    loader = files.resolve(facts.interp)
    if loader.node is None or not loader.node.is_file:
        return LoaderResult(
            family="unknown",
            loader=text(facts.interp),
            unknown=(f"the loader {text(facts.interp)} is not in the image: the kernel refuses the program",),
        )
    build = files.build(loader.node)
    program = Program(path=path, real=found.path, node=found.node, facts=facts, interp=facts.interp, loader=loader.path)
    if build.family == "glibc":
        from imagepeel.process.loader.glibc import follow_glibc  # start time

        return follow_glibc(files, program, build, loader.node, options)
    if build.family == "musl":
        from imagepeel.process.loader.musl import follow_musl  # start time

        return follow_musl(files, program, build, loader.node, options)
    return LoaderResult(family="unknown", loader=text(facts.interp), unknown=(build.why,))
