"""Scenarios of S5M: what the runtime mounts over the image, and what that hides."""

from __future__ import annotations

from model import REPORT, runc_crun, scenario

from imagepeel import forge

F, D, L = forge.file, forge.directory, forge.symlink
TMP = D("tmp", 0o1777)

for top in ("proc", "sys"):
    scenario(f"mount-{top}-link", "S5M F43", "F43", TMP, L(top, "/tmp"))
    scenario(f"mount-{top}-link-dangling", "S5M F43", "F43", L(top, "/gone"))
    scenario(f"mount-{top}-file", "S5M F43", "F43", F(top, "x"))
    scenario(f"mount-{top}-directory", "S5M", "RUNS", D(top, 0o700), F(f"{top}/hidden", "x"))
# A link at /dev to a directory of the host is not started: runc 1.1 makes its device links in that very directory.
scenario("mount-dev-link-relative", "S5M", "RUNS", TMP, L("dev", "tmp"))
scenario("mount-dev-link-dangling", "S5M F43", "F43", L("dev", "/gone"))
scenario("mount-dev-link-loop", "S5M F43", "F43", L("dev", "dev"))
scenario("mount-dev-file", "S5M F43", "F43", F("dev", "x"))
scenario("mount-first-refusal", "S5M F43", "F43", F("sys", "x"), F("dev", "x"))
scenario("mount-below-dev", "S5M", "RUNS", TMP, D("dev"), L("dev/pts", "/tmp"), F("dev/shm", "x"))

for name, path, runc, crun in [
    ("fd", "/proc/self/fd/7", "F44", "F44"), ("dev-fd", "/dev/fd/7", "F44", "F44"),
    ("below-fd", "/proc/self/fd/7/x", "F44", "F44"), ("fd-itself", "/proc/self/fd", "RUNS", "RUNS"),
    ("cwd", "/proc/self/cwd", "RUNS", "RUNS"), ("root", "/proc/1/root", "RUNS", "RUNS"),
    ("root-etc", "/proc/self/root/etc", "RUNS", "RUNS"), ("self", "/proc/self", "RUNS", "RUNS"),
    ("missing", "/proc/nope", "F44", "F44"), ("missing-in-self", "/proc/self/nope", "F44", "F44"),
    ("sys-missing", "/sys/nope", "F44", "F44"), ("sys", "/sys", "RUNS", "RUNS"),
    ("dev-missing", "/dev/nope", "RUNS", "RUNS"), ("shm", "/dev/shm/a/b", "RUNS", "RUNS"),
    ("pts", "/dev/pts/x", "F44", "F44"), ("mqueue", "/dev/mqueue/x", "F44", "F44"),
    ("file", "/proc/version", "F44", "F44"), ("null", "/dev/null", "F44", "F44"),
    ("stdin", "/dev/stdin", "F44", "F44"), ("dots", "/dev/fd/../../etc", "F44", "F44"),
]:  # fmt: skip
    scenario(f"mount-cwd-{name}", "S5M F44", runc_crun(runc, crun), working_dir=path)
scenario("mount-cwd-fd-as-user", "S5M F44", "F44", working_dir="/proc/self/fd/7", user="1000")
scenario("mount-cwd-link-into-proc", "S5M F44", "F44", L("w", "/proc/self/fd/7"), working_dir="/w")
scenario("mount-cwd-link-into-dev", "S5M", "RUNS", L("w", "/dev/shm"), working_dir="/w")
scenario("mount-cwd-hidden-in-proc", "S5M F44", "F44", D("proc"), D("proc/w"), working_dir="/proc/w")
scenario("mount-cwd-hidden-in-dev", "S5M", "RUNS", D("dev"), D("dev/w"), working_dir="/dev/w")

for top in ("dev", "proc", "sys"):
    hidden = (D(top), F(f"{top}/app", REPORT, 0o755))
    scenario(f"mount-hides-program-in-{top}", "S5M F3", "F3", *hidden, entrypoint=[f"/{top}/app"])
    if top != "sys":
        shebang = F("s", f"#!/{top}/app x\n", 0o755)
        scenario(f"mount-hides-interpreter-in-{top}", "S5M F19", "F19", *hidden, shebang, entrypoint=["/s"])
scenario(
    "mount-hides-program-of-path", "S5M F1", "F1", D("dev"), F("dev/app", REPORT, 0o755),
    entrypoint=["app"], env=["PATH=/dev:/proc"],
)  # fmt: skip
scenario(
    "mount-hides-target-of-link", "S5M F3", "F3", D("dev"), F("dev/app", REPORT, 0o755), L("app", "/dev/app"),
    entrypoint=["/app"],
)  # fmt: skip
scenario(
    "mount-hides-shm", "S5M F3", "F3", D("dev"), D("dev/shm"), F("dev/shm/app", REPORT, 0o755),
    entrypoint=["/dev/shm/app"],
)  # fmt: skip
scenario("mount-brings-root-link", "S5M", "RUNS", entrypoint=["/proc/self/root/bin/report"])
scenario("mount-brings-null", "S5M F5", "F5", entrypoint=["/dev/null"])
scenario("mount-brings-stdin", "S5M F5", "F5", entrypoint=["/dev/stdin"])
scenario("mount-brings-exe", "S5M", "UNKNOWN", entrypoint=["/proc/self/exe"])
scenario("mount-and-back", "S5M", "RUNS", D("proc"), entrypoint=["/proc/../bin/report"])
scenario("mount-passwd-link-into-dev", "S5M", "RUNS", D("dev"), F("dev/pw", "app:x:5:6::/h:\n"), user="app")
