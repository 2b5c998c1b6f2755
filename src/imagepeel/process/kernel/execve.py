"""S7: `execve` as the kernel carries it out, round by round: shebang, ELF, loader, capabilities.

The identity does not change between the rounds: interpreters and loaders are opened by the user who called, with
the capabilities it had; only the program that finally starts has the new ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from imagepeel.errors import ImagepeelError, Malformed
from imagepeel.evidence import Location, raw, text
from imagepeel.formats.elf.header import KernelView, is_elf, kernel_view, parse_ehdr
from imagepeel.formats.filecaps import XATTR, FileCaps, mask_of, parse_filecaps
from imagepeel.formats.shebang import BUFFER, MAX_NESTING, parse_shebang
from imagepeel.process.spec import trace
from imagepeel.process.spec.access import EXECUTE, Actor, check_access, permits
from imagepeel.process.spec.values import Step
from imagepeel.tables import compat_need, number_name

if TYPE_CHECKING:
    from imagepeel.rootfs.tree.inode import Node
    from imagepeel.rootfs.view import Rootfs

STRING_MAX = 128 * 1024
"""Bytes of one argument or variable, its NUL included, from which execve says E2BIG (MAX_ARG_STRLEN, 4 KiB pages)."""

ROOM_MAX = 2 * 1024 * 1024
"""Bytes of all arguments and variables under the usual 8 MiB stack limit (a quarter of it)."""


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """A script of the chain: who reads it and what the kernel took from its first line."""

    path: str
    interpreter: str
    argument: str | None
    canonical: bytes


class ExecveResult(msgspec.Struct, frozen=True, kw_only=True):
    """The end of an execve: either `errno` with the failure's row, or the program that starts.

    `final` is the canonical path of the ELF program (`last`: as it was asked for), `argv` its vector, `view` its ELF
    header as the kernel saw it, `loader` the path of PT_INTERP (None: static), `scripts` the scripts on the way,
    outermost first.  `privileged` means a changed identity (setuid, setgid or file capabilities), then `euid` and
    `egid` say which; `depends` names host facts.
    """

    steps: tuple[Step, ...]
    path: str
    errno: str = ""
    id: str = ""
    why: str = ""
    fix: str = ""
    final: bytes | None = None
    argv: tuple[str, ...] = ()
    last: str = ""
    architecture: str = ""
    view: KernelView | None = None
    loader: str | None = None
    loader_path: bytes | None = None
    scripts: tuple[Script, ...] = ()
    privileged: bool = False
    euid: int | None = None
    egid: int | None = None
    depends: tuple[str, ...] = ()
    unknown: str = ""
    where: Location | None = None


class ExecveRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request: which file, with what, by whom, on which kernel."""

    path: str
    argv: tuple[str, ...]
    env: tuple[str, ...]
    actor: Actor
    cwd: str
    architecture: str
    bounding: tuple[str, ...]
    no_new_privileges: bool = False
    uid: int = 0
    held: tuple[str, ...] = ()


class _Failure(Exception):
    def __init__(
        self, errno: str, row: str, why: str, fix: str = "", where: Location | None = None, unknown: str = ""
    ) -> None:
        super().__init__(errno)
        self.errno = errno
        self.row = row
        self.why = why
        self.fix = fix
        self.where = where
        self.unknown = unknown


def execute(rootfs: Rootfs, call: ExecveRequest, *, first_round: int = 1) -> ExecveResult:
    """Carry out one execve on the rootfs; never raises for what an image contains."""
    steps: list[Step] = []
    scripts: list[Script] = []
    depends: list[str] = []
    try:
        return _rounds(rootfs, call, first_round, steps, scripts, depends)
    except _Failure as failure:
        return ExecveResult(
            steps=tuple(steps),
            path=call.path,
            errno=failure.errno,
            id=failure.row,
            why=failure.why,
            fix=failure.fix,
            scripts=tuple(scripts),
            depends=tuple(depends),
            where=failure.where,
            unknown=failure.unknown,
            argv=call.argv,
        )
    except ImagepeelError as error:
        return ExecveResult(
            steps=tuple(steps),
            path=call.path,
            scripts=tuple(scripts),
            depends=tuple(depends),
            argv=call.argv,
            unknown=f"{call.path} could not be read: {error.what}",
            where=error.where,
        )


