"""Write the filesystem of a view into a directory, and nothing outside of it: see `docs/explanation/extract.md`."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec

from imagepeel.archive.source import Progress
from imagepeel.errors import LimitExceeded, Malformed, MissingBlob, Unsupported, UsageError
from imagepeel.evidence import Location, Name, text
from imagepeel.export.collisions import check_names, folds_names
from imagepeel.export.escaping import escaping
from imagepeel.export.handles import Handles, open_root, require_handles
from imagepeel.export.plan import Plan, make_plan
from imagepeel.export.report import ExtractReport, Omissions
from imagepeel.export.writer import Writer
from imagepeel.text import plural

if TYPE_CHECKING:
    from imagepeel.limits import Limits
    from imagepeel.rootfs.view import Rootfs

MARKER = b".imagepeel-partial"
"""The file inside the directory that says "this tree is incomplete"; it is removed at the very end."""

MOST_LISTED = 1000
"""Links that lead out of the directory and are listed by name; the report counts all."""

_MARKER_TEXT = (
    b"This directory is incomplete: imagepeel extract is still writing it, was interrupted or failed.\n"
    b"Remove the directory and extract again.\n"
)


def materialize(
    rootfs: Rootfs,
    directory: str | os.PathLike[str],
    *,
    preserve: bool = False,
    best_effort: bool = False,
    check_case: bool = False,
    escaping_links: bool = True,
    top: Name = b"/",
    limits: Limits | None = None,
    progress: Progress | None = None,
) -> ExtractReport:
    """Write the tree of a view into `directory`, which must be absent or empty, and say what was left out.

    `top` is the directory of the image whose content is written, and its own mode is that of `directory`; what has a
    second name outside of it becomes a file of its own.

    By default nothing is written that could act on this machine: no owners but the caller's, no devices, no
    set-uid or set-gid bits, no extended attributes.  `preserve` keeps all of them and needs root.
    `best_effort` writes a tree that a runtime would refuse to unpack, or that lacks a layer, as far as it is known.
    `check_case` refuses names that differ only in case even where this filesystem tells them apart.  Without
    `escaping_links`, symbolic links that lead out of the directory are left out.  `limits`
    replaces those of the archive; `progress` gets counts of content bytes as they are written.

    The directory holds `.imagepeel-partial` and has mode 0700 until all is done.  NotFound when `top` is no directory
    of the view; UsageError when the directory is in use, when root is missing for `preserve`, and when names would fall
    together; Malformed for a refused image and for bytes that changed since they were verified; MissingBlob for an
    incomplete one; LimitExceeded past `Limits.disk_bytes`, before anything is written; OSError for what this machine
    refuses.
    """
    require_handles()
    if preserve and os.geteuid() != 0:
        raise UsageError(
            "keeping owners, devices and set-uid bits needs root",
            hint="run it as root on a machine made for that, or leave out --preserve",
        )
    check_whole(rootfs, best_effort=best_effort)
    omissions = Omissions()
    plan = make_plan(rootfs, omissions, preserve=preserve, top=top)
    outside = escaping(plan, omissions, drop=not escaping_links)
    most = (limits or rootfs.limits).disk_bytes
    if plan.bytes > most:
        raise LimitExceeded(
            f"the tree has {plural(plan.bytes, 'byte')} of content, more than the {most} allowed",
            hint="raise Limits.disk_bytes if you trust the image",
        )
    if check_case:
        check_names(plan)
    target = os.fspath(directory)
    there = os.path.lexists(target)
    try:
        _prepare(target)
        root = open_root(target)
        try:
            report = _write(
                rootfs, target, root, plan, omissions, preserve=preserve, best_effort=best_effort, progress=progress
            )
        finally:
            os.close(root)
    except BaseException:
        if not there:
            with suppress(OSError):  # what has been written into it stays, and is marked
                os.rmdir(target)
        raise
    return msgspec.structs.replace(report, escaping_links=len(outside), escaping=tuple(outside[:MOST_LISTED]))


def check_whole(rootfs: Rootfs, *, best_effort: bool) -> None:
    """Raise, before anything is written, where a view is not the whole filesystem that an engine would make.

    Malformed for a view that a runtime refuses, and what `check_known` raises; `best_effort` takes what is there.
    """
    refusal = rootfs.refusal
    if refusal is not None and not best_effort:
        other = "" if rootfs.view == "spec" else ", or --view spec where that accepts it"
        raise Malformed(
            f"the {rootfs.name} view refuses to unpack this image: {refusal.reason}",
            Location(layer=refusal.layer, entry=refusal.entry, layer_offset=refusal.offset, path=refusal.path or None),
            f"take the tree without the refused entries with --best-effort{other}",
        )
    check_known(rootfs, best_effort=best_effort)


def check_known(rootfs: Rootfs, *, best_effort: bool = False) -> None:
    """Raise MissingBlob where the manifest, the config or a layer of the image is not here or cannot be read.

    Unsupported for an artifact, which has no file system.
    `best_effort` takes what is there; where nobody knows the layers that is nothing, and nothing is not written.
    """
    known = rootfs.knowledge
    if known.artifact:
        raise Unsupported(f"it is {known.artifact}", hint="see its parts with imagepeel layers")
    if known.whole or (best_effort and known.layer_list):
        return
    other = ", or take what is there with --best-effort" if known.layer_list else ""
    raise MissingBlob(
        f"the image is not whole: {known.why()}", hint=f"save or copy the image again with all its parts{other}"
    )


def _prepare(target: str) -> None:
    """Make the directory, or see that it is an empty one."""
    try:
        os.makedirs(target, 0o700)
    except FileExistsError:
        pass
    else:
        return
    if os.path.islink(target) or not os.path.isdir(target):
        what = "a symbolic link" if os.path.islink(target) else "no directory"
        raise UsageError(f"{target} is {what}", hint="name a directory that does not exist yet")
    names = os.listdir(os.fsencode(target))
    if any(name.startswith(MARKER) for name in names):
        raise UsageError(
            f"{target} holds an extraction that was interrupted", hint="remove that directory and run the command again"
        )
    if names:
        raise UsageError(f"{target} is not empty", hint="name a directory that does not exist yet")


def _write(
    rootfs: Rootfs,
    target: str,
    root: int,
    plan: Plan,
    omissions: Omissions,
    *,
    preserve: bool,
    best_effort: bool,
    progress: Progress | None,
) -> ExtractReport:
    # Nobody else may enter while the tree is written: a stranger could move directories about under our hands.
    before = os.fstat(root).st_mode & 0o7777
    marker = _marker_name(plan)
    try:
        os.fchmod(root, 0o700)
        _mark(root, marker)
        if folds_names(root, marker):
            check_names(plan)
        _check_space(root, plan)
    except BaseException:
        with suppress(OSError):  # it could not be made
            os.unlink(marker, dir_fd=root)
        with suppress(OSError):
            os.fchmod(root, before)
        raise
    with Handles(root) as handles:
        writer = Writer(rootfs, handles, omissions, preserve=preserve, progress=progress)
        writer.write(plan)
        try:
            os.unlink(marker, dir_fd=root)
            writer.finish_root(plan.root)
        except BaseException:
            # The directory itself has not all it should have, and its own mode may forbid what is written here.
            with suppress(OSError):
                os.fchmod(root, 0o700)
                _put(root, marker)
            raise
    return ExtractReport(
        directory=target,
        view=rootfs.view,
        preserve=preserve,
        best_effort=best_effort and (rootfs.refusal is not None or not rootfs.complete),
        directories=len(plan.directories),
        files=len(plan.files),
        hardlinks=len(plan.links),
        symlinks=plan.symlinks,
        devices=plan.devices,
        fifos=plan.fifos,
        bytes=writer.bytes,
        hole_bytes=writer.hole_bytes,
        omissions=omissions.result(),
    )


def _marker_name(plan: Plan) -> bytes:
    """Return a name for the marker that the image itself does not use."""
    name, number = MARKER, 1
    while name in plan.top:
        number += 1
        name = MARKER + b"-%d" % number
    return name


def _mark(root: int, name: bytes) -> None:
    _put(root, name)
    if len(os.listdir(root)) != 1:
        raise OSError(errno.ENOTEMPTY, "somebody else is writing into the directory", text(name))


def _put(root: int, name: bytes) -> None:
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=root)
    try:
        os.write(descriptor, _MARKER_TEXT)
    finally:
        os.close(descriptor)


def _check_space(root: int, plan: Plan) -> None:
    space = os.fstatvfs(root)
    free = space.f_bavail * space.f_frsize
    if plan.bytes > free:
        raise UsageError(
            f"the tree needs {plural(plan.bytes, 'byte')} and the filesystem has {free} free",
            hint="extract to another filesystem",
        )
