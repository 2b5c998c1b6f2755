"""Scenarios of S8 and S9: loaders, shells, scripts, env, tini, gosu; the programs are this machine's own."""

from __future__ import annotations

from typing import Any

from model import SOURCES, busybox, from_machine, scenario, script

from imagepeel import forge
from imagepeel.forge import Entry, elf

F, D, L = forge.file, forge.directory, forge.symlink
LD_SO = "lib64/ld-linux-x86-64.so.2"
LIBRARIES = "lib/x86_64-linux-gnu"
GLIBC = (
    F(LD_SO, from_machine("/lib64/ld-linux-x86-64.so.2"), 0o755),
    F(f"{LIBRARIES}/libc.so.6", from_machine("/lib/x86_64-linux-gnu/libc.so.6"), 0o755),
)
MUSL = (F("lib/ld-musl-x86_64.so.1", from_machine("/lib/ld-musl-x86_64.so.1"), 0o755),)
TINFO = F(f"{LIBRARIES}/libtinfo.so.6", from_machine("/lib/x86_64-linux-gnu/libtinfo.so.6"), 0o644)


def program(path: str, source: str) -> Entry:
    return F(path, from_machine(source), 0o755)


DASH = (*GLIBC, program("bin/sh", "/usr/bin/dash"))
BASH = (*GLIBC, TINFO, program("bin/bash", "/usr/bin/bash"), L("bin/sh", "bash"))
BUSYBOX = busybox("sh", "cat", "env", "true", "id", "nice", "sleep", "setsid", "timeout", "chroot", "su")
ENV = (*GLIBC, program("usr/bin/env", "/usr/bin/env"))

# S8: what the loader says about real programs whose libraries are missing or wrong
ENV_PROGRAM = from_machine("/usr/bin/env")
SETPRIV = from_machine("/usr/bin/setpriv")
CAP_NG = from_machine("/lib/x86_64-linux-gnu/libcap-ng.so.0")
CAP_NG_PATH = f"{LIBRARIES}/libcap-ng.so.0"


def derived(data: bytes, source: str) -> bytes:
    """Bytes made of a file of this machine: absent with it."""
    SOURCES.setdefault(data, source)
    return data


def elf_hash(name: bytes) -> int:
    """The SysV hash of a symbol or version name."""
    value = 0
    for byte in name:
        value = (value << 4) + byte
        value = (value ^ (value & 0xF0000000) >> 24) & 0x0FFFFFFF
    return value


def renamed_version(data: bytes, old: bytes, new: bytes) -> bytes:
    """A program that asks for another version of a library: name and hash changed in place."""
    changed = data.replace(b"\0" + old + b"\0", b"\0" + new + b"\0")
    return changed.replace(elf_hash(old).to_bytes(4, "little"), elf_hash(new).to_bytes(4, "little"))


def with_musl(data: bytes) -> bytes:
    """A glibc program that names musl's loader."""
    old, new = b"/lib64/ld-linux-x86-64.so.2\0", b"/lib/ld-musl-x86_64.so.1\0"
    return data.replace(old, new.ljust(len(old), b"\0"), 1)


def loads(name: str, rows: str, expect: str, data: bytes, *more: Entry, **config: Any) -> None:
    config.setdefault("entrypoint", ["/e", "--version"])
    scenario(f"loader-{name}", rows, expect, F("e", data, 0o755), *more, **config)


loads("all-there", "S8", "RUNS", SETPRIV, *GLIBC, F(CAP_NG_PATH, CAP_NG))
loads("library-missing", "S8 F30", "F30", SETPRIV, *GLIBC)
loads("libc-missing", "S8 F30", "F30", ENV_PROGRAM, GLIBC[0])
loads("library-only-in-ld-so-conf", "S8 F30 W64", "F30", SETPRIV, *GLIBC, F("etc/ld.so.conf", "/opt/lib\n"),
      F("opt/lib/libcap-ng.so.0", CAP_NG, 0o755))  # fmt: skip