def too_big(argv: Sequence[str], env: Sequence[str]) -> str:
    """Why these strings do not fit into an execve; empty when they do."""
    total = 0
    for kind, strings in (("argument", argv), ("environment variable", env)):
        for index, string in enumerate(strings):
            size = len(raw(string)) + 1
            total += size + 8
            if size > STRING_MAX:
                return f"{kind} {index} is {size - 1} bytes long; the kernel takes {STRING_MAX - 1} at most"
    if total > ROOM_MAX:
        return f"arguments and environment take {total} bytes; {ROOM_MAX} fit under an 8 MiB stack limit"
    return ""


def _rounds(
    rootfs: Rootfs, call: ExecveRequest, first: int, steps: list[Step], scripts: list[Script], depends: list[str]
) -> ExecveResult:
    path, argv = call.path, list(call.argv)
    big = too_big(argv, call.env)
    for depth in range(MAX_NESTING + 2):
        number = first + depth
        request = trace.execve(path, argv, len(call.env))
        if depth and len(scripts) > MAX_NESTING:
            why = f"the sixth script in a row: the kernel follows {MAX_NESTING}"
            steps.append(_step(rootfs, number, path, request, "ELOOP", f"{path} is refused", (why,)))
            raise _Failure("ELOOP", "F26", why, "name the final interpreter in the first line")
        node, canonical = _open(rootfs, call, path, depth, number, request, steps, scripts)
        if big and not depth:
            steps.append(_step(rootfs, number, path, request, "E2BIG", "too many bytes", (big,)))
            raise _Failure("E2BIG", "F28", big, "pass the data in a file")
        place = trace.locate(rootfs, canonical)
        head = rootfs.read(canonical, 0, BUFFER)
        line = parse_shebang(head)
        if line is not None:
            interpreter = text(line.interpreter)
            if not line.ok:
                hints = (trace.LOOK_AT_FIRST_LINE,)
                steps.append(
                    _step(
                        rootfs,
                        number,
                        path,
                        request,
                        "ENOEXEC",
                        f"{path} starts with #!, and the line is not usable",
                        (line.reason,),
                        hints=hints,
                    )
                )
                row = "F26" if line.truncated else "F22"
                raise _Failure("ENOEXEC", row, line.reason, "write one absolute path after #!", place)
            argument = None if line.argument is None else text(line.argument)
            scripts.append(Script(path=path, interpreter=interpreter, argument=argument, canonical=canonical))
            detail = [f"its first line names {trace.quote(interpreter)}"]
            if argument is not None:
                detail.append(f"and passes it one argument: {trace.quote(argument)}")
            if line.carriage_return:
                detail.append("the line ends in CR LF: the CR is part of that name")
            if line.truncated:
                detail.append("the line is longer than 255 bytes: its argument is cut off")
            steps.append(
                _step(
                    rootfs,
                    number,
                    path,
                    request,
                    "ok",
                    f"{path} is a script",
                    tuple(detail),
                    hints=(trace.LOOK_AT_FIRST_LINE,),
                )
            )
            argv = [text(word) for word in line.argv(raw(path), tuple(raw(word) for word in argv[1:]))]
            path = interpreter
            continue
        if not is_elf(head):
            _refuse_text(rootfs, path, head, node, number, request, steps, place)
        return _program(rootfs, call, path, canonical, node, argv, number, request, steps, scripts, depends)
    raise _Failure("ELOOP", "F26", "too many scripts in a row")


def _step(
    rootfs: Rootfs,
    number: int,
    path: str,
    request: str,
    outcome: str,
    title: str,
    detail: tuple[str, ...] = (),
    hints: tuple[str, ...] = (),
) -> Step:
    return Step(
        rule="S7",
        judge="J3",
        round=number,
        call=request,
        outcome=outcome,
        title=title,
        detail=detail,
        path=path,
        where=trace.locate(rootfs, path),
        inspect=hints,
    )


