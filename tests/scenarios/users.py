"""Scenarios of programs that switch the user, with and without the right to do it; the programs are this machine's."""

from __future__ import annotations

from typing import Any

from model import PASSWD, from_machine, scenario, script
from userland import BUSYBOX, DASH, GLIBC, GOSU, LIBRARIES, TINI, program

from imagepeel import forge
from imagepeel.forge import Entry

F, D, L = forge.file, forge.directory, forge.symlink


def library(*names: str) -> tuple[Entry, ...]:
    """Libraries of this machine at their usual place."""
    return tuple(F(f"{LIBRARIES}/{name}", from_machine(f"/usr/lib/x86_64-linux-gnu/{name}"), 0o644) for name in names)


def pam(service: str, *lines: str) -> Entry:
    return F(f"etc/pam.d/{service}", "".join(f"{line}\n" for line in lines))


SELINUX = library("libselinux.so.1", "libpcre2-8.so.0")
PAM = (
    *library("libpam.so.0", "libpam_misc.so.0", "libaudit.so.1", "libcap-ng.so.0", "libcrypt.so.1"),
    *library("security/pam_rootok.so", "security/pam_permit.so", "security/pam_unix.so", "security/pam_deny.so"),
    *SELINUX,
)
OPEN = ("auth sufficient pam_rootok.so", "auth required pam_unix.so", "account required pam_permit.so",
        "session required pam_permit.so")  # fmt: skip
DEFAULT = (*GLIBC, *PAM, F("etc/shadow", "root:*:19000:0:99999:7:::\napp:!:19000:0:99999:7:::\n", 0o640))
SU = (*DEFAULT, *DASH[2:], F("usr/bin/su", from_machine("/usr/bin/su"), 0o4755), pam("su", *OPEN), pam("su-l", *OPEN))
RUNUSER = (*DEFAULT, *DASH[2:], program("usr/sbin/runuser", "/usr/sbin/runuser"), pam("runuser", *OPEN))
SETPRIV = (*GLIBC, program("usr/bin/setpriv", "/usr/bin/setpriv"), *library("libcap-ng.so.0"))
CHROOT = (*GLIBC, program("usr/sbin/chroot", "/usr/sbin/chroot"))
DAEMON = (*GLIBC, program("usr/sbin/start-stop-daemon", "/usr/sbin/start-stop-daemon"))
SUDO = (
    *DEFAULT,
    *library("libz.so.1"),
    F("usr/lib/sudo/libsudo_util.so.0", from_machine("/usr/libexec/sudo/libsudo_util.so.0"), 0o644),
    F(f"{LIBRARIES}/libsudo_util.so.0", from_machine("/usr/libexec/sudo/libsudo_util.so.0"), 0o644),
    F("usr/libexec/sudo/sudoers.so", from_machine("/usr/libexec/sudo/sudoers.so"), 0o644),
    F("usr/libexec/sudo/libsudo_util.so.0", from_machine("/usr/libexec/sudo/libsudo_util.so.0"), 0o644),
    F("usr/bin/sudo", from_machine("/usr/bin/sudo"), 0o4755),
    F("etc/sudoers", "root ALL=(ALL:ALL) ALL\napp ALL=(ALL:ALL) NOPASSWD: ALL\n", 0o440),
    F("etc/sudo.conf", "Plugin sudoers_policy /usr/libexec/sudo/sudoers.so\n"),
    pam("sudo", *OPEN),
)
NO_IDS = {"cap_drop": ("SETUID", "SETGID")}
NO_UID = {"cap_drop": ("SETUID",)}
NO_GID = {"cap_drop": ("SETGID",)}
NOTHING = {"cap_drop": ("ALL",)}