loads("library-path-variable", "S8", "RUNS", SETPRIV, *GLIBC, F("opt/lib/libcap-ng.so.0", CAP_NG, 0o755),
      env=["LD_LIBRARY_PATH=/nope:/opt/lib"])  # fmt: skip
loads("library-path-variable-setuid", "S8", "F30", SETPRIV, *GLIBC, F("opt/lib/libcap-ng.so.0", CAP_NG, 0o755),
      F("s", SETPRIV, 0o4755), env=["LD_LIBRARY_PATH=/opt/lib"], user="app",
      entrypoint=["/s", "--version"])  # fmt: skip
loads("library-dangling-link", "S8 F30", "F30", SETPRIV, *GLIBC, L(CAP_NG_PATH, "libcap-ng.so.0.0.0"))
loads("library-link", "S8", "RUNS", SETPRIV, *GLIBC, L(CAP_NG_PATH, "/opt/x.so"), F("opt/x.so", CAP_NG))
loads("library-in-usr-lib", "S8", "RUNS", SETPRIV, *GLIBC, F("usr/lib/libcap-ng.so.0", CAP_NG))
loads("library-in-lib64", "S8 F30", "F30", SETPRIV, *GLIBC, F("lib64/libcap-ng.so.0", CAP_NG))
loads("library-empty", "S8 F33", "F33", SETPRIV, *GLIBC, F(CAP_NG_PATH, ""))
loads("library-is-text", "S8 F33", "F33", SETPRIV, *GLIBC, F(CAP_NG_PATH, "INPUT(x)\n" * 20))
loads("library-is-a-directory", "S8 F33", "F33", SETPRIV, *GLIBC, D(CAP_NG_PATH))
loads("library-other-architecture", "S8 F30", "F30", SETPRIV, *GLIBC, F(CAP_NG_PATH, elf.elf("arm64", soname="x")))
loads("library-unreadable", "S8 F30", "F30", SETPRIV, *GLIBC, F(CAP_NG_PATH, CAP_NG, 0o600), user="app")
loads("library-unreadable-but-root", "S8", "RUNS", SETPRIV, *GLIBC, F(CAP_NG_PATH, CAP_NG, 0o000))
loads("version-too-new", "S8 F32 W3", "F32",
      derived(renamed_version(ENV_PROGRAM, b"GLIBC_2.34", b"GLIBC_2.99"), "/usr/bin/env"), *GLIBC)  # fmt: skip
loads("musl-library-missing", "S8 F31", "F31", derived(with_musl(SETPRIV), "/usr/bin/setpriv"), *MUSL)
loads("musl-as-glibc-loader", "S8 F33", "F33", ENV_PROGRAM, L(LD_SO, "/lib/ld-musl-x86_64.so.1"), *MUSL)
loads("preload-missing-only-warns", "S8", "RUNS", ENV_PROGRAM, *GLIBC, env=["LD_PRELOAD=/nope.so"])
loads("ld-so-preload-missing-only-warns", "S8", "RUNS", ENV_PROGRAM, *GLIBC, F("etc/ld.so.preload", "/nope.so\n"))