def _open(
    rootfs: Rootfs,
    call: ExecveRequest,
    path: str,
    depth: int,
    number: int,
    request: str,
    steps: list[Step],
    scripts: list[Script],
) -> tuple[Node, bytes]:
    """Open a file for executing, or fail with the row that fits the round."""
    seen = check_access(rootfs, path, call.actor, call.cwd)
    errno, why = seen.errno, ""
    node = seen.node
    script = scripts[-1] if scripts else None
    if not path and script is not None:
        # The kernel opens the empty name, which is the working directory: no regular file.
        why = f"no interpreter is named after #! in {script.path}"
        steps.append(_step(rootfs, number, path, request, "EACCES", "an empty name cannot be executed", (why,)))
        where = trace.locate(rootfs, script.canonical)
        raise _Failure("EACCES", "F22", why, "write one absolute path after #!", where)
    if not errno and node is not None:
        if not node.is_file:
            errno, why = "EACCES", f"{path} is a {node.kind}, not a file"
        elif not permits(node, call.actor, EXECUTE):
            errno, why = "EACCES", f"{path} has mode {node.mode:04o} of {node.uid}:{node.gid}: no execute permission"
    elif errno == "ENOENT":
        why = f"{path} does not exist"
        missing = text(seen.resolution.missing)
        if missing and missing != path:
            why += f" ({missing} is missing)"
    elif errno == "EACCES":
        why = f"{text(seen.blocker)} may not be searched by this user"
    elif errno:
        why = f"{path}: {errno}"
    if not errno and node is not None:
        return node, seen.resolution.path
    steps.append(_step(rootfs, number, path, request, errno, f"{path} cannot be executed", (why,)))
    where = trace.locate(rootfs, script.canonical) if script is not None else trace.locate(rootfs, path)
    if script is None:
        row = {"ENOENT": "F3", "ENOTDIR": "F4", "ELOOP": "F7"}.get(errno, "F5")
        raise _Failure(errno, row, why, "", where)
    interpreter = script.interpreter
    if errno in {"ENOENT", "ENOTDIR", "ENAMETOOLONG", "ELOOP"}:
        if interpreter.endswith("\r"):
            raise _Failure(
                errno,
                "F18",
                f"the first line of {script.path} ends in CR LF: the kernel looks for a file "
                f"called {trace.quote(interpreter)}",
                f"sed -i 's/\\r$//' {script.path}",
                where,
            )
        raise _Failure(
            errno,
            "F19",
            f"{script.path} exists; its interpreter does not: {why}",
            f"install {interpreter.rsplit('/', 1)[-1]} or name an interpreter that is in the image",
            where,
        )
    raise _Failure(errno, "F20", f"the interpreter of {script.path}: {why}", f"chmod +x {interpreter}", where)


def _refuse_text(
    rootfs: Rootfs,
    path: str,
    head: bytes,
    node: Node,
    number: int,
    request: str,
    steps: list[Step],
    place: Location | None,
) -> None:
    if not head:
        why = f"{path} is empty"
    elif head.startswith(b"\xef\xbb\xbf"):
        why = f"{path} starts with a byte order mark; #! must be the first two bytes"
    elif head.lstrip().startswith(b"#!"):
        why = f"{path} has something before #!; it must be the first two bytes"
    else:
        why = f"{path} starts with {trace.quote(text(head[:8]))}: neither #! nor an ELF file"
    steps.append(
        _step(
            rootfs,
            number,
            path,
            request,
            "ENOEXEC",
            f"{path} is no program the kernel knows",
            (why,),
            hints=(trace.LOOK_AT_HEAD,),
        )
    )
    fix = "start the file with #!/bin/sh (a shell runs it without; execve does not)"
    raise _Failure("ENOEXEC", "F22", why, fix, place)


