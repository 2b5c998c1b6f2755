"""Scenarios of S2 to S6: what shall run, as whom, with what, where, and which file that is."""

from __future__ import annotations

from model import REPORT, runc_crun, scenario, script

from imagepeel import forge

F, D, L = forge.file, forge.directory, forge.symlink

# S2: entrypoint, cmd, overrides
scenario("argv-entrypoint", "S2", "RUNS", entrypoint=["/bin/report"])
scenario("argv-cmd-only", "S2", "RUNS", entrypoint=None, cmd=["/bin/report", "a"])
scenario("argv-both", "S2", "RUNS", entrypoint=["/bin/report", "a"], cmd=["b", "c d"])
scenario("argv-empty-entrypoint-string", "S2", "RUNS", entrypoint=[""], cmd=["/bin/report", "x"])
scenario("argv-args-replace-cmd", "S2", "RUNS", cmd=["old"], options={"args": ("new", "two")})
scenario("argv-args-empty", "S2", "RUNS", cmd=["old"], options={"args": ()})
scenario("argv-entrypoint-override-discards-cmd", "S2", "RUNS", cmd=["old"], options={"entrypoint": ("report",)})
scenario("argv-entrypoint-and-args", "S2", "RUNS", cmd=["o"], options={"entrypoint": ("report",), "args": ("n",)})
scenario(
    "argv-entrypoint-cleared",
    "S2",
    "RUNS",
    entrypoint=["/nope"],
    cmd=["/nope"],
    options={"entrypoint": ("",), "args": ("/bin/report",)},
)
scenario("argv-empty-argument", "S2", "RUNS", cmd=["", "x", ""])
scenario("argv-newline-and-quotes", "S2", "RUNS", cmd=['it\'s "quoted"', "tab\there"])
scenario("argv-unicode", "S2", "RUNS", cmd=["größe", "日本", "\u202eabc"])
scenario("argv-dollar-is-literal", "S2 W13", "RUNS", cmd=["$HOME", "~", "*"], env=["A=1"])
scenario("argv-leading-dash", "S2", "RUNS", cmd=["--", "-x"])
scenario("argv-many", "S2", "RUNS", cmd=[f"a{i}" for i in range(300)])
scenario("argv0-is-kept-as-configured", "S2 S6", "RUNS", entrypoint=["report"])

# S3: users
for number, (spec, rows) in enumerate(
    [
        ("", "S3"), ("root", "S3"), ("0", "S3"), ("0:0", "S3"), ("app", "S3"), ("bob", "S3"), ("app:", "S3"),
        ("app:extra", "S3"), ("app:5555", "S3"), ("app:wheel", "S3"), ("999", "S3 W22"), ("999:999", "S3"),
        ("999:extra", "S3"), ("1234", "S3"), ("77", "S3"), (":10", "S3"), (":extra", "S3"), ("app:extra:junk", "S3"),
        ("2147483647", "S3"), ("+5", "S3"), ("007", "S3"), ("0:extra", "S3"), ("root:wheel", "S3"), ("2000", "S3"),
    ]
):  # fmt: skip
    scenario(f"user-{number:02d}-{spec.replace(':', '.') or 'unset'}", rows, "RUNS", user=spec)
for spec, row in [
    ("ghost", "F13"), ("ghost:app", "F13"), ("app:ghost", "F14"), ("999:ghost", "F14"), ("-1", "F13"),
    ("2147483648", "F13"), ("4294967295", "F13"), ("app:-5", "F13"), ("99999999999999999999", "F13"),
    (" app", "F13"), ("App", "F13"), ("# note", "F13"), ("app:# note", "F14"),
]:  # fmt: skip
    scenario(f"user-refused-{spec.replace(':', '.').replace(' ', '_')}", f"S3 {row}", row, user=spec)
scenario("user-by-option", "S3", "RUNS", user="ghost", options={"user": "bob"})
scenario("user-option-root", "S3", "RUNS", user="app", options={"user": "0"})


