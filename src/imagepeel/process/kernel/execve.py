"""`execve` as the kernel carries it out, round by round: shebang, ELF, loader, capabilities.

The identity does not change between the rounds: interpreters and loaders are opened by the user who called, with
the capabilities it had; only the program that finally starts has the new ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from imagepeel.errors import ImagepeelError, Malformed
from imagepeel.evidence import Location, raw, text
from imagepeel.formats.elf.header import KernelView, is_elf, kernel_view, parse_ehdr
from imagepeel.formats.filecaps import XATTR, FileCaps, mask_of, parse_filecaps
from imagepeel.formats.foreign import first_line_missing, foreign_format
from imagepeel.formats.shebang import BUFFER, MAX_NESTING, Shebang
from imagepeel.process.spec import trace
from imagepeel.process.spec.access import EXECUTE, Actor, PathAccess, check_access, permits
from imagepeel.process.spec.failure import Failure, FailureCode, Judge, Stage
from imagepeel.process.spec.kernels import LINUX, Kernel
from imagepeel.process.spec.values import Step, StepOutcome
from imagepeel.tables import ErrnoName, compat_need, number_name
from imagepeel.text import plural

if TYPE_CHECKING:
    from imagepeel.rootfs.tree.inode import Node
    from imagepeel.rootfs.view import Rootfs

STRING_MAX = 128 * 1024
"""Bytes of one argument or variable, its NUL included, from which execve says E2BIG (MAX_ARG_STRLEN, 4 KiB pages)."""

ROOM_MAX = 2 * 1024 * 1024
"""Bytes of all arguments and variables under the usual 8 MiB stack limit (a quarter of it)."""


class ScriptRound(msgspec.Struct, frozen=True, kw_only=True):
    """A script of the chain: who reads it and what the kernel took from its first line."""

    path: str
    interpreter: str
    argument: str | None
    canonical: bytes


class ExecveResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a request: the `failure`, or the program that starts.

    `path` is the file that was asked for.  A request may pass through scripts (`scripts`, outermost first) before it
    reaches a program: `final` is the canonical path of that ELF program, `last` the path under which it was opened,
    `argv` its vector, `view` its ELF header as the kernel saw it, `loader` the path of PT_INTERP (None: static).
    `privileged` means a changed identity (setuid, setgid or file capabilities), then `euid` and `egid` say which;
    `gained` are the capabilities that the file gives.
    `depends` names host facts; `unknown` says why nothing is proved, about `where`.
    """

    steps: tuple[Step, ...]
    path: str
    failure: Failure | None = None
    final: bytes | None = None
    argv: tuple[str, ...] = ()
    last: str = ""
    architecture: str = ""
    view: KernelView | None = None
    loader: str | None = None
    loader_path: bytes | None = None
    scripts: tuple[ScriptRound, ...] = ()
    privileged: bool = False
    euid: int | None = None
    egid: int | None = None
    gained: frozenset[str] = frozenset()
    depends: tuple[str, ...] = ()
    unknown: str = ""
    where: Location | None = None

    @property
    def errno(self) -> ErrnoName:
        """The symbolic error; empty when the program starts or nothing is known."""
        return "" if self.failure is None else self.failure.errno


class ExecveRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request: which file, with what, by whom, on which kernel."""

    path: str
    argv: tuple[str, ...]
    variables: int
    """How many there are."""
    too_big: str
    """Why the strings do not fit, from `too_big`."""
    actor: Actor
    cwd: str
    architecture: str
    bounding: tuple[str, ...]
    no_new_privileges: bool = False
    uid: int = 0
    held: tuple[str, ...] = ()
    kernel: Kernel = LINUX
    mended: bool = False
    """The file's mode is taken as one that lets the actor execute it: what would come next."""


class _Refused(Exception):
    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.errno)
        self.failure = failure