def _program(
    rootfs: Rootfs,
    call: ExecveRequest,
    path: str,
    canonical: bytes,
    node: Node,
    argv: list[str],
    number: int,
    request: str,
    steps: list[Step],
    scripts: list[Script],
    depends: list[str],
) -> ExecveResult:
    place = trace.locate(rootfs, canonical)
    hints = (trace.LOOK_AT_ELF_HEADER, trace.LOOK_AT_PROGRAM_HEADERS)

    def read(offset: int, count: int) -> bytes:
        return rootfs.read(canonical, offset, count)

    view, architecture, need = _view(rootfs, canonical, node, call.architecture)
    if need:
        depends.append(need)
    if view.errno:
        foreign = "machine" in view.reason
        steps.append(
            _step(
                rootfs,
                number,
                path,
                request,
                view.errno,
                f"{path} is an ELF file this kernel refuses",
                (view.reason,),
                hints=hints,
            )
        )
        if foreign:
            built_for = _real_machine(rootfs.read(canonical, 0, 64))
            why = f"{path} is built for {built_for}, the host is {call.architecture}"
            depends.append("no binfmt_misc handler (qemu) on the host")
            fix = f"ship a build for {call.architecture}, or run it on {built_for}"
            raise _Failure(view.errno, "F23", why, fix, place)
        raise _Failure(
            view.errno, "F23", f"{path}: {view.reason}", "copy the program again; it is damaged or no executable", place
        )
    loader_path: bytes | None = None
    loader = None if view.interp is None else text(view.interp)
    detail = [f"an ELF program for {number_name(view.ehdr.machine)}"]
    detail.append("static: no loader is needed" if loader is None else f"its loader is {trace.quote(loader)}")
    steps.append(_step(rootfs, number, path, request, "ok", f"{path} is a program", tuple(detail), hints=hints))
    if loader is not None:
        loader_path = _open_loader(rootfs, call, path, loader, number, steps, place, architecture)
    privileged, euid, egid = _privileges(rootfs, call, path, node, number, request, steps, place)
    unknown = ""
    for header in view.phdrs:
        if header.type == 1 and header.offset + header.filesz > node.size:
            unknown = f"{path} ends before a segment it maps: it may crash at once"
    return ExecveResult(
        steps=tuple(steps),
        path=call.path,
        final=canonical,
        last=path,
        argv=tuple(argv),
        architecture=architecture,
        view=view,
        loader=loader,
        loader_path=loader_path,
        scripts=tuple(scripts),
        privileged=privileged,
        euid=euid,
        egid=egid,
        depends=tuple(depends),
        unknown=unknown,
        where=place,
    )


def _view(rootfs: Rootfs, canonical: bytes, node: Node, host: str) -> tuple[KernelView, str, str]:
    """The file as the host's kernel sees it, or its 32-bit side; with the host fact that this needs."""

    def read(offset: int, count: int) -> bytes:
        return rootfs.read(canonical, offset, count)

    try:
        ehdr = parse_ehdr(read(0, 64))
        compat = compat_need(host, ehdr.machine, ehdr.bits)
    except Malformed:
        compat = None
    if compat is not None:
        return kernel_view(read, node.size, compat[0]), compat[0], compat[1]
    return kernel_view(read, node.size, host), host, ""


def _real_machine(head: bytes) -> str:
    try:
        return number_name(parse_ehdr(head).machine)
    except Malformed:
        return "an unknown machine"


def _open_loader(
    rootfs: Rootfs,
    call: ExecveRequest,
    path: str,
    loader: str,
    number: int,
    steps: list[Step],
    place: Location | None,
    architecture: str,
) -> bytes:
    seen = check_access(rootfs, loader, call.actor, call.cwd)
    title = f"the loader {loader} of {path}"

    def fail(errno: str, row: str, why: str, fix: str) -> _Failure:
        steps.append(
            Step(
                rule="S7",
                judge="J3",
                round=number,
                outcome=errno,
                title=title,
                detail=(why,),
                path=loader,
                where=trace.locate(rootfs, loader),
                inspect=(trace.LOOK_AT_ELF_HEADER,),
            )
        )
        return _Failure(errno, row, why, fix, place)

    if seen.errno in {"ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG"}:
        why = f"{path} exists; the loader named inside it does not: {loader}"
        other = other_family(rootfs, loader)
        if other:
            why += f" (this rootfs has {other})"
        raise fail(seen.errno, "F24", why, loader_fix(loader, other))
    node = seen.node
    if seen.errno or node is None or not node.is_file or not permits(node, call.actor, EXECUTE):
        raise fail("EACCES", "F25", f"the loader {loader} may not be executed", f"chmod 755 {loader}")
    canonical = seen.resolution.path

    def read(offset: int, count: int) -> bytes:
        return rootfs.read(canonical, offset, count)

    head = read(0, 64)
    small = 64 if call.architecture not in {"386", "arm"} and architecture == call.architecture else 52
    if len(head) < small:
        raise fail("EIO", "F25", f"the loader {loader} is shorter than an ELF header", "reinstall the C library")
    if not is_elf(head):
        raise fail("ELIBBAD", "F25", f"the loader {loader} is no ELF file", "reinstall the C library")
    view = kernel_view(read, node.size, architecture)
    if view.errno == "ENOEXEC" and "machine" in view.reason:
        why = f"the loader {loader} is built for {_real_machine(head)}"
        raise fail("ELIBBAD", "F25", why, "take program and C library from one architecture")
    if view.errno and "ELF type" in view.reason:
        # The kernel does not look at the type of a loader: it maps what it can and jumps.
        raise _Failure("", "", "", "", place, f"the loader {loader} is no loader ({view.reason}); it may crash")
    if view.errno and "PT_INTERP" not in view.reason:
        raise fail("ELIBBAD", "F25", f"the loader {loader}: {view.reason}", "reinstall the C library")
    steps.append(
        Step(
            rule="S7",
            judge="J3",
            round=number,
            title=title,
            detail=("it is there and the kernel accepts it",),
            path=loader,
            where=trace.locate(rootfs, canonical),
            inspect=(trace.LOOK_AT_ELF_HEADER,),
        )
    )
    return canonical


