"""What a scenario is: entries for the forge, the options of the start, and the expected verdict per runtime."""

from __future__ import annotations

import functools
import json
import platform
from pathlib import Path
from typing import Any

import msgspec

from imagepeel import forge
from imagepeel.forge import Entry, programs
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.process_spec import ProcessSpec

RUNTIMES = ("runc@1.1", "crun@1.8")


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One start.

    `expect` is RUNS, UNKNOWN, DEPENDS or a row of the failure table, the same for all runtimes or one each.
    `rows` names the rules it covers.  `needs` are files of this machine that its image is made of.
    """

    id: str
    rows: tuple[str, ...]
    entries: tuple[Entry, ...]
    config: dict[str, Any]
    expect: dict[str, str]
    options: dict[str, Any] = {}
    needs: tuple[str, ...] = ()

    def wanted(self) -> ProcessSpec:
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in self.config.items()}
        return ProcessSpec(**{"architecture": "amd64", **values})

    def start_options(self, engine: str) -> ProcessOptions:
        return ProcessOptions(engine=engine, **self.options)

    def image(self, name: str = "scenario:1") -> forge.ImageSpec:
        config = dict(self.config)
        keys = {"working_dir": "workdir"}
        last = {entry.path.strip(b"/"): entry for entry in self.entries}  # engines refuse a path that comes twice
        return forge.image(
            forge.layer(*last.values()),
            names=name,
            **{keys.get(key, key): value for key, value in config.items()},
        )

    def missing(self) -> str:
        if self.needs and (here := release()) != RECORDED_ON:
            return f"its programs were recorded as {RECORDED_ON} has them, and this is {here}"
        for path in self.needs:
            if not Path(path).exists():
                return f"{path} is not on this machine"
        return ""


RECORDED_ON = "Debian 12"


@functools.cache
def release() -> str:
    """What this machine is, as os-release(5) has it."""
    try:
        found = platform.freedesktop_os_release()
    except OSError:
        return "no known system"
    return f"{'Debian' if found['ID'] == 'debian' else found['ID']} {found.get('VERSION_ID', 'sid')}"


WAITS = "it waits for what is nowhere and never ends, with runc too"


@functools.cache
def _observed() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((Path(__file__).parent / "observed.json").read_text())
    return found


def waits(scenario: Scenario) -> bool:
    """Whether a start does not end by itself, as recorded with runc: engines are not asked to do it again."""
    return any("timed_out" in one for one in _observed().get(scenario.id, {}).values())


ALL: list[Scenario] = []
_CALLED: set[str] = set()


def scenario(
    name: str,
    rows: str,
    expect: str | dict[str, str],
    *entries: Entry,
    options: dict[str, Any] | None = None,
    base: bool = True,
    **config: Any,
) -> None:
    """Add a scenario; `base` puts the standard tree (report, passwd, group) under the given entries."""
    config.setdefault("entrypoint", ["/bin/report"])
    if config["entrypoint"] is None:
        del config["entrypoint"]
    expected = dict.fromkeys(RUNTIMES, expect) if isinstance(expect, str) else expect
    tree = (*BASE, *entries) if base else entries
    if name in _CALLED:
        raise ValueError(f"two scenarios are called {name}")
    _CALLED.add(name)
    ALL.append(
        Scenario(
            id=name,
            rows=tuple(rows.split()),
            entries=tree,
            config=config,
            expect=expected,
            options=options or {},
            needs=tuple(sorted({source for source in (SOURCES.get(entry.data) for entry in tree) if source})),
        )
    )


SOURCES: dict[bytes, str] = {}


@functools.cache
def from_machine(path: str) -> bytes:
    """The bytes of a file of this machine; empty when it is absent (the scenario is skipped then)."""
    found = Path(path)
    data = found.read_bytes() if found.exists() else f"absent {path}".encode()
    SOURCES[data] = path
    return data


def absent(data: bytes) -> str:
    """The path of this machine that an entry's bytes should have come from and did not."""
    source = SOURCES.get(data, "")
    return source if source and not Path(source).exists() else ""


def runc_crun(runc: str, crun: str) -> dict[str, str]:
    return {"runc@1.1": runc, "crun@1.8": crun}


PASSWD = (
    "root:x:0:0:root:/root:/bin/sh\n"
    "app:x:1234:1234::/home/app:/bin/sh\n"
    "bob:x:2000:2001::/home/bob:/bin/sh\n"
    "1234:x:77:78::/n:/bin/sh\n"
)
GROUP = "root:x:0:\nwheel:x:10:root,bob\napp:x:1234:\nextra:x:5555:app\nmore:x:6666:app,bob\n# note:x:9:app\n"
REPORT = programs.report()
BASE = (
    forge.directory("bin"),
    forge.file("bin/report", REPORT, 0o755),
    forge.directory("etc"),
    forge.file("etc/passwd", PASSWD),
    forge.file("etc/group", GROUP),
)


def busybox(*applets: str) -> tuple[Entry, ...]:
    """Debian's static busybox with links for these applets."""
    return (
        forge.file("bin/busybox", from_machine("/usr/bin/busybox"), 0o755),
        *(forge.symlink(f"bin/{name}", "busybox") for name in applets),
    )


def script(path: str, text: str | bytes, mode: int = 0o755, **more: Any) -> Entry:
    return forge.file(path, text, mode, **more)
