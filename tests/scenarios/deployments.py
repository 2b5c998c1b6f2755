"""Lines of docker run and pods, and what dockerd 20.10 and podman 4.3's kube play of Debian 12 make of them.

    python tests/scenarios/deployments.py [CASE ...]     records observed_deployments.json

Nothing of a prediction goes into the record.  podman cannot raise limits on some machines, so a containers.conf of its
own sets lower ones; its pause container is the catatonit that the package brings.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import runtimes  # noqa: E402
from compare import engine_text, short  # noqa: E402
from model import BASE, busybox, script  # noqa: E402

from dockerd import TIMEOUT, Dockerd, lacks  # noqa: E402
from imagepeel import forge  # noqa: E402

FILE = HERE / "observed_deployments.json"
DOCKER, KUBE = "docker@20.10", "kube-play@4.3"
_ID = re.compile(r"\b[0-9a-f]{64}\b|\b[0-9a-f]{12}\b")
_CONF = """[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1000:1000"]
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
"""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One line of docker run, or one pod; `image` names the image of `IMAGES` that it starts."""

    id: str
    image: str
    words: tuple[str, ...] = ()
    pod: str = ""
    health: bool = False
    """Whether its health check is watched, not its start."""

    @property
    def engine(self) -> str:
        return KUBE if self.pod else DOCKER


PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
BUSYBOX = busybox("sh", "cat", "ls", "id", "mkdir", "touch", "true", "false")
ENTRY = '#!/bin/sh\nset -e\necho 1 > /run/state/pid\nexec /bin/report "$@"\n'
IMAGES: dict[str, dict[str, Any]] = {
    "plain": {"entries": (*BASE, *BUSYBOX), "entrypoint": ["/bin/report"], "cmd": ["a"]},
    "path": {"entries": (*BASE, *BUSYBOX), "cmd": ["report", "c"], "env": [PATH, "COLOUR=red"]},
    "app": {
        "entries": (*BASE, *BUSYBOX, script("bin/entry.sh", ENTRY), forge.directory("run", 0o755),
                    forge.directory("run/state", 0o755, 1234, 1234), forge.directory("srv", 0o755),
                    forge.directory("srv/app", 0o750, 1234, 1234)),
        "entrypoint": ["entry.sh"], "cmd": ["serve"], "env": [PATH], "user": "app", "workdir": "/srv/app",
    },
    "crlf": {"entries": (*BASE, *BUSYBOX, script("entry.sh", "#!/bin/sh\r\nexec report\r\n")),
             "entrypoint": ["/entry.sh"], "env": [PATH]},
    "noexec": {"entries": (*BASE, *BUSYBOX, script("entry.sh", "#!/bin/sh\nexec report\n", 0o644)),
               "entrypoint": ["/entry.sh"], "env": [PATH]},
    "private": {"entries": (*BASE, *BUSYBOX, script("entry.sh", "#!/bin/sh\nexec /bin/report\n", 0o700)),
                "entrypoint": ["/entry.sh"], "env": [PATH]},
    "nouser": {"entries": (*BASE, *BUSYBOX), "entrypoint": ["/bin/report"], "user": "nosuch"},
    "named": {"entries": (*BASE, *BUSYBOX), "entrypoint": ["/bin/report"], "user": "bob:extra", "env": [PATH]},
    **{name: {"entries": (*BASE, *busybox("sh", "cat", "sleep", "true", "test")), "env": [PATH],
              "entrypoint": ["/bin/sleep", "30"], **more} for name, more in {
        "sleeper": {},
        "checked": {"healthcheck": {"Test": ["CMD-SHELL", "nope --fast"]}},
        "checked-words": {"healthcheck": {"Test": ["CMD", "report", "x"]}},
        "checked-missing": {"healthcheck": {"Test": ["CMD", "curl", "-f"]}},
        "checked-data": {"healthcheck": {"Test": ["CMD", "/etc/passwd"]}},
    }.items()},
    "nothing": {"entries": (*BASE, *BUSYBOX), "env": [PATH]},
}  # fmt: skip


STARTED = ("plain", "path", "app", "crlf", "noexec", "private", "nouser", "named", "nothing")
"""Images that are started as they are; the others have a health check or wait for one."""


def reference(image: str) -> str:
    return f"localhost/deploy-{image}:1"


def spec(image: str) -> forge.ImageSpec:
    given = dict(IMAGES[image])
    last = {entry.path.strip(b"/"): entry for entry in given.pop("entries")}
    return forge.image(forge.layer(*last.values()), names=reference(image), **given)


def _lines() -> list[Case]:
    found: list[tuple[str, str, str]] = [(image, "", "") for image in STARTED] + [
        ("plain", "", "b c"),
        ("plain", "-u 1000", ""),
        ("plain", "-u1000", "x"),
        ("plain", "--user=1234", ""),
        ("plain", "--user app", ""),
        ("plain", "-u app:extra", ""),
        ("plain", "-u 1000:5555", ""),
        ("plain", "-u nosuch", ""),
        ("plain", "-u app:nogroup", ""),
        ("plain", "-u 4294967295", ""),
        ("plain", "--group-add 4242 --group-add 17", ""),
        ("plain", "-u app --group-add 4242", ""),
        ("plain", "-u 1000 --group-add 7", ""),
        ("plain", "--entrypoint /bin/report", ""),
        ("plain", "--entrypoint /bin/report", "y z"),
        ("plain", "--entrypoint=report", "y"),
        ("plain", "--entrypoint /nope", ""),
        ("plain", "--entrypoint nope", ""),
        ("plain", "--entrypoint=", "/bin/report q"),
        ("plain", "--entrypoint=", ""),
        ("plain", "--entrypoint /etc", ""),
        ("plain", "--entrypoint /etc/passwd", ""),
        ("plain", "--entrypoint /bin/report/x", ""),
        ("plain", "-w /tmp/new/deep", ""),
        ("plain", "--workdir=/etc", ""),
        ("plain", "-w /etc/passwd", ""),
        ("plain", "-w srv", ""),
        ("plain", "-e A=1 -e B=two -eC=3", ""),
        ("plain", "--env PATH=/nowhere", ""),
        ("plain", "--env PATH=/nowhere --entrypoint report", ""),
        ("plain", "-e HOME=/x -u app", ""),
        ("plain", "--read-only", ""),
        ("plain", "--read-only=false", ""),
        ("plain", "--init", ""),
        ("plain", "--hostname here", ""),
        ("plain", "-h there", ""),
        ("plain", "--cap-drop ALL", ""),
        ("plain", "--cap-drop all --cap-add net_admin -u 1000", ""),
        ("plain", "--security-opt no-new-privileges -u 1000", ""),
        ("plain", "--security-opt=no-new-privileges:true", ""),
        ("plain", "--tmpfs /bin", ""),
        ("plain", "--tmpfs /bin:ro", ""),
        ("plain", "--mount type=tmpfs,target=/bin", ""),
        ("plain", "--mount type=tmpfs,dst=/srv", ""),
        ("plain", "--tmpfs /run/x", "w"),
        ("plain", "-v /data", ""),
        ("plain", "--mount type=volume,source=named,target=/data", ""),
        ("plain", "-v named:/data:ro", ""),
        ("plain", "-v named2:/bin", ""),
        ("plain", "--stop-signal SIGINT", ""),
        ("plain", "--rm", "gone"),
        ("plain", "--label a=b --name given -m 64m --shm-size 8m", ""),
        ("plain", "--pids-limit 50 --cpu-shares 10 --restart no", ""),
        ("plain", "-i", ""),
        ("plain", "-- ", "after"),
        ("path", "", "report d"),
        ("path", "-e COLOUR=blue", ""),
        ("path", "--entrypoint report", ""),
        ("path", "--entrypoint sh", "-c 'exec report $0' z"),
        ("path", "", "sh -c 'exec nope'"),
        ("path", "", "nope"),
        ("path", "", "/bin/sh -c 'cat /nope; exec report'"),
        ("path", "-u bob", ""),
        ("path", "-w /root", "./report"),
        ("path", "-w /bin", "./report"),
        ("app", "", "work --fast"),
        ("app", "-u 0", ""),
        ("app", "-u bob", ""),
        ("app", "-u 1234:0", ""),
        ("app", "--read-only", ""),
        ("app", "--read-only --tmpfs /run/state", ""),
        ("app", "--read-only --tmpfs /run/state -u bob", ""),
        ("app", "--tmpfs /run/state", ""),
        ("app", "--tmpfs /run", ""),
        ("app", "--tmpfs /run/state:mode=1777", ""),
        ("app", "--tmpfs /run/other --tmpfs /run/state:ro,mode=0777 -u 0", ""),
        ("app", "--read-only --tmpfs /run/state:uid=1234", ""),
        ("plain", "--tmpfs /new", "x"),
        ("app", "-w /", ""),
        ("app", "-e PATH=/bin", ""),
        ("app", "-e PATH=/usr/bin", ""),
        ("app", "--entrypoint report", "alone"),
        ("app", "--init", ""),
        ("app", "--cap-drop ALL -u 0", ""),
        ("private", "-u app", ""),
        ("private", "-u app --cap-add DAC_OVERRIDE", ""),
        ("private", "--cap-drop DAC_OVERRIDE", ""),
        ("noexec", "-u app", ""),
        ("noexec", "--entrypoint sh", "/entry.sh"),
        ("crlf", "-u app", ""),
        ("crlf", "--entrypoint sh", "/entry.sh"),
        ("nouser", "-u 0", ""),
        ("nouser", "--user app", ""),
        ("named", "-u bob", ""),
        ("named", "--group-add 3", ""),
        ("nothing", "", "report"),
        ("nothing", "--entrypoint report", ""),
    ]
    import shlex

    return [
        Case(
            id=" ".join(filter(None, ("run", flags, image, words))),
            image=image,
            words=("docker", "run", *shlex.split(flags), reference(image), *shlex.split(words)),
        )
        for image, flags, words in found
    ]


def _pod(image: str, container: str, spec: str = "") -> str:
    """The YAML of a pod with one container; both texts are in flow style."""
    return (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: POD}\nspec:\n  restartPolicy: Never\n"
        + "".join(f"  {line}\n" for line in spec.split("\n") if line)
        + f"  containers:\n  - name: web\n    image: {reference(image)}\n"
        + "".join(f"    {line}\n" for line in container.split("\n") if line)
    )