def tree(passwd: str | None, group: str | None = "root:x:0:\n") -> list[forge.Entry]:
    found = [D("bin"), F("bin/report", REPORT, 0o755), D("etc")]
    if passwd is not None:
        found.append(F("etc/passwd", passwd))
    if group is not None:
        found.append(F("etc/group", group))
    return found


def passwd_case(name: str, rows: str, expect: str | dict[str, str], user: str, passwd: str | None,
                group: str | None = "root:x:0:\n", *more: forge.Entry) -> None:  # fmt: skip
    scenario(name, rows, expect, *tree(passwd, group), *more, base=False, user=user)


passwd_case("passwd-missing-root", "S3", "RUNS", "", None, None)
passwd_case("passwd-missing-number", "S3 W60", "RUNS", "5", None, None)
passwd_case("passwd-missing-name", "S3 F13 W19", "F13", "app", None, None)
passwd_case("passwd-comment-is-root", "S3 W25", "RUNS", "", "# who is who\nroot:x:0:0::/root:\n", "wheel:x:10:root\n")
passwd_case("passwd-comment-shadows-home", "S3 W25", "RUNS", "0", "#c\nroot:x:0:0::/root:\n")
passwd_case("passwd-typo-gid", "S3 W26", "RUNS", "app", "app:x:1000:staff::/a:\n")
passwd_case("passwd-typo-uid-is-root", "S3 W26", "RUNS", "app", "app:x:oops:1::/a:\n")
passwd_case("passwd-malformed-line-first", "S3 W26", "RUNS", "app", "app:x:abc:5\napp:x:1000:1000::/h:\n")
passwd_case("passwd-short-line", "S3", "RUNS", "app", "app\n")
passwd_case("passwd-duplicate-first-wins", "S3", "RUNS", "app", "app:x:1:1::/one:\napp:x:2:2::/two:\n")
passwd_case("passwd-two-names-one-uid", "S3", "RUNS", "b", "a:x:7:7::/a:\nb:x:7:8::/b:\n")
passwd_case("passwd-uid-picks-first-name", "S3", "RUNS", "7", "a:x:7:7::/a:\nb:x:7:8::/b:\n")
passwd_case("passwd-blank-lines-and-spaces", "S3", "RUNS", "app", "\n\n  app:x:5:6::/h:  \n")
passwd_case("passwd-crlf", "S3", "RUNS", "app", "app:x:5:6::/h:/bin/sh\r\n")
passwd_case("passwd-no-final-newline", "S3", "RUNS", "app", "app:x:5:6::/h:/bin/sh")
passwd_case("passwd-empty-home", "S3", "RUNS", "app", "app:x:5:6:::\n")
passwd_case("passwd-relative-home", "S3", "RUNS", "app", "app:x:5:6::h:\n")
passwd_case("passwd-extra-fields", "S3", "RUNS", "app", "app:x:5:6::/h:/bin/sh:more:x\n")
passwd_case("passwd-empty-file", "S3", "RUNS", "", "")
passwd_case("passwd-nobody", "S3", "RUNS", "nobody", "nobody:x:65534:65534::/:/x\n")
passwd_case("passwd-large-uid", "S3", "RUNS", "big", "big:x:2000000000:2000000001::/b:\n")
passwd_case("passwd-absolute-link", "S3", "RUNS", "app", None, None, F("etc/pw", "app:x:5:6::/h:\n"),
            L("etc/passwd", "/etc/pw"))  # fmt: skip