class _Unproved(Exception):
    def __init__(self, reason: str, where: Location | None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.where = where


def execute(rootfs: Rootfs, request: ExecveRequest, *, first_round: int = 1) -> ExecveResult:
    """Carry out one execve on the rootfs; never raises for what an image contains."""
    execve = _Execve(rootfs, request, first_round)
    try:
        return execve.run()
    except _Refused as refused:
        return execve.result(failure=msgspec.structs.replace(refused.failure, depends=tuple(execve.depends)))
    except _Unproved as unproved:
        return execve.result(unknown=unproved.reason, where=unproved.where)
    except ImagepeelError as error:
        return execve.result(unknown=f"{request.path} could not be read: {error.what}", where=error.where)


def too_big(argv: Sequence[str], variables: Iterable[tuple[str, str]], kernel: Kernel) -> str:
    """Why these words and variables do not fit into an execve; empty when they do."""
    if not kernel.bounds_strings:
        return ""
    total = 0
    words = (len(raw(word)) + 1 for word in argv)
    pairs = (len(raw(name)) + 1 + len(raw(value)) + 1 for name, value in variables)
    for kind, sizes in (("argument", words), ("environment variable", pairs)):
        for index, size in enumerate(sizes):
            total += size + 8
            if size > STRING_MAX:
                return f"{kind} {index} is {size - 1} bytes long; the kernel takes {STRING_MAX - 1} at most"
    if total > ROOM_MAX:
        return f"arguments and environment take {total} bytes; {ROOM_MAX} fit under an 8 MiB stack limit"
    return ""


class _File(msgspec.Struct, frozen=True, kw_only=True):
    """The file of a round: its node, its canonical path, and the place in the image that brings it."""

    node: Node
    canonical: bytes
    place: Location | None


class _Identity(msgspec.Struct, kw_only=True):
    """What a program changes about who it runs as."""

    privileged: bool = False
    euid: int | None = None
    egid: int | None = None
    gained: frozenset[str] = frozenset()


class _Execve:
    """One execve under way: the path and vector of the current round, and what the rounds so far left behind."""

    def __init__(self, rootfs: Rootfs, request: ExecveRequest, first_round: int) -> None:
        self.rootfs = rootfs
        self.request = request
        self.round = first_round
        self.path = request.path
        self.argv = list(request.argv)
        self.steps: list[Step] = []
        self.scripts: list[ScriptRound] = []
        self.depends: list[str] = []

    def result(
        self, *, failure: Failure | None = None, unknown: str = "", where: Location | None = None
    ) -> ExecveResult:
        """The end without a program."""
        return ExecveResult(
            steps=tuple(self.steps),
            path=self.request.path,
            argv=self.request.argv,
            scripts=tuple(self.scripts),
            depends=tuple(self.depends),
            failure=failure,
            unknown=unknown,
            where=where,
        )

    # -- the trace -------------------------------------------------------------------------------------------

    def step(self, outcome: StepOutcome, title: str, detail: tuple[str, ...], hints: tuple[str, ...] = ()) -> None:
        """Write down what the kernel says about the file of this round."""
        self.steps.append(
            Step(
                rule=Stage.EXECVE,
                judge=Judge.KERNEL,
                round=self.round,
                call=trace.execve(self.path, self.argv, self.request.variables),
                outcome=outcome,
                title=title,
                detail=detail,
                path=self.path,
                where=trace.locate(self.rootfs, self.path),
                inspect=hints,
            )
        )

    def step_of_loader(self, outcome: StepOutcome, loader: str, detail: str, place: bytes | str) -> None:
        """Write down what the kernel says about the loader of this round's program."""
        self.steps.append(
            Step(
                rule=Stage.EXECVE,
                judge=Judge.KERNEL,
                round=self.round,
                outcome=outcome,
                title=f"the loader {loader} of {self.path}",
                detail=(detail,),
                path=loader,
                where=trace.locate(self.rootfs, place),
                inspect=(trace.LOOK_AT_ELF_HEADER,),
            )
        )

    def refused(
        self, code: FailureCode, errno: ErrnoName, why: str, fix: str = "", where: Location | None = None
    ) -> _Refused:
        """The end of the request, to be raised."""
        failure = Failure(
            code=code, judge=Judge.KERNEL, errno=errno, why=why, fix=fix, where=where, about=self.request.path
        )
        return _Refused(failure)

    # -- the rounds ------------------------------------------------------------------------------------------

    def run(self) -> ExecveResult:
        """Round by round: a script names the file of the next one, a program ends them."""
        big = self.request.too_big
        for depth in range(MAX_NESTING + 2):
            if len(self.scripts) > MAX_NESTING:
                why = f"the sixth script in a row: the kernel follows {MAX_NESTING}"
                self.step("ELOOP", f"{self.path} is refused", (why,))
                raise self.refused(
                    FailureCode.SHEBANG_LIMIT, "ELOOP", why, "name the final interpreter in the first line"
                )
            file = self.open()
            if big and not depth:
                self.step("E2BIG", "too many bytes", (big,))
                raise self.refused(FailureCode.ARGUMENTS_TOO_LONG, "E2BIG", big, "pass the data in a file")
            head = self.rootfs.read(file.canonical, 0, BUFFER)
            line = self.request.kernel.first_line(head)
            if line is None:
                if not is_elf(head):
                    self.refuse_text(head, file.place)
                return self.program(file)
            self.script(line, file)
            self.round += 1
        raise self.refused(FailureCode.SHEBANG_LIMIT, "ELOOP", "too many scripts in a row")

    def open(self) -> _File:
        """Open the file of this round for executing."""
        if not self.path and self.scripts:
            # The kernel opens the empty name, which is the working directory: no regular file.
            script = self.scripts[-1]
            why = f"no interpreter is named after #! in {script.path}"
            self.step("EACCES", "an empty name cannot be executed", (why,))
            where = trace.locate(self.rootfs, script.canonical)
            raise self.refused(FailureCode.NO_PROGRAM_FORMAT, "EACCES", why, "write one absolute path after #!", where)
        seen = check_access(self.rootfs, self.path, self.request.actor, self.request.cwd)
        errno, why = self.closed(seen)
        if not errno and seen.node is not None:
            canonical = seen.resolution.path
            return _File(node=seen.node, canonical=canonical, place=trace.locate(self.rootfs, canonical))
        self.step(errno, f"{self.path} cannot be executed", (why,))
        if self.scripts:
            raise self.refuse_interpreter(self.scripts[-1], errno, why, text(seen.blocker))
        code = {
            "ENOENT": FailureCode.FILE_MISSING,
            "ENOTDIR": FailureCode.FILE_ON_THE_WAY,
            "ELOOP": FailureCode.LINK_LOOP,
        }.get(errno, FailureCode.NOT_EXECUTABLE)
        raise self.refused(code, errno, why, "", trace.locate(self.rootfs, self.path))

    def closed(self, seen: PathAccess) -> tuple[ErrnoName, str]:
        """errno and reason against executing what was found; empty when it may be executed."""
        path, node, errno = self.path, seen.node, seen.errno
        if not errno and node is not None:
            if not node.is_file:
                return "EACCES", f"{path} is a {node.kind}, not a file"
            mended = self.request.mended and not self.scripts
            if not permits(node, self.request.actor, EXECUTE) and not mended:
                return "EACCES", f"{path} has mode {node.mode:04o} of {node.uid}:{node.gid}: no execute permission"
            return "", ""
        if errno == "ENOENT":
            missing = text(seen.resolution.missing)
            why = f"{path} does not exist" + (f" ({missing} is missing)" if missing not in ("", path) else "")
            over = trace.mount_over(self.rootfs, seen.resolution.missing)
            return errno, why + (f"; {over} is mounted over, and nothing of the image is seen below it" if over else "")
        if errno == "EACCES":
            return errno, f"{text(seen.blocker)} may not be searched by this user"
        return errno, f"{path}: {errno}"

    def refuse_interpreter(self, script: ScriptRound, errno: ErrnoName, why: str, closed: str) -> _Refused:
        """The interpreter that a script names cannot be executed; `closed` is a directory on the way that hides it."""
        interpreter = script.interpreter
        where = trace.locate(self.rootfs, script.canonical)
        if errno == "EINVAL":
            why = f"the first line of {script.path} names an interpreter with a NUL byte: no file is called so"
            fix = "write one absolute path after #!"
            return self.refused(FailureCode.NO_PROGRAM_FORMAT, errno, why, fix, where)
        if errno not in {"ENOENT", "ENOTDIR", "ENAMETOOLONG", "ELOOP"}:
            why = f"the interpreter of {script.path}: {why}"
            fix = f"chmod +x {interpreter}"
            if closed:
                fix = f"install the interpreter outside of {closed}, or chmod a+x {closed}"
            return self.refused(FailureCode.INTERPRETER_BLOCKED, errno, why, fix, where)
        if interpreter.endswith("\r"):
            why = (
                f"the first line of {script.path} ends in CR LF: the kernel looks for a file "
                f"called {trace.quote(interpreter)}"
            )
            return self.refused(FailureCode.SHEBANG_CRLF, errno, why, f"sed -i 's/\\r$//' {script.path}", where)
        why = f"{script.path} exists; its interpreter does not: {why}"
        fix = f"install {interpreter.rsplit('/', 1)[-1]} or name an interpreter that is in the image"
        if over := trace.mount_over(self.rootfs, raw(interpreter)):
            fix = f"name an interpreter outside of {over}"
        return self.refused(FailureCode.INTERPRETER_MISSING, errno, why, fix, where)

    def script(self, line: Shebang, file: _File) -> None:
        """A script: its first line decides path and vector of the next round."""
        hints = (trace.LOOK_AT_FIRST_LINE,)
        if not line.ok:
            title = f"{self.path} starts with #!, and the line is not usable"
            self.step("ENOEXEC", title, (line.reason,), hints)
            code = FailureCode.SHEBANG_LIMIT if line.truncated else FailureCode.NO_PROGRAM_FORMAT
            raise self.refused(code, "ENOEXEC", line.reason, "write one absolute path after #!", file.place)
        interpreter = text(line.interpreter)
        argument = None if line.argument is None else text(line.argument)
        self.scripts.append(
            ScriptRound(path=self.path, interpreter=interpreter, argument=argument, canonical=file.canonical)
        )
        detail = [f"its first line names {trace.quote(interpreter)}"]
        if argument is not None:
            detail.append(f"and passes it one argument: {trace.quote(argument)}")
        if line.carriage_return:
            detail.append("the line ends in CR LF: the CR is part of that name")
        if line.truncated:
            detail.append("the line is longer than what the kernel reads: the rest is cut off")
        self.step("ok", f"{self.path} is a script", tuple(detail), hints)
        self.argv = [text(word) for word in line.argv(raw(self.path), tuple(raw(word) for word in self.argv[1:]))]
        self.path = interpreter

    def refuse_text(self, head: bytes, place: Location | None) -> None:
        """A file that is neither script nor program."""
        path = self.path
        if not head:
            why = f"{path} is empty"
        elif head.startswith(b"\xef\xbb\xbf"):
            why = f"{path} starts with a byte order mark; #! must be the first two bytes"
        elif head.lstrip().startswith(b"#!"):
            why = f"{path} has something before #!; it must be the first two bytes"
        elif (foreign := foreign_format(head)) is not None:
            why = f"{path} is {foreign.what}: neither #! nor an ELF file"
        else:
            why = f"{path} starts with {trace.quote(text(head[:8]))}: neither #! nor an ELF file"
        self.step("ENOEXEC", f"{path} is no program the kernel knows", (why,), (trace.LOOK_AT_HEAD,))
        fix = first_line_missing(head) or "start the file with #!/bin/sh (a shell runs it without; execve does not)"
        before = len(head) - len(head.removeprefix(b"\xef\xbb\xbf").lstrip())
        if before and head[before:].startswith(b"#!"):
            fix = f"remove the {plural(before, 'byte')} in front of #!: tail -c +{before + 1} {path}"
        raise self.refused(FailureCode.NO_PROGRAM_FORMAT, "ENOEXEC", why, fix, place)

    # -- the program -----------------------------------------------------------------------------------------

    def program(self, file: _File) -> ExecveResult:
        """An ELF file: the kernel's checks, its loader, its identity."""
        path = self.path
        hints = (trace.LOOK_AT_ELF_HEADER, trace.LOOK_AT_PROGRAM_HEADERS)
        view, architecture, need = _view(self.rootfs, file, self.request.architecture)
        if need:
            self.depends.append(need)
        if view.errno:
            self.step(view.errno, f"{path} is an ELF file this kernel refuses", (view.reason,), hints)
            raise self.refuse_elf(view, file)
        loader_path: bytes | None = None
        loader = None if view.interp is None else text(view.interp)
        detail = "static: no loader is needed" if loader is None else f"its loader is {trace.quote(loader)}"
        machine = f"an ELF program for {number_name(view.ehdr.machine)}"
        self.step("ok", f"{path} is a program", (machine, detail), hints)
        if loader is not None:
            loader_path = self.open_loader(loader, architecture, file.place)
        identity = self.identity(file)
        cut = any(header.type == 1 and header.offset + header.filesz > file.node.size for header in view.phdrs)
        return ExecveResult(
            steps=tuple(self.steps),
            path=self.request.path,
            final=file.canonical,
            last=path,
            argv=tuple(self.argv),
            architecture=architecture,
            view=view,
            loader=loader,
            loader_path=loader_path,
            scripts=tuple(self.scripts),
            privileged=identity.privileged,
            euid=identity.euid,
            egid=identity.egid,
            gained=identity.gained,
            depends=tuple(self.depends),
            unknown=f"{path} ends before a segment it maps: it may crash at once" if cut else "",
            where=file.place,
        )

    def refuse_elf(self, view: KernelView, file: _File) -> _Refused:
        """A program for another machine, or a damaged one."""
        errno, path, host = view.errno, self.path, self.request.architecture
        if view.problem != "machine":
            fix = "copy the program again; it is damaged or no executable"
            return self.refused(FailureCode.ELF_REFUSED, errno, f"{path}: {view.reason}", fix, file.place)
        built_for = _real_machine(self.rootfs.read(file.canonical, 0, 64))
        self.depends.append("no binfmt_misc handler (qemu) on the host")
        why = f"{path} is built for {built_for}, the host is {host}"
        fix = f"ship a build for {host}, or run it on {built_for}"
        return self.refused(FailureCode.ELF_REFUSED, errno, why, fix, file.place)

    def open_loader(self, loader: str, architecture: str, place: Location | None) -> bytes:
        """Open the loader that the program names; its canonical path."""
        seen = check_access(self.rootfs, loader, self.request.actor, self.request.cwd)

        def fail(errno: ErrnoName, why: str, fix: str, code: FailureCode = FailureCode.LOADER_REFUSED) -> _Refused:
            self.step_of_loader(errno, loader, why, loader)
            return self.refused(code, errno, why, fix, place)

        if seen.errno in {"ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG"}:
            why = f"{self.path} exists; the loader named inside it does not: {loader}"
            other = other_family(self.rootfs, loader)
            if other:
                why += f" (this rootfs has {other})"
            raise fail(seen.errno, why, loader_fix(loader, other), FailureCode.LOADER_MISSING)
        node = seen.node
        if seen.errno or node is None or not node.is_file or not permits(node, self.request.actor, EXECUTE):
            raise fail("EACCES", f"the loader {loader} may not be executed", f"chmod 755 {loader}")
        canonical = seen.resolution.path

        def read(offset: int, count: int) -> bytes:
            return self.rootfs.read(canonical, offset, count)

        head, host = read(0, 64), self.request.architecture
        small = 64 if host not in {"386", "arm"} and architecture == host else 52
        if len(head) < small:
            why = f"the loader {loader} is shorter than an ELF header"
            raise fail(self.request.kernel.short_loader, why, "reinstall the C library")
        if not is_elf(head):
            raise fail("ELIBBAD", f"the loader {loader} is no ELF file", "reinstall the C library")
        view = kernel_view(read, node.size, architecture)
        if view.problem == "machine":
            why = f"the loader {loader} is built for {_real_machine(head)}"
            raise fail("ELIBBAD", why, "take program and C library from one architecture")
        if view.problem == "type":
            odd = self.request.kernel.odd_loader
            if odd:
                raise fail(odd, f"the loader {loader} is no loader ({view.reason})", "reinstall the C library")
            # Linux does not look at the type of a loader: it maps what it can and jumps.
            raise _Unproved(f"the loader {loader} is no loader ({view.reason}); it may crash", place)
        if view.problem == "headers":
            raise fail("ELIBBAD", f"the loader {loader}: {view.reason}", "reinstall the C library")
        self.step_of_loader("ok", loader, "it is there and the kernel accepts it", canonical)
        return canonical

    def identity(self, file: _File) -> _Identity:
        """setuid, setgid and file capabilities: EPERM, or whether the identity changes and to which ids."""
        if not self.request.kernel.changes_identity:
            return self.no_identity(file.node)
        found = self.set_ids(file.node)
        value = file.node.xattrs.get(XATTR)
        if value is None:
            return found
        path, request = self.path, self.request
        try:
            caps = parse_filecaps(value)
        except Malformed as error:
            self.step("EINVAL", f"{path} has file capabilities nobody can read", (error.what,))
            code = FailureCode.CAPABILITIES_BLOCK
            raise self.refused(code, "EINVAL", error.what, f"setcap -r {path}", file.place) from error
        missing = _outside(caps, request.bounding)
        held = f"file capabilities {caps.text()}"
        if caps.effective and missing:
            why = f"{held} include {', '.join(missing)}, which the bounding set of this engine does not have"
            self.step("EPERM", f"{path} may not start", (why,))
            option = " ".join(f"--cap-add {name.removeprefix('cap_').upper()}" for name in missing)
            fix = f"setcap -r {path} in the image, or start with {option}"
            raise self.refused(FailureCode.CAPABILITIES_BLOCK, "EPERM", why, fix, file.place)
        if request.no_new_privileges and caps.permitted & ~mask_of(request.held):
            detail = "no_new_privs is on: the process keeps only what it already holds"
        else:
            detail = "the process gets them"
            found.privileged = found.privileged or request.uid != 0
            if caps.effective:
                found.gained = frozenset(name.removeprefix("cap_").upper() for name in caps.names)
        self.step("ok", f"{path} has {held}", (detail,))
        return found

    def no_identity(self, node: Node) -> _Identity:
        """A kernel without set-uid programs: whatever the file asks for, nothing changes."""
        if node.mode & 0o6000 or XATTR in node.xattrs:
            self.step("ok", f"{self.path} asks for another identity", ("this kernel gives none: no_new_privs is on",))
        return _Identity()

    def set_ids(self, node: Node) -> _Identity:
        """The ids that set-uid and set-gid bits give the process."""
        by_owner = bool(node.mode & 0o4000)
        by_group = bool(node.mode & 0o2000) and bool(node.mode & 0o010)
        found = _Identity()
        if not by_owner and not by_group:
            return found
        what = f"{self.path} is set-uid {node.uid}" if by_owner else f"{self.path} is set-gid {node.gid}"
        if self.request.no_new_privileges:
            self.step("ok", what, ("no_new_privs is on: the bit is ignored",))
            return found
        found.euid = node.uid if by_owner else None
        found.egid = node.gid if by_group else None
        new_user = found.euid not in (None, self.request.uid)
        found.privileged = new_user or found.egid not in (None, self.request.actor.gid)
        self.step("ok", what, ("the process gets that identity",))
        return found


def _view(rootfs: Rootfs, file: _File, host: str) -> tuple[KernelView, str, str]:
    """The file as the host's kernel sees it, or its 32-bit side; with the host fact that this needs."""

    def read(offset: int, count: int) -> bytes:
        return rootfs.read(file.canonical, offset, count)

    size = file.node.size
    try:
        ehdr = parse_ehdr(read(0, 64))
        compat = compat_need(host, ehdr.machine, ehdr.bits)
    except Malformed:
        compat = None
    if compat is not None:
        return kernel_view(read, size, compat[0]), compat[0], compat[1]
    return kernel_view(read, size, host), host, ""


def _real_machine(head: bytes) -> str:
    try:
        return number_name(parse_ehdr(head).machine)
    except Malformed:
        return "an unknown machine"


def other_family(rootfs: Rootfs, loader: str) -> str:
    """A loader of the other C library that this rootfs does have; empty when it has none."""
    patterns = ("ld-linux", "ld64.so") if "ld-musl-" in loader else ("ld-musl-",)
    for directory in (b"/lib", b"/lib64"):
        found = rootfs.resolve(directory)
        if found.node is None or not found.node.is_dir:
            continue
        for name in rootfs.names(found.path):
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


def _outside(caps: FileCaps, bounding: tuple[str, ...]) -> tuple[str, ...]:
    allowed = mask_of(bounding)
    return tuple(name for bit, name in _bits(caps.permitted) if not allowed >> bit & 1)


def _bits(mask: int) -> list[tuple[int, str]]:
    from imagepeel.formats.filecaps import names_of  # start time

    return [(bit, names_of(1 << bit)[0]) for bit in range(mask.bit_length()) if mask >> bit & 1]