def _pods() -> list[Case]:
    cap = "securityContext: {capabilities: "
    found: list[tuple[str, str, str]] = [(image, "", "") for image in STARTED] + [
        ("plain", "args: [b, c]", ""),
        ("plain", "args: []", ""),
        ("plain", "command: [/bin/report]", ""),
        ("plain", "command: [/bin/report]\nargs: [x]", ""),
        ("plain", "command: []\nargs: [x]", ""),
        ("plain", "command: [/nope]", ""),
        ("plain", "command: [report]", ""),
        ("plain", "command: [/etc]", ""),
        ("plain", "command: [/etc/passwd]", ""),
        ("plain", "command: ['']", ""),
        ("plain", "command: [/bin/report, '$(A)', '$$(A)', '$(NO)']\nenv: [{name: A, value: x}]", ""),
        ("plain", "env: [{name: A, value: '1'}, {name: B, value: '$(A)'}]", ""),
        ("plain", "env: [{name: A}]", ""),
        ("plain", "env: [{name: N, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]", ""),
        ("plain", "securityContext: {runAsUser: 1000}", ""),
        ("plain", "securityContext: {runAsUser: 1234}", ""),
        ("plain", "securityContext: {runAsUser: 1000, runAsGroup: 3000}", ""),
        ("plain", "securityContext: {runAsUser: 1234, runAsGroup: 5555}", ""),
        ("plain", "securityContext: {runAsGroup: 3000}", ""),
        ("plain", "", "securityContext: {runAsUser: 2000}"),
        ("plain", "securityContext: {runAsUser: 7}", "securityContext: {runAsUser: 2000, runAsGroup: 9}"),
        ("plain", "", "securityContext: {supplementalGroups: [4, 5]}"),
        ("plain", "", "securityContext: {fsGroup: 44}"),
        ("plain", "securityContext: {runAsNonRoot: true}", ""),
        ("plain", "securityContext: {runAsNonRoot: true, runAsUser: 0}", ""),
        ("plain", "securityContext: {readOnlyRootFilesystem: true}", ""),
        ("plain", "securityContext: {allowPrivilegeEscalation: false}", ""),
        ("plain", f"{cap}{{drop: [ALL]}}}}", ""),
        ("plain", f"{cap}{{drop: [ALL], add: [NET_ADMIN]}}}}", ""),
        ("plain", f"{cap}{{add: [NET_ADMIN]}}, runAsUser: 1000}}", ""),
        ("plain", "securityContext: {privileged: true}", ""),
        ("plain", "workingDir: /etc", ""),
        ("plain", "workingDir: /nope", ""),
        ("plain", "workingDir: /etc/passwd", ""),
        ("plain", "tty: true", ""),
        ("plain", "", "hostname: own"),
        ("plain", "volumeMounts: [{name: d, mountPath: /srv}]", "volumes: [{name: d, emptyDir: {}}]"),
        ("plain", "volumeMounts: [{name: d, mountPath: /bin}]", "volumes: [{name: d, emptyDir: {}}]"),
        ("plain", "livenessProbe: {exec: {command: [/nope]}}", ""),
        ("plain", "resources: {limits: {memory: 64Mi}}", ""),
        ("path", "command: [sh, -c, 'exec report $0', z]", ""),
        ("path", "command: [sh, -c, 'exec nope']", ""),
        ("path", "command: [nope]", ""),
        ("path", "args: [report, d]", ""),
        ("path", "env: [{name: PATH, value: /nowhere}]", ""),
        ("path", "env: [{name: COLOUR, value: blue}]", ""),
        ("path", "workingDir: /bin\ncommand: [./report]", ""),
        ("app", "args: [work, --fast]", ""),
        ("app", "securityContext: {runAsUser: 0}", ""),
        ("app", "securityContext: {runAsUser: 2000}", ""),
        ("app", "securityContext: {readOnlyRootFilesystem: true}", ""),
        ("app", "securityContext: {runAsGroup: 0}", ""),
        ("app", "securityContext: {runAsNonRoot: true}", ""),
        ("app", "command: [report]", ""),
        ("app", "command: [report]\nargs: [alone]", ""),
        ("app", "workingDir: /", ""),
        ("private", "securityContext: {runAsUser: 1234}", ""),
        ("private", f"{cap}{{drop: [DAC_OVERRIDE]}}}}", ""),
        ("noexec", "command: [sh]\nargs: [/entry.sh]", ""),
        ("noexec", "securityContext: {runAsUser: 1234}", ""),
        ("crlf", "command: [sh, /entry.sh]", ""),
        ("crlf", "securityContext: {runAsUser: 1234}", ""),
        ("nouser", "securityContext: {runAsUser: 0}", ""),
        ("nouser", "securityContext: {runAsUser: 1234}", ""),
        ("named", "securityContext: {runAsUser: 2000}", ""),
        ("nothing", "args: [report]", ""),
        ("nothing", "command: [report]", ""),
        ("nothing", "args: [nope]", ""),
    ]
    return [
        Case(id=" ".join(("pod", image, container, spec)).replace("\n", " ").strip(), image=image,
             pod=_pod(image, container, spec))
        for image, container, spec in found
    ]  # fmt: skip