passwd_case("passwd-dangling-link", "S3 F13", "F13", "app", None, None, L("etc/passwd", "/gone"))
passwd_case("passwd-is-a-directory-name", "S3 F42", "F42", "app", None, None, D("etc/passwd"))
passwd_case("group-comment-skipped", "S3", "RUNS", "app", "app:x:5:6::/h:\n", "#x:x:9:app\ny:x:8:app\n")
passwd_case("group-bad-gid", "S3", "RUNS", "app", "app:x:5:6::/h:\n", "y:x:eight:app\nz:x:9:b,app\n")
passwd_case("group-duplicate-gids", "S3", "RUNS", "app", "app:x:5:6::/h:\n", "y:x:8:app\nz:x:8:app\np:x:6:app\n")
passwd_case("group-member-with-space", "S3", "RUNS", "app", "app:x:5:6::/h:\n", "y:x:8:b, app\n")
passwd_case(
    "group-many", "S3", "RUNS", "app", "app:x:5:6::/h:\n", "".join(f"g{i}:x:{100 + i}:app\n" for i in range(40))
)
passwd_case("group-missing-file", "S3", "RUNS", "app", "app:x:5:6::/h:\n", None)
passwd_case("group-missing-file-named", "S3 F14", "F14", "app:g", "app:x:5:6::/h:\n", None)

# S4: environment
scenario("env-none", "S4", "RUNS")
scenario("env-plain", "S4", "RUNS", env=["A=1", "B=two words", "C="])
scenario("env-path-of-image", "S4", "RUNS", env=["PATH=/bin"], entrypoint=["report"])
scenario("env-without-path", "S4 W30", "RUNS", env=["A=1"], entrypoint=["report"])
scenario("env-duplicate-last-wins", "S4", "RUNS", env=["A=1", "B=2", "A=3"])
scenario("env-option-wins", "S4", "RUNS", env=["A=1", "B=2"], options={"env": ("A=9", "N=new")})
scenario("env-no-equals-unsets", "S4 W31", "RUNS", env=["A=1", "A"])
scenario("env-no-equals-path", "S4", "RUNS", env=["PATH"], entrypoint=["/bin/report"])
scenario("env-no-equals-path-bare", "S4 F12", "F12", env=["PATH"], entrypoint=["report"])
scenario("env-not-expanded", "S4", "RUNS", env=["A=$HOME/x", "B=~"])
scenario("env-value-with-equals", "S4", "RUNS", env=["A=b=c", "D==x"])
scenario("env-empty-name", "S4 F17", runc_crun("F17", "RUNS"), env=["=x", "A=1"])
scenario("env-empty-entry", "S4", "RUNS", env=["", "A=1"])
scenario("env-home-stays", "S4 W23", "RUNS", env=["HOME=/root"], user="app")
scenario("env-home-empty", "S4", "RUNS", env=["HOME="], user="app")
scenario("env-home-of-root", "S4", "RUNS")
scenario("env-home-of-app", "S4", "RUNS", user="app")
scenario("env-home-unknown-uid", "S4 W22", "RUNS", user="4711")
scenario("env-odd-names", "S4", "RUNS", env=["a b=1", "1=2", "A-B=3", "ü=4"])
scenario("env-unicode-value", "S4", "RUNS", env=["A=naïve \u202e\u2066"])
scenario("env-many", "S4", "RUNS", env=[f"V{i}={i}" for i in range(400)])
scenario("env-term-of-image", "S4", "RUNS", env=["TERM=dumb"])