EXPECT = {
    "F36": """
        busybox-su-as-user busybox-su-unknown chroot-group-only-as-app chroot-groups-as-app
        chroot-groups-none-as-app chroot-numbers-as-app chroot-plain-as-app chroot-unknown-as-app
        chroot-unknown-as-root chroot-user-as-app chroot-user-colon-as-app chroot-user-group-as-app
        chroot-without-right gosu-as-other-user gosu-as-user gosu-as-user-group gosu-as-user-to-root
        gosu-as-user-unknown-user gosu-behind-tini-as-user gosu-in-script-as-user gosu-root-without-gid
        gosu-set-uid gosu-set-uid-as-root gosu-twice gosu-without-anything gosu-without-gid gosu-without-ids
        gosu-without-uid runuser-c-as-user runuser-dash runuser-no-shell runuser-nologin runuser-root-as-user
        runuser-u-as-user runuser-u-unknown runuser-u-without-gid runuser-u-without-uid runuser-unknown
        runuser-unknown-as-user setpriv-gid-alone-as-app setpriv-gid-alone-as-root setpriv-gid-clear-as-app
        setpriv-groups-as-app setpriv-init-groups-alone-as-app setpriv-init-groups-alone-as-root
        setpriv-init-groups-as-app setpriv-init-groups-other-as-app setpriv-name-is-a-number-as-app
        setpriv-two-group-options-as-app setpriv-two-group-options-as-root setpriv-uid-clear-as-app
        setpriv-uid-number-as-app setpriv-unknown-group-as-app setpriv-unknown-group-as-root
        setpriv-unknown-user-as-app setpriv-unknown-user-as-root setpriv-without-gid setpriv-without-uid
        start-stop-daemon-as-user start-stop-daemon-missing su-no-shell su-nologin su-unknown su-unknown-as-user
        su-without-gid su-without-uid sudo-no-new-privs sudo-not-set-uid sudo-unknown-user
    """,
    "UNKNOWN": """
        start-stop-daemon-user-group su-c-as-user su-not-set-uid-as-user su-root-as-user sudo-as-stranger
        sudo-missing-program
    """,
}
"""The verdict of each start that does not simply run, as the real starts ended; the others run."""
VERDICTS = {name: verdict for verdict, names in EXPECT.items() for name in names.split()}


def start(name: str, *entries: Entry, options: dict[str, Any] | None = None, **config: Any) -> None:
    scenario(name, "S9 F36", VERDICTS.get(name, "RUNS"), *entries, options=options, **config)


# gosu
start("gosu-as-user", *GOSU, entrypoint=["gosu", "app", "report"], user="app")
start("gosu-as-other-user", *GOSU, entrypoint=["gosu", "app", "report"], user="2000")
start("gosu-as-user-to-root", *GOSU, entrypoint=["gosu", "root", "report"], user="app")
start("gosu-as-user-unknown-user", *GOSU, entrypoint=["gosu", "ghost", "report"], user="app")
start("gosu-as-user-group", *GOSU, entrypoint=["gosu", "app:extra", "report"], user="app")
for name, options in (("ids", NO_IDS), ("uid", NO_UID), ("gid", NO_GID), ("anything", NOTHING)):
    start(f"gosu-without-{name}", *GOSU, entrypoint=["gosu", "app", "report"], options=options)
start("gosu-root-without-uid", *GOSU, entrypoint=["gosu", "root", "report"], options=NO_UID)
start("gosu-root-without-gid", *GOSU, entrypoint=["gosu", "root", "report"], options=NO_GID)
start("gosu-twice", *GOSU, entrypoint=["gosu", "app", "gosu", "app", "report"])
start("gosu-set-uid", F("usr/sbin/gosu", GOSU[0].data, 0o4755),
         entrypoint=["gosu", "app", "report"], user="app")  # fmt: skip
start("gosu-set-uid-as-root", F("usr/sbin/gosu", GOSU[0].data, 0o4755),
         entrypoint=["gosu", "app", "report"])  # fmt: skip
start("gosu-in-script-as-user", *DASH, *GOSU,
         script("e", '#!/bin/sh\nset -e\nexec gosu app "$@"\n'), entrypoint=["/e"], cmd=["report"],
         user="app")  # fmt: skip
