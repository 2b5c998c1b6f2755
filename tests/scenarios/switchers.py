"""Scenarios of capsh, doas and sudo: programs that change who runs, and ask a file whether they may."""

from __future__ import annotations

from typing import Any

from model import from_machine, scenario
from userland import BASH, DASH
from users import DEFAULT, NO_GID, NO_IDS, NO_UID, OPEN, SUDO, library, pam

from imagepeel import forge
from imagepeel.forge import Entry

F, D = forge.file, forge.directory
CAPSH = (*BASH, *library("libcap.so.2"), F("usr/sbin/capsh", from_machine("/usr/sbin/capsh"), 0o755))


def start(name: str, expect: str, *entries: Entry, options: dict[str, Any] | None = None, **config: Any) -> None:
    scenario(name, "S9 F36", expect, *entries, options=options, **config)


RUN = ["--", "-c", "exec report a"]
for name, words, expect, user, options in (
    ("plain", RUN, "RUNS", "", {}),
    ("plain-as-user", RUN, "RUNS", "app", {}),
    ("arguments", ["--", "-c", 'exec report "$0" "$@"', "zero", "one"], "RUNS", "", {}),
    ("drop", ["--drop=cap_net_raw,cap_chown", *RUN], "RUNS", "", {}),
    ("drop-all", ["--drop=all", *RUN], "RUNS", "", {}),
    ("drop-as-user", ["--drop=cap_net_raw", *RUN], "F36", "app", {}),
    ("user", ["--user=app", *RUN], "RUNS", "", {}),
    ("user-unknown", ["--user=ghost", *RUN], "F36", "", {}),
    ("user-as-user", ["--user=app", *RUN], "F36", "app", {}),
    ("user-without-ids", ["--user=app", *RUN], "F36", "", NO_IDS),
    ("user-without-uid", ["--user=app", *RUN], "F36", "", NO_UID),
    ("user-without-gid", ["--user=app", *RUN], "F36", "", NO_GID),
    ("uid", ["--uid=1234", *RUN], "RUNS", "", {}),
    ("uid-name", ["--uid=app", *RUN], "F36", "", {}),
    ("uid-own", ["--uid=1234", *RUN], "RUNS", "app", {}),
    ("uid-other", ["--uid=0", *RUN], "F36", "app", {}),
    ("gid-uid", ["--gid=55", "--uid=1234", *RUN], "RUNS", "", {}),
    ("groups", ["--groups=extra,77", "--gid=55", "--uid=1234", *RUN], "RUNS", "", {}),
    ("groups-unknown", ["--groups=ghost", *RUN], "F36", "", {}),
    ("groups-as-user", ["--groups=77", *RUN], "F36", "app", {}),
    ("keep", ["--keep=1", "--user=app", "--inh=cap_net_raw", "--addamb=cap_net_raw", *RUN], "RUNS", "", {}),
    ("again", ["--user=app", "==", *RUN], "RUNS", "", {}),
    ("shell", ["--shell=/bin/report", "--", "a"], "RUNS", "", {}),
    ("shell-missing", ["--shell=/nope", "--", "a"], "F36", "", {}),
    ("nothing", ["--user=app"], "RUNS", "", {}),
    ("script", ["--user=app", "--", "/run.sh", "x"], "RUNS", "", {}),
):
    start(f"capsh-{name}", expect, *CAPSH, F("run.sh", "exec report $0 $1\n"), entrypoint=["capsh", *words], user=user,
          options=options)  # fmt: skip
start("capsh-no-bash", "F36", *DASH, *library("libcap.so.2"), CAPSH[-1], entrypoint=["capsh", *RUN])