# S5: working directory
scenario("cwd-root", "S5", "RUNS")
scenario("cwd-exists", "S5", "RUNS", working_dir="/etc")
scenario("cwd-missing-is-made", "S5", "RUNS", working_dir="/a/b/c")
scenario("cwd-missing-is-made-for-user", "S5 W27", "RUNS", working_dir="/a/b", user="app")
scenario("cwd-missing-is-left-again", "S5", "RUNS", working_dir="/a/b", entrypoint=["../../bin/report"])
scenario("cwd-trailing-slash", "S5", "RUNS", working_dir="/etc/")
scenario("cwd-dots", "S5", "RUNS", working_dir="/etc/../bin/.")
scenario("cwd-through-link", "S5", "RUNS", L("lnk", "etc"), working_dir="/lnk")
scenario("cwd-through-absolute-link", "S5", "RUNS", L("lnk", "/etc"), working_dir="/lnk")
scenario("cwd-below-link", "S5", "RUNS", L("lnk", "/etc"), working_dir="/lnk/new")
scenario("cwd-closed-directory", "S5", "RUNS", D("d", 0o700), working_dir="/d", user="app")
scenario("cwd-closed-parent", "S5", "RUNS", D("d", 0o700), D("d/e", 0o755), working_dir="/d/e", user="app")
scenario("cwd-is-a-file", "S5 F15", "F15", working_dir="/etc/passwd")
scenario("cwd-below-a-file", "S5 F15", "F15", working_dir="/etc/passwd/x")
scenario("cwd-dangling-link", "S5 F16", "F16", L("lnk", "/gone"), working_dir="/lnk")
scenario("cwd-link-to-itself", "S5 F15", "F15", L("lnk", "lnk"), working_dir="/lnk")
scenario("cwd-below-a-link-to-itself", "S5 F15", "F15", L("lnk", "lnk"), working_dir="/lnk/new")
scenario("cwd-relative", "S5 W28", runc_crun("W28", "RUNS"), working_dir="etc")
scenario("cwd-relative-missing", "S5 W28", runc_crun("W28", "RUNS"), working_dir="x/y")
scenario("cwd-by-option", "S5", "RUNS", working_dir="/etc", options={"workdir": "/bin"})
scenario(
    "cwd-file-and-command-missing", "S5 F15 F1", runc_crun("F15", "F1"), working_dir="/etc/passwd", entrypoint=["no"]
)
scenario("cwd-is-where-relative-command-starts", "S5 S6", "RUNS", working_dir="/bin", entrypoint=["./report"])

# S6: which file
scenario("path-missing", "S6 F1", "F1", entrypoint=["nope"])
scenario("path-missing-absolute", "S6 F3", "F3", entrypoint=["/nope"])
scenario("path-missing-directory", "S6 F3", "F3", entrypoint=["/opt/app/run"])
scenario("path-dangling-link", "S6 F3", "F3", L("go", "/gone"), entrypoint=["/go"])
scenario("path-dangling-on-path", "S6 F1 F2", "F1", L("bin/run", "/gone"), entrypoint=["run"])
scenario("path-link", "S6", "RUNS", L("go", "bin/report"), entrypoint=["/go"])
scenario("path-link-absolute", "S6", "RUNS", L("go", "/bin/report"), entrypoint=["/go"])
scenario("path-link-chain", "S6", "RUNS", L("a", "b"), L("b", "/c"), L("c", "bin/report"), entrypoint=["/a"])
scenario("path-link-through-directory", "S6", "RUNS", L("usr", "."), entrypoint=["/usr/usr/bin/report"])
scenario("path-link-escape-stays-inside", "S6", "RUNS", L("go", "../../../bin/report"), entrypoint=["/go"])
scenario("path-loop", "S6 F7", "F7", L("a", "b"), L("b", "a"), entrypoint=["/a"])
scenario("path-20-links", "S6", "RUNS", *(L(f"l{i}", f"l{i + 1}") for i in range(19)), L("l19", "bin/report"),
         entrypoint=["/l0"])  # fmt: skip
scenario("path-41-links", "S6 F7", "F7", *(L(f"l{i}", f"l{i + 1}") for i in range(40)), L("l40", "bin/report"),
         entrypoint=["/l0"])  # fmt: skip