start("gosu-behind-tini-as-user", *TINI, *GOSU, user="app",
         entrypoint=["tini", "--", "gosu", "app", "report"])  # fmt: skip

# setpriv
for name, words in {
    "uid": ["--reuid", "app"],
    "uid-number": ["--reuid", "1234"],
    "uid-clear": ["--reuid", "app", "--clear-groups"],
    "uid-keep": ["--reuid", "app", "--keep-groups"],
    "gid-alone": ["--regid", "app"],
    "gid-clear": ["--regid", "app", "--clear-groups"],
    "gid-keep": ["--regid", "app", "--keep-groups"],
    "init-groups": ["--reuid", "app", "--regid", "app", "--init-groups"],
    "init-groups-other": ["--reuid", "bob", "--regid", "app", "--init-groups"],
    "groups": ["--reuid", "app", "--regid", "app", "--groups", "extra,77"],
    "unknown-user": ["--reuid", "ghost", "--clear-groups"],
    "unknown-group": ["--regid", "ghost", "--clear-groups"],
    "nothing": [],
    "no-new-privs": ["--no-new-privs"],
    "two-group-options": ["--clear-groups", "--keep-groups", "--regid", "app"],
    "init-groups-alone": ["--init-groups"],
    "name-is-a-number": ["--reuid", "1234", "--regid", "1234", "--init-groups"],
}.items():
    for who in ("root", "app"):
        start(f"setpriv-{name}-as-{who}", *SETPRIV, entrypoint=["setpriv", *words, "report"],
                 user="" if who == "root" else who)  # fmt: skip
start("setpriv-without-uid", *SETPRIV, options=NO_UID,
         entrypoint=["setpriv", "--reuid", "app", "--regid", "app", "--init-groups", "report"])  # fmt: skip
start("setpriv-without-gid", *SETPRIV, options=NO_GID,
         entrypoint=["setpriv", "--reuid", "app", "--regid", "app", "--init-groups", "report"])  # fmt: skip

# chroot --userspec
for name, words in {
    "user": ["--userspec", "app"],
    "user-group": ["--userspec", "app:extra"],
    "numbers": ["--userspec", "1234:5555"],
    "user-colon": ["--userspec", "app:"],
    "group-only": ["--userspec", ":extra"],
    "groups": ["--userspec", "app", "--groups", "extra,more"],
    "groups-none": ["--userspec", "app", "--groups", ""],
    "unknown": ["--userspec", "ghost"],
    "plain": [],
}.items():
    for who in ("root", "app"):
        start(f"chroot-{name}-as-{who}", *CHROOT, entrypoint=["chroot", *words, "/", "report"],
                 user="" if who == "root" else who)  # fmt: skip
start("chroot-without-right", *CHROOT, entrypoint=["chroot", "/", "report"],
         options={"cap_drop": ("SYS_CHROOT",)})  # fmt: skip

# su and runuser of util-linux, sudo
for name, words in {
    "c": ["app", "-c", "report a"],
    "c-exec": ["app", "-c", "exec report a"],
    "s": ["-s", "/bin/report", "app"],
    "s-c": ["-s", "/bin/sh", "app", "-c", "report"],
    "dash": ["-", "app", "-c", "/bin/report a"],
    "root": ["-c", "report"],
    "unknown": ["ghost", "-c", "report"],
    "no-shell": ["-s", "/nope", "app"],
    "group": ["-g", "extra", "app", "-c", "report"],
    "supp-group": ["-G", "wheel", "app", "-c", "report"],
    "nologin": ["locked", "-c", "report"],
}.items():
    for tool, parts in (("su", SU), ("runuser", RUNUSER)):
        more = (F("etc/passwd", PASSWD + "locked:x:3000:3000::/:/usr/sbin/nologin\n"),) if name == "nologin" else ()
        start(f"{tool}-{name}", *parts, *more, entrypoint=[tool, *words])
        if name in {"c", "root", "unknown"}:
            start(f"{tool}-{name}-as-user", *parts, entrypoint=[tool, *words], user="app")
