"""The bad and the good image of each rule of the family `start`."""

from __future__ import annotations

from functools import partial
from typing import Any

from imagepeel.findings.example import Example, specimen
from imagepeel.forge import programs
from imagepeel.forge.elf import LOADERS, elf
from imagepeel.forge.entry import (
    directory,
    file,
    symlink,
)
from imagepeel.forge.image import ImageSpec
from imagepeel.forge.specimens import (
    ANYONES_HOME,
    ENV_PATH,
    GLIBC_LOADER,
    GOOD_SCRIPT,
    NET_ADMIN,
    add,
    complete_root,
    file_capability,
    holding,
    script,
    server,
    shell_form,
    sound,
)


def _glibc(version: str, *, damaged: bool = False) -> ImageSpec:
    """A program that needs GLIBC_2.34 in an image whose C library defines `version`, or is an empty file."""
    program = elf(interpreter=LOADERS["amd64"], needed=["libc.so.6"], versions_needed={"libc.so.6": ["GLIBC_2.34"]})
    libc = elf(soname="libc.so.6", versions_defined=["GLIBC_2.2.5", version], exports=["uses_GLIBC_2.34"])
    base = complete_root(
        directory("lib"),
        directory("lib64"),
        file("lib64/ld-linux-x86-64.so.2", elf(soname="ld-linux-x86-64.so.2", rodata=GLIBC_LOADER), 0o755),
        file("lib/libc.so.6", b"" if damaged else libc, 0o755),
    )
    return server(sound, program, base=base)


def _configured(runpath: str | None = None) -> ImageSpec:
    """A library in a directory that ld.so.conf.d names and no cache knows."""
    program = elf(interpreter=LOADERS["amd64"], needed=["libshop.so.1"], runpath=runpath)
    base = complete_root(
        directory("etc/ld.so.conf.d"),
        file("etc/ld.so.conf", "include /etc/ld.so.conf.d/*.conf\n"),
        file("etc/ld.so.conf.d/shop.conf", "/opt/shop\n"),
        directory("lib64"),
        file("lib64/ld-linux-x86-64.so.2", elf(soname="ld-linux-x86-64.so.2", rodata=GLIBC_LOADER), 0o755),
        directory("opt"),
        directory("opt/shop"),
        file("opt/shop/libshop.so.1", elf(soname="libshop.so.1", exports=["greet"]), 0o755),
    )
    return server(sound, program, base=base)


def _tool(path: str, mode: int = 0o755, uid: int = 0, **changes: Any) -> ImageSpec:
    parent = directory("tmp", 0o1777) if path.startswith("tmp/") else directory("bin")
    return sound(add(parent, file(path, programs.hello(), mode, uid, uid), by="COPY tool # buildkit"), **changes)