scenario("path-parent-is-file", "S6 F4", "F4", entrypoint=["/etc/passwd/x"])
scenario("path-trailing-slash", "S6 F4", "F4", entrypoint=["/bin/report/"])
scenario("path-not-executable", "S6 F5", "F5", F("e", REPORT, 0o644), entrypoint=["/e"])
scenario("path-not-executable-on-path", "S6 F2 W7", "F2", F("bin/e", REPORT, 0o644), entrypoint=["e"])
scenario("path-skips-not-executable", "S6", "RUNS", F("usr/bin/report", REPORT, 0o644), entrypoint=["report"])
scenario("path-skips-directory", "S6", "RUNS", D("usr/bin/report"), entrypoint=["report"])
scenario("path-directory", "S6 F6", "F6", entrypoint=["/bin"])
scenario("path-directory-on-path", "S6 F2", "F2", D("bin/sub"), entrypoint=["sub"])
scenario("path-empty-name", "S6 F8", "F8", entrypoint=None, cmd=["", "x"])
scenario("path-dot", "S6 F8", "F8", entrypoint=["."])
scenario("path-dot-dot", "S6 F8", "F8", entrypoint=[".."])
scenario("path-one-string", "S6 F10 W15", "F10", entrypoint=["report a b"])
scenario("path-one-string-absolute", "S6 F10 W15", "F10", entrypoint=["/bin/report a"])
scenario("path-trailing-blank", "S6 F10", "F10", entrypoint=["report "])
scenario("path-builtin", "S6 F10", "F10", entrypoint=["source", "/x"])
scenario(
    "path-element-dot", "S6 F11", runc_crun("F11", "RUNS"), env=["PATH=."], working_dir="/bin", entrypoint=["report"]
)
scenario("path-element-empty-first", "S6 F11", runc_crun("F11", "F1"), env=["PATH=:/x"], working_dir="/bin",
         entrypoint=["report"])  # fmt: skip
scenario("path-element-empty-last", "S6 F11", runc_crun("F11", "F1"), env=["PATH=/x:"], working_dir="/bin",
         entrypoint=["report"])  # fmt: skip
scenario("path-element-relative", "S6 F11", runc_crun("F11", "RUNS"), env=["PATH=bin"], entrypoint=["report"])
scenario("path-good-before-relative", "S6", "RUNS", env=["PATH=/bin:."], entrypoint=["report"])
scenario("path-empty", "S6 F12", "F12", env=["PATH="], entrypoint=["report"])
scenario("path-literal-dollar", "S6 F12 W29", "F12", env=["PATH=/opt/x:$PATH"], entrypoint=["report"])
scenario("path-literal-tilde", "S6 F12", "F12", env=["PATH=~/bin"], entrypoint=["report"])
scenario("path-clobbered", "S6 F1 F12", "F1", env=["PATH=/opt/app"], entrypoint=["report"])
scenario("path-double-slash", "S6", "RUNS", env=["PATH=/x//:/bin//"], entrypoint=["report"])
scenario("path-element-with-dots", "S6", "RUNS", env=["PATH=/etc/../bin"], entrypoint=["report"])
scenario("path-dots-after-link", "S6", runc_crun("RUNS", "F1"), L("l", "/opt/deep/x"), D("opt/deep/x"),
         env=["PATH=/l/../bin"], entrypoint=["report"])  # fmt: skip
scenario("path-element-is-file", "S6", "RUNS", env=["PATH=/etc/passwd:/bin"], entrypoint=["report"])
scenario("path-only-element-is-file", "S6 F1", "F1", env=["PATH=/etc/passwd"], entrypoint=["report"])
scenario("path-element-through-link", "S6", "RUNS", L("tools", "/bin"), env=["PATH=/tools"], entrypoint=["report"])
scenario("path-order", "S6", "RUNS", F("usr/local/bin/report", REPORT, 0o755), entrypoint=["report"])
scenario("path-relative-with-slash", "S6", "RUNS", entrypoint=["bin/report"])
scenario("path-relative-missing", "S6 F3", "F3", entrypoint=["bin/nope"])
scenario("path-dot-slash", "S6 F3", "F3", entrypoint=["./nope"])
scenario("path-double-slash-command", "S6", "RUNS", entrypoint=["//bin//report"])
scenario("path-dots-in-command", "S6", "RUNS", entrypoint=["/etc/../bin/./report"])
scenario("path-name-too-long", "S6", "F3", entrypoint=["/" + "n" * 300])
scenario("path-too-long", "S6", "F3", entrypoint=["/x" * 2100])
scenario("path-bare-name-too-long", "S6 F1", "F1", entrypoint=["n" * 300])
scenario("path-control-characters", "S6 F1", "F1", entrypoint=['a\tb\x1b[1m"\\'])
scenario("path-case-matters", "S6 F3", "F3", entrypoint=["/bin/Report"])
scenario("path-fifo", "S6", "F5", forge.fifo("pipe", 0o755), entrypoint=["/pipe"])
scenario("path-device", "S6 F5", "F5", forge.device("dev0", 1, 3, mode=0o666), entrypoint=["/dev0"])
scenario("path-shell-missing", "S6 F34", "F34", entrypoint=["/bin/sh", "-c", "report"])
scenario("path-bash-missing", "S6 F34", "F34", entrypoint=["/bin/bash", "-c", "report"])