# env
scenario("env-program", "S9 W9", "RUNS", *ENV, entrypoint=["/usr/bin/env", "report", "x"])
scenario("env-program-bare", "S9", "RUNS", *ENV, entrypoint=["env", "/bin/report", "x"])
scenario("env-assignment", "S9", "RUNS", *ENV, entrypoint=["env", "B=2", "report"], env=["A=1"])
scenario("env-unset", "S9", "RUNS", *ENV, entrypoint=["env", "-u", "A", "report"], env=["A=1", "B=2"])
scenario("env-ignore", "S9", "RUNS", *ENV, entrypoint=["env", "-i", "C=3", "/bin/report"], env=["A=1"])
scenario("env-missing-program", "S9 F21", "F21", *ENV, entrypoint=["env", "nope"])
scenario("env-missing-path", "S9 F21", "F21", *ENV, entrypoint=["env", "/nope"])
scenario("env-not-executable", "S9 F21", "F21", *ENV, entrypoint=["env", "/etc/passwd"])
scenario("env-shebang", "S7 S9", "RUNS", *ENV, script("e", "#!/usr/bin/env report\n"), entrypoint=["/e"], cmd=["a"])
scenario("env-shebang-missing", "S9 F21", "F21", *ENV, script("e", "#!/usr/bin/env nope\n"), entrypoint=["/e"])
scenario("env-shebang-crlf", "S9 F21", "F21", *ENV, script("e", "#!/usr/bin/env report\r\n"), entrypoint=["/e"])
scenario(
    "env-shebang-two-words", "S9 F21 W9", "F21", *ENV, script("e", "#!/usr/bin/env report -u\n"), entrypoint=["/e"]
)
scenario("env-shebang-split", "S9", "RUNS", *ENV, script("e", "#!/usr/bin/env -S report -u\n"), entrypoint=["/e"])
scenario("env-busybox", "S9", "RUNS", *BUSYBOX, entrypoint=["env", "report", "x"])
scenario("env-busybox-missing", "S9 F21", "F21", *BUSYBOX, entrypoint=["env", "nope"])
scenario("env-busybox-shebang-missing", "S9 F21", "F21", *BUSYBOX, L("usr/bin/env", "/bin/env"),
         script("e", "#!/usr/bin/env python3\n"), entrypoint=["/e"])  # fmt: skip

# shell -c: who is process 1 in the end
TAILS = {
    "simple": "report a b",
    "assignment": "A=1 report",
    "and": "cd /etc && report",
    "semicolon": "true; report",
    "export": "export X=1; report",
    "redirect": "report 2>/dev/null",
    "subshell": "(report)",
    "group": "{ report; }",
    "if": "if true; then report; fi",
    "or": "report || true",
    "then-true": "report; true",
    "pipe": "report | cat",
    "trap": "trap : TERM; report",
    "exec": "exec report x",
    "and-exec": "true && exec report",
    "quoted": "report 'a b' \"c d\"",
    "comment": "report # not an argument",
}
for shell, entries, path in (("dash", DASH, "/bin/sh"), ("bash", BASH, "/bin/bash"), ("busybox", BUSYBOX, "/bin/sh")):
    more = () if shell == "busybox" else (program("bin/cat", "/usr/bin/cat"),)
    for tail, text in TAILS.items():
        scenario(f"tail-{shell}-{tail}", "S9 W10", "RUNS", *entries, *more, entrypoint=[path, "-c", text])
    scenario(f"tail-{shell}-dollar-zero", "S9 W16", "RUNS", *entries, entrypoint=[path, "-c", "report", "zero", "one"])
    scenario(f"tail-{shell}-arguments", "S9 W16", "RUNS", *entries,
             entrypoint=[path, "-c", 'exec report "$@"', "zero", "one", "two words"])  # fmt: skip
    scenario(f"shell-{shell}-not-found", "S9 F35", "F35", *entries, entrypoint=[path, "-c", "nope"])
    scenario(f"shell-{shell}-not-found-path", "S9 F35", "F35", *entries, entrypoint=[path, "-c", "/nope x"])
    scenario(f"shell-{shell}-not-executable", "S9 F35", "F35", *entries, entrypoint=[path, "-c", "/etc/passwd"])
    scenario(f"shell-{shell}-exec-not-found", "S9 F35", "F35", *entries, entrypoint=[path, "-c", "exec nope"])
    scenario(f"shell-{shell}-script-unreadable", "S9 F29 W53", "F29", *entries,
             script("e", f"#!{path}\nreport\n", 0o711), entrypoint=["/e"], user="app")  # fmt: skip
    scenario(f"script-{shell}-last-line", "S9 W11", "RUNS", *entries, script("e", f"#!{path}\nreport a\n"),
             entrypoint=["/e"])  # fmt: skip
    scenario(f"script-{shell}-exec", "S9", "RUNS", *entries, script("e", f"#!{path}\nset -e\nexec report a\n"),
             entrypoint=["/e"])  # fmt: skip
    scenario(f"script-{shell}-exec-arguments", "S9", "RUNS", *entries, script("e", f'#!{path}\nexec "$@"\n'),
             entrypoint=["/e"], cmd=["report", "x y", "z"])  # fmt: skip
    scenario(f"script-{shell}-arguments-no-exec", "S9 W11", "RUNS", *entries, script("e", f'#!{path}\n"$@"\n'),
             entrypoint=["/e"], cmd=["report", "x y"])  # fmt: skip
    scenario(f"script-{shell}-no-newline", "S9", "RUNS", *entries, script("e", f'#!{path}\nexec "$@"'),
             entrypoint=["/e"], cmd=["report"])  # fmt: skip
    scenario(f"script-{shell}-read-by-argument", "S9", "RUNS", *entries, script("e", 'exec "$@"\n', 0o644),
             entrypoint=[path, "/e"], cmd=["report", "q"])  # fmt: skip
    scenario(f"script-{shell}-exec-missing", "S9 F35", "F35", *entries, script("e", f"#!{path}\nexec nope\n"),
             entrypoint=["/e"])  # fmt: skip