def _checks() -> list[Case]:
    """Health checks of a container that stays: of the command line, and of the image."""
    found: list[tuple[str, tuple[str, ...]]] = [
        ("sleeper", ("--health-cmd", words)) for words in (
            "/nope", "nope", "report", "exit 3", "/bin/report | cat", "cat /nope", "/etc/passwd", "test -d /etc")
    ] + [
        ("sleeper", ("-u", "1000", "--health-cmd", "report")),
        ("sleeper", ("-e", "PATH=/none", "--entrypoint", "/bin/sleep", "--health-cmd", "report")),
        ("sleeper", ("--tmpfs", "/etc", "--health-cmd", "cat /etc/passwd")),
        ("checked", ()),
        ("checked", ("--health-cmd", "true")),
        ("checked-words", ()),
        ("checked-missing", ()),
        ("checked-data", ()),
        ("checked-data", ("-u", "1000")),
    ]  # fmt: skip
    return [
        Case(id=" ".join(("health", image, *flags)), image=image, health=True,
             words=("docker", "run", *flags, reference(image), *(("30",) if "--entrypoint" in flags else ())))
        for image, flags in found
    ]  # fmt: skip


CASES: tuple[Case, ...] = (*_lines(), *_pods(), *_checks())


def why_not() -> str:
    """Why the engines cannot run here; empty when they can."""
    return lacks({"dockerd": "20.10", "podman": "4.3", "runc": "1.1"})