# S6: permissions
NO_EFFECTIVE = {"cap_drop": ("ALL",)}
scenario("mode-root-only-with-caps", "S6 W52", "RUNS", F("e", REPORT, 0o700), entrypoint=["/e"], user="app")
scenario("mode-root-only-drop-all", "S6 F5 W52", "F5", F("e", REPORT, 0o700), entrypoint=["/e"], user="app",
         options=NO_EFFECTIVE)  # fmt: skip
scenario("mode-root-only-on-path-drop-all", "S6 F5", "F5", F("bin/e", REPORT, 0o700), entrypoint=["e"], user="app",
         options=NO_EFFECTIVE)  # fmt: skip
scenario("mode-owner-only-is-owner", "S6", "RUNS", F("e", REPORT, 0o500, 1234, 1), entrypoint=["/e"], user="app",
         options=NO_EFFECTIVE)  # fmt: skip
scenario("mode-group-only-is-member", "S6", "RUNS", F("e", REPORT, 0o050, 1, 5555), entrypoint=["/e"], user="app",
         options=NO_EFFECTIVE)  # fmt: skip
scenario("mode-group-only-primary", "S6", "RUNS", F("e", REPORT, 0o050, 1, 1234), entrypoint=["/e"], user="app",
         options=NO_EFFECTIVE)  # fmt: skip
scenario("mode-group-denied-though-others-may", "S6 F5", "F5", F("e", REPORT, 0o705, 1, 5555), entrypoint=["/e"],
         user="app", options=NO_EFFECTIVE)  # fmt: skip
scenario("mode-owner-denied-though-others-may", "S6 F5", "F5", F("e", REPORT, 0o077, 1234, 1), entrypoint=["/e"],
         user="app", options=NO_EFFECTIVE)  # fmt: skip
scenario("mode-root-owner-only-other", "S6", "RUNS", F("e", REPORT, 0o100, 5, 5), entrypoint=["/e"])
scenario("mode-root-drop-all-foreign-file", "S6 F5", "F5", F("e", REPORT, 0o700, 5, 5), entrypoint=["/e"],
         options=NO_EFFECTIVE)  # fmt: skip
scenario("mode-closed-parent-drop-all", "S6 F5", "F5", D("p", 0o700), F("p/e", REPORT, 0o755), entrypoint=["/p/e"],
         user="app", options=NO_EFFECTIVE)  # fmt: skip
scenario("mode-closed-parent-with-caps", "S6", "RUNS", D("p", 0o700), F("p/e", REPORT, 0o755), entrypoint=["/p/e"],
         user="app")  # fmt: skip
scenario("mode-closed-parent-on-path", "S6", runc_crun("F2", "F5"), D("p", 0o700), F("p/e", REPORT, 0o755),
         entrypoint=["e"], env=["PATH=/p"], user="app", options=NO_EFFECTIVE)  # fmt: skip
scenario("mode-closed-directory-then-open", "S6", runc_crun("RUNS", "F5"), D("p", 0o700), F("p/report", REPORT, 0o755),
         entrypoint=["report"], env=["PATH=/p:/bin"], user="app", options=NO_EFFECTIVE)  # fmt: skip
scenario("mode-first-hit-is-forbidden", "S6 F5", "F5", D("p"), F("p/report", REPORT, 0o700), entrypoint=["report"],
         env=["PATH=/p:/bin"], user="app", options=NO_EFFECTIVE)  # fmt: skip
scenario("mode-drop-one-capability", "S6 F5", "F5", F("e", REPORT, 0o700), entrypoint=["/e"], user="app",
         options={"cap_drop": ("DAC_OVERRIDE",)})  # fmt: skip