# inits and user switchers
TINI = (*GLIBC, program("usr/bin/tini", "/usr/bin/tini"))
DUMB = (*GLIBC, program("usr/bin/dumb-init", "/usr/bin/dumb-init"))
GOSU = (program("usr/sbin/gosu", "/usr/sbin/gosu"),)
scenario("tini", "S9 F36", "RUNS", *TINI, entrypoint=["tini", "--", "report", "a"])
scenario("tini-options", "S9 F36", "RUNS", *TINI, entrypoint=["tini", "-s", "-g", "--", "/bin/report"])
scenario("tini-missing", "S9 F36", "F36", *TINI, entrypoint=["tini", "--", "nope"])
scenario("tini-missing-path", "S9 F36", "F36", *TINI, entrypoint=["tini", "/nope"])
scenario("tini-not-executable", "S9 F36", "F36", *TINI, entrypoint=["tini", "--", "/etc/passwd"])
scenario("tini-script-without-shebang", "S9 F36", "RUNS", *TINI, *BUSYBOX, script("e", "report x\n"),
         entrypoint=["tini", "--", "/e"])  # fmt: skip
scenario("dumb-init", "S9 F36", "RUNS", *DUMB, entrypoint=["dumb-init", "report", "a"])
scenario("dumb-init-dashes", "S9 F36", "RUNS", *DUMB, entrypoint=["dumb-init", "--", "report", "a"])
scenario("dumb-init-missing", "S9 F36", "F36", *DUMB, entrypoint=["dumb-init", "nope"])
scenario("gosu", "S9 F36", "RUNS", *GOSU, entrypoint=["gosu", "app", "report", "a"])
scenario("gosu-number", "S9 F36", "RUNS", *GOSU, entrypoint=["gosu", "999", "report"])
scenario("gosu-group", "S9 F36", "RUNS", *GOSU, entrypoint=["gosu", "app:extra", "report"])
scenario("gosu-unknown-user", "S9 F36", "F36", *GOSU, entrypoint=["gosu", "ghost", "report"])
scenario("gosu-missing-program", "S9 F36", "F36", *GOSU, entrypoint=["gosu", "app", "nope"])
scenario("gosu-in-script", "S9 F36", "RUNS", *BUSYBOX, *GOSU, script("e", '#!/bin/sh\nexec gosu app "$@"\n'),
         entrypoint=["/e"], cmd=["report", "z"])  # fmt: skip
scenario("setpriv", "S9", "RUNS", *GLIBC, program("usr/bin/setpriv", "/usr/bin/setpriv"),
         F(f"{LIBRARIES}/libcap-ng.so.0", from_machine("/lib/x86_64-linux-gnu/libcap-ng.so.0"), 0o644),
         entrypoint=["setpriv", "--reuid", "1234", "--regid", "1234", "--clear-groups", "report"])  # fmt: skip
scenario("interpreter-is-real", "S8", "RUNS", *DASH, entrypoint=["/bin/sh", "-c", ":"])
scenario("report-through-glibc-env-user", "S8 S9", "RUNS", *ENV, entrypoint=["env", "report"], user="app")

