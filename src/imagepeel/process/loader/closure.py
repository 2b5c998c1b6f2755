"""The loader's work for one program: which loader it is, and what that one does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from imagepeel.errors import ImagepeelError, LimitExceeded, Malformed
from imagepeel.evidence import raw, text
from imagepeel.formats.elf.file import ElfFacts
from imagepeel.formats.elf.header import is_elf
from imagepeel.process.loader.common import LOADER_BYTES, Files, LoaderOptions, LoaderResult, Program, identify_loader
from imagepeel.process.loader.glibc import follow_glibc
from imagepeel.process.loader.musl import follow_musl

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
    try:
        return _closure(Files(rootfs, options), raw(path), options)
    except LimitExceeded as error:
        return LoaderResult(family="unknown", unknown=(f"a bound was reached: {error}",))
    except ImagepeelError as error:
        return LoaderResult(family="unknown", unknown=(str(error),))


def _closure(files: Files, path: bytes, options: LoaderOptions) -> LoaderResult:
    # The kernel, not the process, opens the program and its loader: read permission does not matter here.
    found = files.rootfs.resolve(path, cwd=options.cwd)
    if found.node is None or not found.node.is_file:
        return LoaderResult(family="unknown", unknown=(f"{text(path)} is no file of the image",))
    head = files.file(found.node).read(0, 64)
    if not is_elf(head):
        return LoaderResult(family="unknown", unknown=(f"{text(path)} is no ELF file",))
    facts = files.facts(found.node)
    if facts.interp is None:
        return LoaderResult(family="static")
    loader = files.rootfs.resolve(facts.interp, cwd=options.cwd)
    if loader.node is None or not loader.node.is_file:
        return LoaderResult(
            family="unknown",
            loader=text(facts.interp),
            unknown=(f"the loader {text(facts.interp)} is not in the image: the kernel refuses the program",),
        )
    loader_file = files.file(loader.node)
    content = loader_file.read(0, LOADER_BYTES)
    try:
        loader_facts: ElfFacts | None = files.facts(loader.node)
    except Malformed:
        loader_facts = None
    build = identify_loader(content, loader_facts)
    program = Program(path=path, real=found.path, node=found.node, facts=facts, interp=facts.interp, loader=loader.path)
    if build.family == "glibc":
        return follow_glibc(files, program, build, loader.node, options)
    if build.family == "musl":
        return follow_musl(files, program, build, loader.node, options)
    return LoaderResult(family="unknown", loader=text(facts.interp), unknown=(build.why,))