class Engines(Dockerd):
    """dockerd and podman with the images in their stores."""

    def __init__(self, images: set[str]) -> None:
        super().__init__()
        (self.top / "containers.conf").write_text(_CONF)
        self.podman = ["podman", "--root", f"{self.top}/podman", "--runroot", f"{self.top}/podman-run",
                       "--storage-driver", "overlay"]  # fmt: skip
        for image in sorted(images):
            archive = self.top / f"{image}.tar"
            forge.write(spec(image), archive, kind="docker-archive")
            for tool in (self.docker, self.podman):
                self._run([*tool, "load", "-q", "-i", str(archive)])
            archive.unlink()

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[bytes]:
        env = {**os.environ, "LC_ALL": "C.UTF-8", "CONTAINERS_CONF": f"{self.top}/containers.conf"}
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT, check=False, env=env
        )

    def start(self, case: Case, number: int) -> dict[str, Any]:
        """Start one case: exit code, text, the container's recorded exit code, report."""
        if case.health:
            return self._health(case, f"h{number}")
        return self._pod(case, f"p{number}") if case.pod else self._line(case, f"d{number}")

    def _health(self, case: Case, name: str) -> dict[str, Any]:
        """What dockerd keeps of the first health check."""
        every = ["--health-interval", "1s", "--health-timeout", "20s"]
        self._run([*self.docker, "run", "-d", "--name", name, "--network", "none", *every, *case.words[2:]])
        found: dict[str, Any] = {}
        for _ in range(200):
            done = self._run([*self.docker, "inspect", "-f", "{{json .State.Health}}", name])
            log = (json.loads(done.stdout) or {}).get("Log") if done.returncode == 0 else None
            if log:
                found = {"exit": log[0]["ExitCode"], "text": engine_text(_ID.sub("ID", log[0]["Output"]))}
                break
            time.sleep(0.2)
        self._run([*self.docker, "rm", "-f", "-v", name])
        return short(found)  # type: ignore[no-any-return]

    def _line(self, case: Case, name: str) -> dict[str, Any]:
        words = [word for word in case.words[2:] if word != "--rm"]
        if "--name" in words:
            at = words.index("--name")
            del words[at : at + 2]
        done = self._run([*self.docker, "run", "--name", name, "--network", "none", *words])
        state = self._run([*self.docker, "inspect", "-f", "{{.State.ExitCode}}", name])
        self._run([*self.docker, "rm", "-f", "-v", name])
        found = _result(done.returncode, done.stdout, done.stderr)
        return found | ({"state": int(state.stdout)} if state.returncode == 0 else {})

    def _pod(self, case: Case, name: str) -> dict[str, Any]:
        file = self.top / f"{name}.yaml"
        file.write_text(case.pod.replace("POD", name))
        played = self._run([*self.podman, "kube", "play", "--network", "none", str(file)])
        container = f"{name}-web"
        if played.returncode == 0:
            self._run([*self.podman, "wait", container])
            logs = self._run([*self.podman, "logs", container])
            code = self._run([*self.podman, "inspect", "--format", "{{.State.ExitCode}}", container])
            found = _result(int(code.stdout), logs.stdout, logs.stderr)
        else:
            lines = (played.stdout + b"\n" + played.stderr).decode("utf-8", "surrogateescape").splitlines()
            said = [line for line in lines if line.startswith("starting container")]
            said = said or [line for line in lines if line.startswith("Error: ")]
            found = _result(played.returncode, b"", "\n".join(said).encode("utf-8", "surrogateescape"))
        self._run([*self.podman, "pod", "rm", "-f", "-t", "0", name])
        self._run([*self.podman, "volume", "rm", "-f", "d"])
        file.unlink()
        return json.loads(json.dumps(found).replace(name, "POD"))