# other programs that become or start a program
for name, source, words in (
    ("nice", "/usr/bin/nice", ["nice", "-n", "5", "report", "x"]),
    ("nohup", "/usr/bin/nohup", ["nohup", "report", "x"]),
    ("setsid", "/usr/bin/setsid", ["setsid", "report", "x"]),
    ("timeout", "/usr/bin/timeout", ["timeout", "10", "report", "x"]),
    ("chroot", "/usr/sbin/chroot", ["chroot", "/", "report", "x"]),
):
    scenario(f"wrapper-{name}", "S9", "RUNS", *GLIBC, program(f"usr/bin/{name}", source), entrypoint=words)
    if name == "setsid":  # it forks when it is process 1, and the container ends with it
        continue
    missing = [*words[: words.index("report")], "nope"]
    scenario(f"wrapper-{name}-missing", "S9 F21", "F21", *GLIBC, program(f"usr/bin/{name}", source), entrypoint=missing)
scenario("chain-tini-script-gosu", "S9", "RUNS", *TINI, *GOSU, *BUSYBOX, script("e", '#!/bin/sh\nset -e\nexec "$@"\n'),
         entrypoint=["tini", "--", "/e"], cmd=["gosu", "app", "report", "z"])  # fmt: skip
scenario("chain-env-script-env", "S9", "RUNS", *ENV, *BUSYBOX, script("e", '#!/bin/sh\nexec env X=1 "$@"\n'),
         entrypoint=["/usr/bin/env", "/e"], cmd=["report", "z"])  # fmt: skip
scenario("script-if-serve", "S9", "RUNS", *BUSYBOX,
         script("e", '#!/bin/sh\nif [ "$1" = serve ]; then\n  set -- report "$@"\nfi\nexec "$@"\n'),
         entrypoint=["/e"], cmd=["serve", "all"])  # fmt: skip
scenario("script-option-becomes-program", "S9", "RUNS", *BASH,
         script("e", '#!/bin/bash\nif [ "${1:0:1}" = "-" ]; then\n  set -- report "$@"\nfi\nexec "$@"\n'),
         entrypoint=["/e"], cmd=["-v"])  # fmt: skip
scenario("script-case", "S9", "RUNS", *DASH,
         script("e", '#!/bin/sh\ncase "$1" in\n  run) shift; exec report "$@" ;;\n  *) exec "$@" ;;\nesac\n'),
         entrypoint=["/e"], cmd=["run", "now"])  # fmt: skip
scenario("script-reads-variable", "S9", "RUNS", *DASH, script("e", '#!/bin/sh\nexec "${APP:-nope}" "$MODE"\n'),
         entrypoint=["/e"], env=["APP=report", "MODE=fast"])  # fmt: skip
scenario("script-default-of-variable", "S9", "RUNS", *DASH, script("e", '#!/bin/sh\n: "${APP:=report}"\nexec $APP a\n'),
         entrypoint=["/e"])  # fmt: skip
scenario("script-user-zero", "S9", "RUNS", *DASH, *GOSU,
         script("e", '#!/bin/sh\nif [ "$(id -u)" = 0 ]; then\n  exec gosu app "$0" "$@"\nfi\nexec "$@"\n'),
         program("usr/bin/id", "/usr/bin/id"),
         F(f"{LIBRARIES}/libselinux.so.1", from_machine("/lib/x86_64-linux-gnu/libselinux.so.1"), 0o644),
         F(f"{LIBRARIES}/libpcre2-8.so.0", from_machine("/usr/lib/x86_64-linux-gnu/libpcre2-8.so.0"), 0o644),
         entrypoint=["/e"], cmd=["report"])  # fmt: skip

scenario("busybox-applet-without-a-link", "S9", "RUNS", *busybox("sh"), entrypoint=["/bin/sh", "-c", "ls"])
scenario(
    "busybox-applet-without-a-link-exec", "S9 F35", "F35", *busybox("sh"), entrypoint=["/bin/sh", "-c", "exec nice"]
)
