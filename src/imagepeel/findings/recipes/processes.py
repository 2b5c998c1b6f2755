"""Recipes about the process: start failures, entrypoint and command, user, environment, health."""

from __future__ import annotations

import struct
from typing import Any

from imagepeel.findings.recipes.parts import (
    GOOD_SCRIPT,
    PASSWD,
    PATH,
    Recipe,
    add,
    app,
    entrypoint,
    good_script,
    lazy,
    noise,
    rootfs,
    sound,
)
from imagepeel.forge import programs
from imagepeel.forge.elf import LOADERS, elf
from imagepeel.forge.entry import directory, file, symlink
from imagepeel.forge.image import ImageSpec, Step

_NET_ADMIN = struct.pack("<IIIII", 0x0200_0001, 1 << 12, 0, 0, 0)
_NET_BIND = struct.pack("<IIIII", 0x0200_0001, 1 << 10, 0, 0, 0)
_MUSL = b"\0%.*s/etc/ld-musl-x86_64.path\0\0/lib:/usr/local/lib:/usr/lib\0Error loading shared library %s: %m\0"
_GLIBC = (
    b"\0cannot open shared object file\0GLIBC_PRIVATE\0/etc/ld.so.cache\0GNU C Library release version 2.36\0"
    b"\0/lib/x86_64-linux-gnu/\0/usr/lib/x86_64-linux-gnu/\0/lib/\0/usr/lib/\0\0lib\0"
)
"""The words by which each loader is recognised, and the directories that it searches."""


def _program(data: bytes, mode: int = 0o755, **changes: Any) -> ImageSpec:
    """The sound image with /app/server as its program."""
    settings = {"entrypoint": ["/app/server"], **changes}
    return app(add(directory("app"), file("app/server", data, mode), by="COPY server /app/ # buildkit"), **settings)


def _musl(program: bytes, *libraries: str) -> ImageSpec:
    """A dynamic program in an image with a loader of musl."""
    loader = elf(soname="libc.musl-x86_64.so.1", exports=["printf", "exit"], rodata=_MUSL)
    more = [file(f"lib/{name}", elf(soname=name, exports=["greet"]), 0o755) for name in libraries]
    base = rootfs(directory("lib"), file("lib/ld-musl-x86_64.so.1", loader, 0o755), *more)
    return app(
        add(directory("app"), file("app/server", program, 0o755), by="COPY server /app/ # buildkit"),
        base=base,
        entrypoint=["/app/server"],
    )


def _musl_program(**options: Any) -> bytes:
    return elf(interpreter="/lib/ld-musl-x86_64.so.1", **options)


def _glibc(version: str, *, damaged: bool = False) -> ImageSpec:
    """A program that needs GLIBC_2.34 in an image whose C library defines `version`, or is an empty file."""
    program = elf(interpreter=LOADERS["amd64"], needed=["libc.so.6"], versions_needed={"libc.so.6": ["GLIBC_2.34"]})
    libc = elf(soname="libc.so.6", versions_defined=["GLIBC_2.2.5", version], exports=["uses_GLIBC_2.34"])
    base = rootfs(
        directory("lib"),
        directory("lib64"),
        file("lib64/ld-linux-x86-64.so.2", elf(soname="ld-linux-x86-64.so.2", rodata=_GLIBC), 0o755),
        file("lib/libc.so.6", b"" if damaged else libc, 0o755),
    )
    return app(
        add(directory("app"), file("app/server", program, 0o755), by="COPY server /app/ # buildkit"),
        base=base,
        entrypoint=["/app/server"],
    )


def _configured(runpath: str | None = None) -> ImageSpec:
    """A library in a directory that ld.so.conf.d names and no cache knows."""
    program = elf(interpreter=LOADERS["amd64"], needed=["libshop.so.1"], runpath=runpath)
    base = rootfs(
        directory("etc/ld.so.conf.d"),
        file("etc/ld.so.conf", "include /etc/ld.so.conf.d/*.conf\n"),
        file("etc/ld.so.conf.d/shop.conf", "/opt/shop\n"),
        directory("lib64"),
        file("lib64/ld-linux-x86-64.so.2", elf(soname="ld-linux-x86-64.so.2", rodata=_GLIBC), 0o755),
        directory("opt"),
        directory("opt/shop"),
        file("opt/shop/libshop.so.1", elf(soname="libshop.so.1", exports=["greet"]), 0o755),
    )
    return app(
        add(directory("app"), file("app/server", program, 0o755), by="COPY server /app/ # buildkit"),
        base=base,
        entrypoint=["/app/server"],
    )