def _result(code: int, out: bytes, err: bytes) -> dict[str, Any]:
    words = runtimes.own_words(err.decode("utf-8", "surrogateescape"))
    found: dict[str, Any] = {"exit": code, "text": engine_text(_ID.sub("ID", words))}
    report = runtimes.parse_report(out.decode("utf-8", "surrogateescape").replace("\r\n", "\n"))
    if report is not None:
        report["env"] = sorted(_ID.sub("ID", entry) for entry in report["env"])
        found["report"] = report
    return short(found)  # type: ignore[no-any-return]


def observe_all(cases: list[Case]) -> dict[str, dict[str, Any]]:
    """Start every case, two at a time; pods one by one, since a pod's volume has the name that its YAML gives."""
    engines = Engines({case.image for case in cases})
    try:
        with ThreadPoolExecutor(2) as pool:
            numbered = list(enumerate(cases))
            lines = [pool.submit(engines.start, case, number) for number, case in numbered if not case.pod]
            pods = [engines.start(case, number) for number, case in numbered if case.pod]
            results = iter([*(one.result() for one in lines), *pods])
    finally:
        engines.close()
    order = [case for case in cases if not case.pod] + [case for case in cases if case.pod]
    return {case.id: next(results) for case in order}


def main() -> None:
    reason = why_not()
    if reason:
        raise SystemExit(reason)
    wanted = set(sys.argv[1:])
    known = json.loads(FILE.read_text()) if FILE.exists() and wanted else {}
    known |= observe_all([case for case in CASES if not wanted or case.id in wanted])
    order = [case.id for case in CASES if case.id in known]
    lines = [f" {json.dumps(name)}: {json.dumps(known[name], sort_keys=True)}" for name in order]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{len(order)} cases in {FILE.name}")


if __name__ == "__main__":
    main()