scenario("mode-setuid-program", "S7 W49", "RUNS", F("e", REPORT, 0o4755), entrypoint=["/e"], user="app")
scenario("mode-setuid-no-new-privileges", "S7 W49", "RUNS", F("e", REPORT, 0o4755), entrypoint=["/e"], user="app",
         options={"no_new_privileges": True})  # fmt: skip
scenario(
    "mode-script-entrypoint-user", "S6", "RUNS", script("e", "#!/bin/report\n", 0o555), entrypoint=["/e"], user="app"
)

# S2: nothing to run is the engine's business: there is no bundle to start
scenario("argv-nothing", "S2 F9", "F9", entrypoint=None)
scenario("argv-empty-string-only", "S2 F9", "F9", entrypoint=[""])

# J1: what whole engines refuse; the bare runtimes know no volumes
scenario("volume-new", "F38", "RUNS", volumes=["/data"])
scenario("volume-over-directory", "F38", "RUNS", D("data"), F("data/x", "1"), volumes=["/data"])
scenario("volume-over-file", "F38", "RUNS", F("data", "1"), volumes=["/data"])
scenario("volume-over-link-to-file", "F38", "RUNS", L("data", "etc/passwd"), volumes=["/data"])
scenario("stop-signal-known", "S9", "RUNS", stop_signal="SIGQUIT")
scenario("stop-signal-unknown", "S9 W62", "RUNS", stop_signal="SIGNOPE")
scenario("stop-signal-number", "S9", "RUNS", stop_signal="9")
scenario("run-is-a-link-to-a-file", "S6", "RUNS", L("run", "etc/passwd"))
scenario("etc-is-a-file", "S3", "RUNS", F("bin/report", REPORT, 0o755), F("etc", "x"), base=False)
scenario("no-etc-at-all", "S3", "RUNS", F("bin/report", REPORT, 0o755), base=False)
scenario("platform-mismatch", "S7", "RUNS", architecture="arm64", options={"host_arch": "amd64"})

# two things wrong at once: which one does the operator see?
scenario("both-user-and-directory", "S3 S5", "F13", user="ghost", working_dir="/etc/passwd")
scenario("both-user-and-command", "S3 S6", "F13", user="ghost", entrypoint=["/nope"])
scenario("both-user-and-volume", "S3 F38", "F13", F("data", "x"), user="ghost", volumes=["/data"])
scenario("both-directory-and-volume", "S5 F38", "F15", F("data", "x"), working_dir="/etc/passwd", volumes=["/data"])
scenario("both-user-and-signal", "S3 W62", "F13", user="ghost", stop_signal="NOPE")
scenario("both-directory-and-signal", "S5 W62", "F15", working_dir="/etc/passwd", stop_signal="NOPE")
scenario("both-variable-and-command", "S4 F17", runc_crun("F17", "F3"), env=["=x"], entrypoint=["/nope"])
scenario("both-variable-and-directory", "S4 S5", runc_crun("F17", "F15"), env=["=x"], working_dir="/etc/passwd")
scenario("both-variable-and-user", "S4 S3", "F13", env=["=x"], user="ghost")
scenario("both-relative-directory-and-user", "S5 S3", "F13", working_dir="etc", user="ghost")
scenario("both-relative-directory-and-variable", "S5 S4", runc_crun("W28", "RUNS"), working_dir="etc", env=["=x"])
scenario("both-directory-and-no-execute", "S5 F5", runc_crun("F15", "F5"), F("e", REPORT, 0o644), entrypoint=["/e"],
         working_dir="/etc/passwd")  # fmt: skip
scenario("both-passwd-directory-and-command", "F42 F3", "F42", F("bin/report", REPORT, 0o755),
         D("etc/passwd"), entrypoint=["/nope"], user="5:5", base=False)  # fmt: skip
scenario("both-passwd-directory-and-workdir", "F42 F15", "F42", F("bin/report", REPORT, 0o755),
         D("etc/passwd"), F("f", "x"), working_dir="/f", user="5:5", base=False)  # fmt: skip