start("runuser-u", *RUNUSER, entrypoint=["runuser", "-u", "app", "--", "report", "a"])
start("runuser-u-as-user", *RUNUSER, entrypoint=["runuser", "-u", "app", "report"], user="app")
start("runuser-u-unknown", *RUNUSER, entrypoint=["runuser", "-u", "ghost", "report"])
start("su-without-uid", *SU, entrypoint=["su", "app", "-c", "report"], options=NO_UID)
start("su-without-gid", *SU, entrypoint=["su", "app", "-c", "report"], options=NO_GID)
start("runuser-u-without-gid", *RUNUSER, entrypoint=["runuser", "-u", "app", "report"],
         options=NO_GID)  # fmt: skip
start("runuser-u-without-uid", *RUNUSER, entrypoint=["runuser", "-u", "app", "report"],
         options=NO_UID)  # fmt: skip
start("su-not-set-uid-as-user", *(e for e in SU if e.path != "usr/bin/su"),
         program("usr/bin/su", "/usr/bin/su"), entrypoint=["su", "app", "-c", "report"], user="bob")  # fmt: skip
start("sudo-u", *SUDO, entrypoint=["sudo", "-u", "app", "report", "a"])
start("sudo-as-user", *SUDO, entrypoint=["sudo", "report", "a"], user="app")
start("sudo-as-stranger", *SUDO, entrypoint=["sudo", "-n", "report"], user="bob")
start("sudo-no-new-privs", *SUDO, entrypoint=["sudo", "report"], user="app",
         options={"no_new_privileges": True})  # fmt: skip
start("sudo-not-set-uid", *(e for e in SUDO if e.path != "usr/bin/sudo"),
         program("usr/bin/sudo", "/usr/bin/sudo"), entrypoint=["sudo", "report"], user="app")  # fmt: skip
start("sudo-unknown-user", *SUDO, entrypoint=["sudo", "-u", "ghost", "report"])
start("sudo-missing-program", *SUDO, entrypoint=["sudo", "nope"])

# busybox
for name, words in {
    "c": ["app", "-c", "report a"],
    "c-exec": ["app", "-c", "exec report a"],
    "s": ["-s", "/bin/report", "app"],
    "unknown": ["ghost", "-c", "report"],
    "root": ["-c", "report"],
    "dash": ["-", "app", "-c", "/bin/report"],
}.items():
    start(f"busybox-su-{name}", *BUSYBOX, entrypoint=["su", *words])
start("busybox-su-as-user", *BUSYBOX, entrypoint=["su", "app", "-c", "report"], user="app")
for name, words in {
    "user": ["-S", "-c", "app", "-x", "/bin/report", "--", "a"],
    "exec": ["-S", "-x", "/bin/report"],
    "background": ["-S", "-b", "-x", "/bin/report"],
}.items():
    start(f"busybox-start-stop-daemon-{name}", *BUSYBOX, L("sbin/start-stop-daemon", "/bin/busybox"),
             entrypoint=["start-stop-daemon", *words])  # fmt: skip
for name, words in {
    "user": ["--start", "--chuid", "app", "--exec", "/bin/report", "--", "a"],
    "user-group": ["--start", "--chuid", "app:extra", "--startas", "/bin/report", "--", "a"],
    "exec": ["--start", "--exec", "/bin/report"],
    "background": ["--start", "--background", "--exec", "/bin/report"],
    "missing": ["--start", "--exec", "/nope"],
}.items():
    start(f"start-stop-daemon-{name}", *DAEMON, entrypoint=["start-stop-daemon", *words])
start("start-stop-daemon-as-user", *DAEMON, user="bob",
         entrypoint=["start-stop-daemon", "--start", "--chuid", "app", "--exec", "/bin/report"])  # fmt: skip