def other_family(rootfs: Rootfs, loader: str) -> str:
    """A loader of the other C library that this rootfs does have; empty when it has none."""
    patterns = ("ld-linux", "ld64.so") if "ld-musl-" in loader else ("ld-musl-",)
    for directory in (b"/lib", b"/lib64"):
        found = rootfs.resolve(directory)
        if found.node is None or not found.node.is_dir:
            continue
        for name in rootfs.listdir(found.path):
            if any(text(name).startswith(pattern) for pattern in patterns):
                return f"{text(directory)}/{text(name)}"
    return ""


def loader_fix(loader: str, other: str) -> str:
    """One sentence against a missing loader."""
    if "ld-musl-" in loader:
        return "the program was built on Alpine (musl): use an Alpine base or build it for glibc"
    if other:
        return "the program was built for glibc and this is Alpine (musl): build it there, or statically"
    return "copy the C library too, use a base that has it, or build statically (CGO_ENABLED=0)"


def _privileges(
    rootfs: Rootfs,
    call: ExecveRequest,
    path: str,
    node: Node,
    number: int,
    request: str,
    steps: list[Step],
    place: Location | None,
) -> tuple[bool, int | None, int | None]:
    """File capabilities and setuid: EPERM, or whether the identity changes and to which ids."""
    privileged, euid, egid = False, None, None
    setid = bool(node.mode & 0o4000) or (bool(node.mode & 0o2000) and bool(node.mode & 0o010))
    if setid:
        owner = node.uid if node.mode & 0o4000 else None
        what = f"{path} is set-uid {node.uid}" if owner is not None else f"{path} is set-gid {node.gid}"
        if call.no_new_privileges:
            detail = "no_new_privs is on: the bit is ignored"
        else:
            detail = "the process gets that identity"
            euid = owner
            egid = node.gid if node.mode & 0o2000 and node.mode & 0o010 else None
            privileged = owner not in (None, call.uid) or egid not in (None, call.actor.gid)
        steps.append(_step(rootfs, number, path, request, "ok", what, (detail,)))
    value = node.xattrs.get(XATTR)
    if value is None:
        return privileged, euid, egid
    try:
        caps = parse_filecaps(value)
    except Malformed as error:
        steps.append(
            _step(
                rootfs, number, path, request, "EINVAL", f"{path} has file capabilities nobody can read", (error.what,)
            )
        )
        raise _Failure("EINVAL", "F27", error.what, f"setcap -r {path}", place) from error
    missing = _outside(caps, call.bounding)
    held = f"file capabilities {caps.text()}"
    if caps.effective and missing:
        why = f"{held} include {', '.join(missing)}, which the bounding set of this engine does not have"
        steps.append(_step(rootfs, number, path, request, "EPERM", f"{path} may not start", (why,)))
        option = " ".join(f"--cap-add {name.removeprefix('cap_').upper()}" for name in missing)
        raise _Failure("EPERM", "F27", why, f"setcap -r {path} in the image, or start with {option}", place)
    if call.no_new_privileges and caps.permitted & ~mask_of(call.held):
        detail = "no_new_privs is on: the process keeps only what it already holds"
    else:
        detail = "the process gets them"
        privileged = privileged or call.uid != 0
    steps.append(_step(rootfs, number, path, request, "ok", f"{path} has {held}", (detail,)))
    return privileged, euid, egid


def _outside(caps: FileCaps, bounding: tuple[str, ...]) -> tuple[str, ...]:
    allowed = mask_of(bounding)
    return tuple(name for bit, name in _bits(caps.permitted) if not allowed >> bit & 1)


def _bits(mask: int) -> list[tuple[int, str]]:
    from imagepeel.formats.filecaps import names_of

    return [(bit, names_of(1 << bit)[0]) for bit in range(mask.bit_length()) if mask >> bit & 1]