EXAMPLES: dict[str, Example] = {
    "CRLF-SHEBANG": specimen("broken-entrypoint"),
    "MISSING-LOADER": specimen("no-loader"),
    "GLIBC-TOO-OLD": Example(bad=partial(_glibc, "GLIBC_2.28"), good=partial(_glibc, "GLIBC_2.34")),
    "WRONG-ARCHITECTURE": specimen("wrong-architecture"),
    "NO-SHEBANG": specimen("no-shebang"),
    "NOT-EXECUTABLE": specimen("no-exec-bit"),
    "ROOT-ONLY-PROGRAM": Example(
        bad=partial(server, sound, programs.hello("mine\n"), mode=0o700),
        good=partial(server, sound, programs.hello("mine\n")),
    ),
    "DIRECTORY-AS-COMMAND": Example(bad=partial(sound, entrypoint=["/home"]), good=sound),
    "PATH-SKIPS-FILE": Example(
        bad=partial(_tool, "bin/tool", 0o644, entrypoint=["tool"]), good=partial(_tool, "bin/tool", entrypoint=["tool"])
    ),
    "MISSING-INTERPRETER": specimen("no-interpreter"),
    "COMMAND-NOT-FOUND": Example(
        bad=partial(sound, entrypoint=["no-such-program"]), good=partial(sound, entrypoint=["hello"])
    ),
    "COMMAND-MISSING": specimen("entrypoint-deleted", also=("DELETED-BYTES",)),
    "LINK-LOOP": Example(
        bad=lambda: sound(add(symlink("bin/a", "b"), symlink("bin/b", "a")), entrypoint=["/bin/a"]),
        good=lambda: sound(add(symlink("bin/a", "hello")), entrypoint=["/bin/a"]),
    ),
    "EMPTY-COMMAND": Example(bad=partial(sound, entrypoint=["", "--loud"]), good=sound),
    "SHELL-STRING": specimen("shell-string"),
    "RELATIVE-PATH-HIT": Example(
        bad=partial(_tool, "tmp/tool", uid=1000, entrypoint=["tool"], env=["PATH=.:/bin"], workdir="/tmp"),
        good=partial(_tool, "bin/tool", entrypoint=["tool"], env=["PATH=/bin"], workdir="/home/app", base=ANYONES_HOME),
    ),
    "LOST-PATH": specimen("lost-path"),
    "UNKNOWN-USER": specimen("unknown-user"),
    "UNKNOWN-GROUP": Example(bad=partial(sound, user="1000:shop"), good=partial(sound, user="1000:app")),
    "WORKDIR-BLOCKED": Example(
        bad=partial(sound, workdir="/etc/passwd"), good=partial(sound, base=ANYONES_HOME, workdir="/home/app")
    ),
    "PROC-NOT-A-DIRECTORY": Example(
        bad=lambda: holding(symlink("proc", "/tmp")), good=lambda: holding(directory("proc"))
    ),
    "WORKDIR-IN-PROC": Example(
        bad=partial(sound, workdir="/proc/self/fd/7"),
        good=partial(sound, base=ANYONES_HOME, workdir="/home/app"),
        also=("ATTACKS-OPEN-DIRECTORY",),
    ),
    "NAMELESS-VARIABLE": Example(
        bad=partial(sound, env=[ENV_PATH, "=value"]), good=partial(sound, env=[ENV_PATH, "NAME=value"])
    ),
    "INTERPRETER-BLOCKED": Example(
        bad=lambda: sound(
            add(file("entrypoint.sh", "#!/bin/own\n", 0o755), file("bin/own", programs.sh(), 0o644)),
            entrypoint=["/entrypoint.sh"],
        ),
        good=lambda: sound(
            add(file("entrypoint.sh", '#!/bin/own\nexec "$@"\n', 0o755), file("bin/own", programs.sh(), 0o755)),
            entrypoint=["/entrypoint.sh"],
            cmd=["/bin/hello"],
        ),
    ),
    "SHEBANG-LIMIT": Example(bad=partial(script, sound, "#!/entrypoint.sh\n"), good=partial(script, sound)),
    "SETCAP-BLOCKS-EXEC": Example(
        bad=lambda: sound(
            add(
                file(
                    "bin/tool",
                    programs.hello("tool\n"),
                    0o755,
                    xattrs={"security.capability": file_capability(NET_ADMIN)},
                )
            ),
            entrypoint=["/bin/tool"],
        ),
        good=lambda: sound(add(file("bin/tool", programs.hello("tool\n"), 0o755)), entrypoint=["/bin/tool"]),
        also=("ROOTLESS-DROPS",),
    ),
    "ARGUMENT-TOO-LONG": Example(bad=partial(sound, env=[ENV_PATH, "CERT=" + "x" * 131_072]), good=sound),
    "SCRIPT-UNREADABLE": Example(bad=partial(script, sound, GOOD_SCRIPT, 0o711), good=partial(script, sound)),
    "LDCONF-NOT-CACHED": Example(bad=_configured, good=partial(_configured, runpath="/opt/shop")),
    "MISSING-LIBRARY": specimen("no-library"),
    "UNDEFINED-SYMBOL": Example(bad=partial(_glibc, "GLIBC_2.34", damaged=True), good=partial(_glibc, "GLIBC_2.34")),
    "NO-SHELL-FOR-SHELL-FORM": Example(
        bad=lambda: sound(
            base=complete_root(without=["bin/sh", "bin/dash"]), entrypoint=None, cmd=["/bin/sh", "-c", "/bin/hello"]
        ),
        good=sound,
    ),
    "SHELL-LINE-FAILS": Example(
        bad=partial(shell_form, sound, "exec /bin/nothing-here"), good=partial(shell_form, sound, "exec /bin/hello")
    ),
    "WRAPPER-FAILS": Example(
        bad=lambda: sound(
            add(file("bin/tini", programs.sh(), 0o755)), entrypoint=["/bin/tini", "--", "/bin/nothing-here"]
        ),
        good=sound,
    ),
    "VOLUME-OVER-FILE": Example(bad=partial(sound, volumes=["/etc/passwd"]), good=sound, also=("ANONYMOUS-VOLUME",)),
    "PASSWD-UNUSABLE": Example(
        bad=partial(sound, base=complete_root(directory("etc/passwd"), without=["etc/passwd"]), user="app"),
        good=sound,
    ),
}