def _tool(path: str, mode: int = 0o755, uid: int = 0, **changes: Any) -> ImageSpec:
    parent = directory("tmp", 0o1777) if path.startswith("tmp/") else directory("bin")
    return app(add(parent, file(path, programs.hello(), mode, uid, uid), by="COPY tool # buildkit"), **changes)


def _step(line: str, empty: bool = True) -> Step:
    return Step(created_by=line, empty=empty, comment="buildkit.dockerfile.v0")


_BASE = _step("ADD rootfs.tar / # buildkit", False)


def _inherited(cmd_last: bool) -> ImageSpec:
    tool = add(file("bin/tool", programs.hello("tool\n"), 0o755), by="COPY tool /bin/ # buildkit")
    entry, cmd = _step('ENTRYPOINT ["/bin/hello"]'), _step('CMD ["--loud"]')
    copy = _step("COPY tool /bin/ # buildkit", False)
    history = [_BASE, entry, copy, cmd] if cmd_last else [_BASE, copy, entry, cmd]
    return app(tool, cmd=["--loud"], history=history)


def _shell(line: str, **changes: Any) -> ImageSpec:
    return app(entrypoint=None, cmd=["/bin/sh", "-c", line], **changes)


def _setcap(kept: bool) -> ImageSpec:
    xattrs = ((b"security.capability", _NET_BIND),) if kept else ()
    tool = add(file("bin/tool", programs.hello("tool\n"), 0o755, xattrs=xattrs), by="COPY --from=build /tool /bin/")
    history = [
        _BASE,
        _step("RUN /bin/sh -c setcap cap_net_bind_service=p /bin/tool # buildkit", True),
        _step("COPY --from=build /tool /bin/ # buildkit", False),
    ]
    return app(tool, history=history)


def _healthcheck_history(lost: bool) -> ImageSpec:
    history = [_BASE, _step('HEALTHCHECK &{["CMD" "/bin/hello"] "0s" "0s" "0s" "0s" \'\\x00\'}')]
    return app(history=history, healthcheck=None if lost else {"Test": ["CMD", "/bin/hello"]})


_GO = programs.hello() + b"\0crypto/x509.(*Certificate).Verify\0"