DOAS_PROGRAM = F("usr/bin/doas", from_machine("/usr/bin/doas"), 0o4755)
DOAS = (*DEFAULT, DOAS_PROGRAM, pam("doas", *OPEN), D("run"))
for name, rules, words, expect, user, options in (
    ("user", "permit nopass app\n", ["report", "a"], "RUNS", "app", {}),
    ("user-as-root", "permit nopass app as root\n", ["report", "a"], "RUNS", "app", {}),
    ("user-as-other", "permit nopass app as bob\n", ["-u", "bob", "report", "a"], "RUNS", "app", {}),
    ("user-as-not-other", "permit nopass app as bob\n", ["report"], "F36", "app", {}),
    ("group", "permit nopass :wheel\n", ["report", "a"], "RUNS", "bob", {}),
    ("other-user", "permit nopass bob\n", ["report"], "F36", "app", {}),
    ("last-denies", "permit nopass app\ndeny app\n", ["report"], "F36", "app", {}),
    ("last-permits", "deny app\npermit nopass app\n", ["report", "a"], "RUNS", "app", {}),
    ("command", "permit nopass app cmd report\n", ["report", "a"], "RUNS", "app", {}),
    ("command-arguments", "permit nopass app cmd report args a\n", ["report", "a"], "RUNS", "app", {}),
    ("command-other-arguments", "permit nopass app cmd report args b\n", ["report", "a"], "F36", "app", {}),
    ("command-other", "permit nopass app cmd /bin/report\n", ["report", "a"], "F36", "app", {}),
    ("root", "permit nopass root\n", ["-u", "app", "report", "a"], "RUNS", "", {}),
    ("root-no-rule", "permit nopass app\n", ["-u", "app", "report"], "F36", "", {}),
    ("root-password", "permit root\n", ["-u", "app", "report", "a"], "UNKNOWN", "", {}),
    ("keepenv", "# rules\npermit nopass keepenv app as root\n", ["report", "a"], "RUNS", "app", {}),
    ("setenv", "permit nopass setenv { X=1 -HOME } app\n", ["report", "a"], "RUNS", "app", {}),
    ("empty", "", ["report"], "F36", "app", {}),
    ("missing-program", "permit nopass app\n", ["nope"], "UNKNOWN", "app", {}),
    ("unknown-user", "permit nopass app\n", ["-u", "ghost", "report"], "F36", "app", {}),
    ("syntax", "permit nopass\n", ["report"], "UNKNOWN", "app", {}),
    ("no-new-privs", "permit nopass app\n", ["report"], "F36", "app", {"no_new_privileges": True}),
    ("password", "permit app\n", ["report"], "UNKNOWN", "app", {}),
    ("no-prompt", "permit app\n", ["-n", "report"], "F36", "app", {}),
):
    start(f"doas-{name}", expect, *DOAS, F("etc/doas.conf", rules, 0o400), entrypoint=["doas", *words], user=user,
          options=options)  # fmt: skip
start("doas-no-config", "F36", *DOAS, entrypoint=["doas", "report"], user="app")
start("doas-config-writable", "F36", *DOAS, F("etc/doas.conf", "permit nopass app\n", 0o666),
      entrypoint=["doas", "report"], user="app")  # fmt: skip
start("doas-config-of-user", "F36", *DOAS, F("etc/doas.conf", "permit nopass app\n", 0o644, uid=1234),
      entrypoint=["doas", "report"], user="app")  # fmt: skip
start("doas-not-set-uid", "F36", *DEFAULT, F("usr/bin/doas", DOAS_PROGRAM.data, 0o755), pam("doas", *OPEN),
      F("etc/doas.conf", "permit nopass app\n", 0o400), entrypoint=["doas", "report"], user="app")  # fmt: skip
start("doas-no-command", "UNKNOWN", *DOAS, F("etc/doas.conf", "permit nopass app\n", 0o400), entrypoint=["doas"],
      user="app")  # fmt: skip

# sudo as root asks sudoers, too
SUDOERS = (
    *(entry for entry in SUDO if entry.path != "etc/sudoers"), F("etc/hosts", "127.0.0.1 localhost imagepeel\n"),
)  # fmt: skip
for name, rules, words, expect in (
    ("rule", "root ALL=(ALL:ALL) ALL\n", ["-u", "app", "report", "a"], "RUNS"),
    ("no-rule", "app ALL=(ALL) NOPASSWD: ALL\n", ["report"], "F36"),
    ("no-rule-as-app", "app ALL=(ALL) NOPASSWD: ALL\n", ["-u", "app", "report"], "F36"),
    ("group-rule", "%wheel ALL=(ALL) ALL\n", ["-u", "app", "report", "a"], "RUNS"),
    ("only-as-bob", "root ALL=(bob) ALL\n", ["-u", "app", "report"], "UNKNOWN"),
    ("only-as-bob-is-bob", "root ALL=(bob) ALL\n", ["-u", "bob", "report", "a"], "RUNS"),
    ("empty", "", ["report"], "F36"),
    ("other-command", "root ALL=(ALL) /bin/other\n", ["/bin/report"], "UNKNOWN"),
    ("env-option", "root ALL=(ALL:ALL) ALL\n", ["-E", "-H", "-u", "app", "--", "report", "a"], "RUNS"),
):
    start(f"sudo-root-{name}", expect, *SUDOERS, F("etc/sudoers", rules, 0o440), entrypoint=["sudo", *words])
start("sudo-root-no-sudoers", "RUNS", *SUDOERS, entrypoint=["sudo", "report"])
