"""Debian's own servers, started for real: who goes into the background, who stays, and who gives up at once.

The programs are this machine's, with the libraries that ldd names; a server that is not installed is skipped.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from imagepeel import forge
from imagepeel.forge import Entry

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "scenarios"), str(HERE.parent / "unit" / "process")]

import runtimes  # noqa: E402
from fake_rootfs import FakeRootfs  # noqa: E402
from model import RUNTIMES, Scenario  # noqa: E402

from imagepeel.process.bundle import runtime_spec  # noqa: E402
from imagepeel.process.predict import predict  # noqa: E402
from sampling import sample  # noqa: E402

pytestmark = [pytest.mark.judge, pytest.mark.skipif(bool(runtimes.why_not()), reason=runtimes.why_not())]

F, D, L = forge.file, forge.directory, forge.symlink
READ_ONLY = {"read_only": True}
PATIENCE = 3
"""Seconds after which a server that has not ended stays."""
STARTED = 10
"""Servers that each run starts on each runtime."""

ACCOUNTS = (
    F("etc/passwd", "root:x:0:0::/root:/bin/sh\nwww-data:x:33:33::/:/bin/sh\nsshd:x:105:65534::/run/sshd:/bin/sh\n"),
    F("etc/group", "root:x:0:\nwww-data:x:33:\nnogroup:x:65534:\n"), F("etc/nsswitch.conf", "passwd: files\n"),
    D("run"), D("tmp", 0o1777), D("var/log"), L("var/run", "/run"),
)  # fmt: skip


def program(path: str) -> tuple[Entry, ...]:
    """A program of this machine and its libraries."""
    if not Path(path).exists():
        pytest.skip(f"{path} is not on this machine")
    told = subprocess.run(["ldd", path], capture_output=True, text=True, check=True, timeout=20).stdout
    places = {path, *re.findall(r"(/\S+) \(0x", told)}
    return tuple(F(place.lstrip("/"), Path(place).read_bytes(), 0o755) for place in sorted(places))


def nginx(config: str) -> tuple[Entry, ...]:
    places = D("var/log/nginx"), D("var/lib/nginx"), D("etc/nginx"), D("usr/share/nginx")
    return *program("/usr/sbin/nginx"), *places, F("etc/nginx/nginx.conf", config)


HTTP = "error_log stderr;\nevents {}\nhttp { access_log off; server { listen 8080; } }\n"
IN_TMP = "".join(f"{name}_temp_path /tmp/{name}; " for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
NGINX = f"user www-data;\npid /run/nginx.pid;\n{HTTP}"
UNPRIVILEGED = f"pid /tmp/nginx.pid;\n{HTTP.replace('access_log off;', f'access_log off; {IN_TMP}')}"
OFF = ("-g", "daemon off;")


def sshd(*more: Entry) -> tuple[Entry, ...]:
    return *program("/usr/sbin/sshd"), F("etc/ssh/sshd_config", "UsePAM no\n"), *more


def host_key(directory: Path) -> Entry:
    key = directory / "key"
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed")
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
    subprocess.run(words, check=True, timeout=20, capture_output=True)
    return F("etc/ssh/ssh_host_ed25519_key", key.read_bytes(), 0o600)


def cron(*more: Entry) -> tuple[Entry, ...]:
    return *program("/usr/sbin/cron"), F("etc/crontab", ""), D("etc/cron.d"), *more


def apache() -> tuple[Entry, ...]:
    modules = Path("/usr/lib/apache2/modules")
    names = ("mod_mpm_event.so", "mod_authz_core.so")
    config = "".join(
        f"LoadModule {name.removeprefix('mod_').removesuffix('.so')}_module {modules}/{name}\n" for name in names
    )
    config += "PidFile /run/apache2/apache2.pid\nErrorLog /dev/stderr\nServerName x\nUser www-data\nGroup www-data\n"
    return (
        *program("/usr/sbin/apache2"), D("run/apache2"), D("var/log/apache2"),
        F("etc/apache2/apache2.conf", f"{config}Listen 8080\n"),
        *(F(f"usr/lib/apache2/modules/{name}", (modules / name).read_bytes()) for name in names),
    )  # fmt: skip


RUN, SPOOL = D("run/sshd"), D("var/spool/cron/crontabs", 0o1730)

# name: the image, the words, how it ends, the options, the user
CASES: dict[str, tuple[Any, tuple[str, ...], str, dict[str, Any], str]] = {
    "nginx": (lambda _: nginx(NGINX), ("nginx",), "leaves", {}, ""),
    "nginx-off": (lambda _: nginx(NGINX), ("nginx", *OFF), "stays", {}, ""),
    "nginx-off-in-config": (lambda _: nginx(f"{NGINX}daemon off;\n"), ("nginx",), "stays", {}, ""),
    "nginx-off-read-only": (lambda _: nginx(NGINX), ("nginx", *OFF), "refuses", READ_ONLY, ""),
    "nginx-unprivileged": (lambda _: nginx(UNPRIVILEGED), ("nginx", *OFF), "stays", {}, "33"),
    "nginx-unprivileged-read-only": (lambda _: nginx(UNPRIVILEGED), ("nginx", *OFF), "refuses", READ_ONLY, "33"),
    "sshd": (lambda tmp: sshd(host_key(tmp), RUN), ("/usr/sbin/sshd",), "leaves", {}, ""),
    "sshd-foreground": (lambda tmp: sshd(host_key(tmp), RUN), ("/usr/sbin/sshd", "-D"), "stays", {}, ""),
    "sshd-by-name": (lambda tmp: sshd(host_key(tmp), RUN), ("sshd", "-D"), "refuses", {}, ""),
    "sshd-no-keys": (lambda _: sshd(RUN), ("/usr/sbin/sshd", "-D"), "refuses", {}, ""),
    "sshd-no-directory": (lambda tmp: sshd(host_key(tmp)), ("/usr/sbin/sshd", "-D"), "refuses", {}, ""),
    "sshd-read-only": (lambda tmp: sshd(host_key(tmp), RUN), ("/usr/sbin/sshd", "-D"), "stays", READ_ONLY, ""),
    "cron": (lambda _: cron(SPOOL), ("cron",), "leaves", {}, ""),
    "cron-foreground": (lambda _: cron(SPOOL), ("cron", "-f"), "stays", {}, ""),
    "cron-no-spool": (lambda _: cron(), ("cron", "-f"), "refuses", {}, ""),
    "cron-read-only": (lambda _: cron(SPOOL), ("cron", "-f"), "refuses", READ_ONLY, ""),
    "cron-as-user": (lambda _: cron(SPOOL), ("cron", "-f"), "refuses", {}, "33"),
    "apache": (lambda _: apache(), ("apache2",), "leaves", {}, ""),
    "apache-foreground": (lambda _: apache(), ("apache2", "-DFOREGROUND"), "stays", {}, ""),
    "apache-read-only": (lambda _: apache(), ("apache2", "-DFOREGROUND"), "refuses", READ_ONLY, ""),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "name" in metafunc.fixturenames:
        metafunc.parametrize("name", sample(metafunc.config, list(CASES), STARTED))


@pytest.fixture(scope="module")
def scenarios(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Scenario | str]:
    """What the run starts, by name; the reason where a server is not on this machine."""
    found: dict[str, Scenario | str] = {}
    for name in sample(request.config, list(CASES), STARTED):
        made, words, _, options, user = CASES[name]
        try:
            entries = {entry.path: entry for entry in (*ACCOUNTS, *made(tmp_path_factory.mktemp("made")))}
        except pytest.skip.Exception as absent:
            found[name] = str(absent)
            continue
        found[name] = Scenario(
            id=f"server-{name}", rows=(), entries=tuple(entries.values()),
            config={"entrypoint": [*words], "user": user}, expect={}, options=options,
        )  # fmt: skip
    return found


@pytest.fixture(scope="module")
def starts(
    scenarios: dict[str, Scenario | str], tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], dict[str, Any]]:
    """What each did on each runtime: four at a time, since they only wait."""

    def start(name: str, scenario: Scenario, runtime: str) -> dict[str, Any]:
        spec, _ = runtime_spec(FakeRootfs(scenario.entries), scenario.wanted(), scenario.start_options(runtime))
        bundle = tmp_path_factory.mktemp(name)
        bundle.chmod(0o755)
        runtimes.unpack(scenario.image(), bundle / "rootfs")
        return runtimes.start(runtime, bundle, spec)

    jobs = [(name, one, on) for name, one in scenarios.items() if not isinstance(one, str) for on in RUNTIMES]
    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor(4) as pool:
        patch.setattr(runtimes, "TIMEOUT", PATIENCE)
        done = list(pool.map(lambda job: start(*job), jobs))
    return {(name, on): found for (name, _, on), found in zip(jobs, done, strict=True)}


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_server_does_what_is_predicted(
    name: str, runtime: str, scenarios: dict[str, Scenario | str], starts: dict[tuple[str, str], dict[str, Any]]
) -> None:
    scenario, ends = scenarios[name], CASES[name][2]
    if isinstance(scenario, str):
        pytest.skip(scenario)
    prediction = predict(FakeRootfs(scenario.entries), scenario.wanted(), scenario.start_options(runtime))
    found = starts[name, runtime]
    really = "stays" if found["timed_out"] else "leaves" if found["exit"] == 0 else "refuses"
    assert really == ends, found
    one = prediction.pid1
    if ends == "refuses":
        assert prediction.verdict.kind in ("UNKNOWN", "DEPENDS", "FAILS")
        return
    assert prediction.verdict.kind == "RUNS" and one is not None
    assert one.ends_at_once is (ends == "leaves")