RECIPES: dict[str, Recipe] = {
    # ---- it will not start
    "CRLF-SHEBANG": Recipe(bad=lazy(entrypoint, '#!/bin/sh\r\nexec "$@"\r\n'), good=good_script),
    "MISSING-LOADER": Recipe(
        bad=lazy(_program, elf(interpreter=LOADERS["amd64"], needed=["libc.so.6"])),
        good=lazy(_program, programs.hello("static\n")),
    ),
    "GLIBC-TOO-OLD": Recipe(bad=lazy(_glibc, "GLIBC_2.28"), good=lazy(_glibc, "GLIBC_2.34")),
    "WRONG-ARCHITECTURE": Recipe(
        bad=lazy(_program, programs.hello(architecture="arm64")), good=lazy(_program, programs.hello("amd64\n"))
    ),
    "NO-SHEBANG": Recipe(bad=lazy(entrypoint, 'exec "$@"\n'), good=good_script),
    "NOT-EXECUTABLE": Recipe(bad=lazy(entrypoint, GOOD_SCRIPT, 0o644), good=good_script),
    "ROOT-ONLY-PROGRAM": Recipe(
        bad=lazy(_program, programs.hello("mine\n"), 0o700), good=lazy(_program, programs.hello("mine\n"), 0o755)
    ),
    "DIRECTORY-AS-COMMAND": Recipe(bad=lazy(app, entrypoint=["/home"]), good=sound),
    "PATH-SKIPS-FILE": Recipe(
        bad=lazy(_tool, "bin/tool", 0o644, entrypoint=["tool"]), good=lazy(_tool, "bin/tool", entrypoint=["tool"])
    ),
    "MISSING-INTERPRETER": Recipe(bad=lazy(entrypoint, '#!/bin/bash\nexec "$@"\n'), good=good_script),
    "COMMAND-NOT-FOUND": Recipe(bad=lazy(app, entrypoint=["no-such-program"]), good=lazy(app, entrypoint=["hello"])),
    "COMMAND-MISSING": Recipe(bad=lazy(app, entrypoint=["/app/server"]), good=sound),
    "LINK-LOOP": Recipe(
        bad=lambda: app(add(symlink("bin/a", "b"), symlink("bin/b", "a")), entrypoint=["/bin/a"]),
        good=lambda: app(add(symlink("bin/a", "hello")), entrypoint=["/bin/a"]),
    ),
    "EMPTY-COMMAND": Recipe(bad=lazy(app, entrypoint=["", "--loud"]), good=sound),
    "SHELL-STRING": Recipe(
        bad=lazy(app, entrypoint=["/bin/hello --loud"]), good=lazy(app, entrypoint=["/bin/hello", "--loud"])
    ),
    "RELATIVE-PATH-HIT": Recipe(
        bad=lazy(_tool, "tmp/tool", uid=1000, entrypoint=["tool"], env=["PATH=.:/bin"], workdir="/tmp"),
        good=lazy(_tool, "bin/tool", entrypoint=["tool"], env=["PATH=/bin"], workdir="/home/app"),
    ),
    "LOST-PATH": Recipe(
        bad=lazy(app, entrypoint=["hello"], env=["PATH=$PATH:/app/bin"]),
        good=lazy(app, entrypoint=["hello"], env=["PATH=/bin:/app/bin"]),
    ),
    "UNKNOWN-USER": Recipe(bad=lazy(app, user="shop"), good=sound),
    "UNKNOWN-GROUP": Recipe(bad=lazy(app, user="1000:shop"), good=lazy(app, user="1000:app")),
    "WORKDIR-BLOCKED": Recipe(bad=lazy(app, workdir="/etc/passwd"), good=lazy(app, workdir="/home/app")),
    "NAMELESS-VARIABLE": Recipe(bad=lazy(app, env=[PATH, "=value"]), good=lazy(app, env=[PATH, "NAME=value"])),
    "INTERPRETER-BLOCKED": Recipe(
        bad=lambda: app(
            add(file("entrypoint.sh", "#!/bin/own\n", 0o755), file("bin/own", programs.sh(), 0o644)),
            entrypoint=["/entrypoint.sh"],
        ),
        good=lambda: app(
            add(file("entrypoint.sh", '#!/bin/own\nexec "$@"\n', 0o755), file("bin/own", programs.sh(), 0o755)),
            entrypoint=["/entrypoint.sh"],
            cmd=["/bin/hello"],
        ),
    ),
    "SHEBANG-LIMIT": Recipe(bad=lazy(entrypoint, "#!/entrypoint.sh\n"), good=good_script),
    "SETCAP-BLOCKS-EXEC": Recipe(
        bad=lambda: app(
            add(file("bin/tool", programs.hello("tool\n"), 0o755, xattrs={"security.capability": _NET_ADMIN})),
            entrypoint=["/bin/tool"],
        ),
        good=lambda: app(
            add(file("bin/tool", programs.hello("tool\n"), 0o755, xattrs={"security.capability": _NET_BIND})),
            entrypoint=["/bin/tool"],
        ),
    ),
    "ARGUMENT-TOO-LONG": Recipe(bad=lambda: app(env=[PATH, "CERT=" + "x" * 131_072]), good=sound),
    "SCRIPT-UNREADABLE": Recipe(bad=lazy(entrypoint, GOOD_SCRIPT, 0o711), good=good_script),
    "MISSING-LIBRARY": Recipe(
        bad=lambda: _musl(_musl_program(needed=["libshop.so.1"])),
        good=lambda: _musl(_musl_program(needed=["libshop.so.1"]), "libshop.so.1"),
    ),
    "LDCONF-NOT-CACHED": Recipe(bad=_configured, good=lazy(_configured, runpath="/opt/shop")),
    "UNDEFINED-SYMBOL": Recipe(
        bad=lambda: _glibc("GLIBC_2.34", damaged=True),
        good=lambda: _glibc("GLIBC_2.34"),
    ),
    "NO-SHELL-FOR-SHELL-FORM": Recipe(
        bad=lambda: app(
            base=rootfs(without=["bin/sh", "bin/dash"]), entrypoint=None, cmd=["/bin/sh", "-c", "/bin/hello"]
        ),
        good=sound,
    ),
    "SHELL-LINE-FAILS": Recipe(bad=lazy(_shell, "exec /bin/nothing-here"), good=lazy(_shell, "exec /bin/hello")),
    "WRAPPER-FAILS": Recipe(
        bad=lambda: app(
            add(file("bin/tini", programs.sh(), 0o755)), entrypoint=["/bin/tini", "--", "/bin/nothing-here"]
        ),
        good=sound,
        also=("INIT-INSIDE",),
    ),
    "VOLUME-OVER-FILE": Recipe(bad=lazy(app, volumes=["/etc/passwd"]), good=sound, also=("ANONYMOUS-VOLUME",)),
    "PASSWD-UNUSABLE": Recipe(
        bad=lambda: app(base=rootfs(directory("etc/passwd"), without=["etc/passwd"]), user="app"),
        good=sound,
    ),
    # ---- what it asks for
    "NO-COMMAND": Recipe(bad=lazy(app, entrypoint=None), good=sound),
    "SHELL-PID1": Recipe(bad=lazy(_shell, "/bin/hello; true"), good=lazy(_shell, "exec /bin/hello")),
    "SCRIPT-WITHOUT-EXEC": Recipe(bad=lazy(entrypoint, "#!/bin/sh\n/bin/hello\n"), good=good_script),
    "PACKAGE-MANAGER-PID1": Recipe(
        bad=lambda: app(add(file("bin/npm", programs.hello(), 0o755)), entrypoint=["npm", "start"]),
        good=lambda: app(add(file("bin/node", programs.hello(), 0o755)), entrypoint=["node", "server.js"]),
    ),
    "NOT-EXPANDED": Recipe(
        bad=lazy(app, entrypoint=["/bin/hello", "--port", "$PORT"]),
        good=lazy(app, entrypoint=["/bin/hello", "--port", "8080"]),
    ),
    "JSON-TO-SHELL": Recipe(
        bad=lazy(_shell, "['/bin/hello', '--loud']"),
        good=lazy(app, entrypoint=None, cmd=["/bin/hello", "--loud"]),
        also=("SHELL-LINE-FAILS",),
    ),
    "CMD-UNREAD": Recipe(
        bad=lazy(app, entrypoint=["/bin/sh", "-c", "exec /bin/hello"], cmd=["--loud"]),
        good=lazy(app, entrypoint=["/bin/sh", "-c", 'exec /bin/hello "$@"', "sh"], cmd=["--loud"]),
    ),
    "CMD-WITH-SHELL-WORDS": Recipe(bad=lazy(app, cmd=["/bin/sh", "-c", "--loud"]), good=lazy(app, cmd=["--loud"])),
    "INHERITED-ENTRYPOINT": Recipe(bad=lazy(_inherited, True), good=lazy(_inherited, False)),
    "INIT-INSIDE": Recipe(
        bad=lambda: app(add(file("bin/tini", programs.sh(), 0o755)), entrypoint=["/bin/tini", "--", "/bin/hello"]),
        good=sound,
    ),
    "MACHINE-IN-DISGUISE": Recipe(
        bad=lambda: app(add(file("bin/crond", programs.hello(), 0o755)), entrypoint=["crond", "-f"]), good=sound
    ),
    "BAD-STOPSIGNAL": Recipe(bad=lazy(app, stop_signal="SIGTREM"), good=lazy(app, stop_signal="SIGTERM")),
    "ONBUILD": Recipe(bad=lazy(app, onbuild=["RUN make"]), good=sound),
    "SHEBANG-ONE-ARGUMENT": Recipe(
        bad=lambda: app(
            add(
                directory("usr"),
                directory("usr/bin"),
                file("usr/bin/env", programs.hello(), 0o755),
                file("tool.py", "#!/usr/bin/env python -u\nprint()\n", 0o755),
            ),
            entrypoint=["/tool.py"],
        ),
        good=good_script,
    ),
    # ---- who it is
    "GROUP-LOST-ON-KUBERNETES": Recipe(bad=lazy(app, user="1000:0"), good=lazy(app, user="1000:1000")),
    "NAMED-USER": Recipe(bad=lazy(app, user="app"), good=sound),
    "UID-WITHOUT-NAME": Recipe(bad=lazy(app, user="1234"), good=sound),
    "HOME-OF-SOMEBODY-ELSE": Recipe(
        bad=lazy(app, env=[PATH, "HOME=/root"]), good=lazy(app, env=[PATH, "HOME=/home/app"])
    ),
    "HOME-MISSING": Recipe(bad=lambda: app(base=rootfs(without=["home/app"])), good=sound),
    "PASSWD-COMMENT": Recipe(bad=lambda: app(base=rootfs(passwd="# users of this image\n" + PASSWD)), good=sound),
    "PASSWD-TYPO": Recipe(
        bad=lambda: app(base=rootfs(passwd=PASSWD + "shop:x:oops:1001:shop:/home/app:/bin/sh\n")),
        good=lambda: app(base=rootfs(passwd=PASSWD + "shop:x:1001:1001:shop:/home/app:/bin/sh\n")),
    ),
    "WORKDIR-NOT-OWNED": Recipe(
        bad=lambda: app(add(directory("srv"), by="WORKDIR /srv"), workdir="/srv"),
        good=lambda: app(add(directory("srv", 0o755, 1000, 1000), by="WORKDIR /srv"), workdir="/srv"),
    ),
    "RELATIVE-WORKDIR": Recipe(bad=lazy(app, workdir="home/app"), good=lazy(app, workdir="/home/app")),
    "NO-TMP": Recipe(
        bad=lambda: app(base=rootfs(directory("tmp", 0o755), without=["tmp"])),
        good=sound,
    ),
    "LOG-LINK": Recipe(
        bad=lambda: app(add(directory("var"), directory("var/log"), symlink("var/log/app.log", "/dev/stdout"))),
        good=sound,
    ),
    "SETUID-UNDER-NNP": Recipe(
        bad=lambda: app(add(file("bin/su", programs.hello("su\n"), 0o4755))),
        good=lambda: app(add(file("bin/su", programs.hello("su\n"), 0o755))),
    ),
    "SETCAP-LOST": Recipe(bad=lazy(_setcap, False), good=lazy(_setcap, True)),
    # ---- environment and network
    "NO-PATH": Recipe(bad=lazy(app, env=["PORT=8080"]), good=sound),
    "ENV-ASKS-THE-HOST": Recipe(bad=lazy(app, env=[PATH, "AWS_*"]), good=sound, also=("NAMELESS-VARIABLE",)),
    "ENV-TWICE": Recipe(bad=lazy(app, env=[PATH, "PORT=1", "PORT=2"]), good=lazy(app, env=[PATH, "PORT=2"])),
    "PRIVILEGED-PORT": Recipe(
        bad=lazy(app, ports=["80/tcp"], healthcheck={"Test": ["CMD", "/bin/hello"]}),
        good=lazy(app, ports=["8080/tcp"], healthcheck={"Test": ["CMD", "/bin/hello"]}),
    ),
    "EXPOSE-IS-A-NOTE": Recipe(
        bad=lazy(app, ports=["http"], healthcheck={"Test": ["CMD", "/bin/hello"]}),
        good=lazy(app, ports=["8080/tcp"], healthcheck={"Test": ["CMD", "/bin/hello"]}),
    ),
    # ---- health
    "HEALTHCHECK-LOST": Recipe(bad=lazy(_healthcheck_history, True), good=lazy(_healthcheck_history, False)),
    "HEALTHCHECK-CANNOT-RUN": Recipe(
        bad=lazy(app, healthcheck={"Test": ["CMD", "curl", "-f", "http://localhost/"]}),
        good=lazy(app, healthcheck={"Test": ["CMD", "/bin/hello"]}),
    ),
    "NO-HEALTHCHECK": Recipe(
        bad=lazy(app, ports=["8080/tcp"]),
        good=lazy(app, ports=["8080/tcp"], healthcheck={"Test": ["CMD", "/bin/hello"]}),
    ),
    "NO-SHELL-INSIDE": Recipe(bad=lambda: app(base=rootfs(without=["bin/sh", "bin/dash"])), good=sound),
    "NO-CERTIFICATES": Recipe(
        bad=lazy(_program, _GO),
        good=lambda: app(
            add(
                directory("app"),
                file("app/server", _GO, 0o755),
                directory("etc/ssl"),
                directory("etc/ssl/certs"),
                file("etc/ssl/certs/ca-certificates.crt", noise("roots", 1000)),
            ),
            entrypoint=["/app/server"],
        ),
    ),
}
