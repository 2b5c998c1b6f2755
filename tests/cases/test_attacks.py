"""Images that attack their runtime: `engines-2026.md` part 2, the constructs and who is safe."""

from __future__ import annotations

from typing import Any

import pytest

import imagepeel
from effort import steps
from imagepeel import forge
from imagepeel.archive.source import MemorySource
from imagepeel.findings.advisories import ADVISORIES
from imagepeel.findings.catalogue import RULES

FIXED = {
    "CVE-2026-53488": {"containerd": "2.3.2 2.2.5 2.1.9 2.0.10 1.7.33"},
    "CVE-2026-41579": {"runc": "1.5.0-rc.3 1.4.3 1.3.6"},
    "CVE-2026-47766": {"crun": "1.28"},
    "CVE-2024-21626": {"runc": "1.1.12"},
    "CVE-2026-46680": {"containerd": "2.3.1 2.2.4 2.1.8 2.0.9 1.7.32"},
    "CVE-2019-5736": {"runc": "1.0.0-rc7"},
    "CVE-2026-95838": {"containerd": "2.3.5 2.2.8 2.0.12 1.7.35"},
    "CVE-2026-57231": {"podman": "6.0.0 5.8.4"},
    "CVE-2026-47262": {"containerd": "2.3.2 2.2.5 2.1.9 2.0.10 1.7.33", "Docker": "29.7.0"},
    "containers/storage#2014": {"podman": ""},
    "CVE-2026-17106": {"Docker": "29.7.0", "go-archive": "0.3.0"},
    "CVE-2026-28406": {"kaniko": "1.25.10"},
    "CVE-2021-29136": {"umoci": "0.4.7"},
    "CVE-2021-41190": {"containerd": "1.5.8 1.4.12", "Docker": "20.10.11"},
    "CVE-2022-23648": {"containerd": "1.6.1 1.5.10 1.4.13"},
}
"""As the advisories and release notes have it; "" where no release was known."""

SH = forge.file("bin/sh", "x", 0o755)


def both(role: str, data: bytes) -> bytes:
    """A manifest that has the fields of an index as well."""
    return data[:-1] + b',"manifests":[]}' if role == "manifest" else data


def findings(*entries: Any, **settings: Any) -> dict[str, str]:
    image = forge.image(forge.layer(*entries), names="hostile:1", **settings)
    with imagepeel.open(MemorySource(forge.to_bytes(image), "hostile.tar")) as archive:
        return {one.rule: one.message for one in archive.image().findings() if one.rule.startswith("ATTACKS-")}


@pytest.mark.parametrize("number", FIXED)
def test_the_first_fixed_versions(number: str) -> None:
    assert {one.program: " ".join(one.versions) for one in ADVISORIES[number].fixed} == FIXED[number]


def test_the_table_is_whole() -> None:
    """Each row has its right versions above, and what nobody knows is said."""
    assert set(FIXED) == set(ADVISORIES)
    assert "(of 2.1 and 2.4 it is not known)" in ADVISORIES["CVE-2026-95838"].unsafe
    assert "the first version with the fix is not known" in ADVISORIES["containers/storage#2014"].unsafe


def test_every_advisory_has_a_rule_and_every_attack_an_advisory() -> None:
    told = {number for rule in RULES for number in rule.advisories}
    assert told == set(ADVISORIES)
    assert all(rule.advisories for rule in RULES if rule.id.startswith("ATTACKS-"))


@pytest.mark.parametrize(
    ("rule", "entries", "settings", "words"),
    [
        ("ENGINE-LABEL", (SH,), {"labels": {"containerd.io/restart": "x"}}, "on containerd before 2.3.2, 2.2.5"),
        ("ENGINE-LABEL", (SH,), {"labels": {"io.cri-containerd.image": "x"}}, "pulling it is enough"),
        ("DEV-LINK", (SH, forge.symlink("dev", "tmp")), {}, "on runc before 1.5.0-rc.3, 1.4.3 or 1.3.6 or on crun"),
        ("OPEN-DIRECTORY", (SH,), {"workdir": "/proc/self/fd/7"}, "on runc before 1.1.12"),
        ("OPEN-DIRECTORY", (SH,), {"workdir": "/dev/fd/7/../.."}, "nothing on a patched node"),
        ("OPEN-DIRECTORY", (SH, forge.symlink("srv", "/proc/self/fd/8")), {"workdir": "/srv"}, "to /proc/self/fd/8"),
        ("OPEN-DIRECTORY", (SH, forge.symlink("a", "b/../c"), forge.symlink("c", "/proc/1/fd")),
         {"workdir": "/a/9"}, "to /proc/1/fd/9"),
        (
            "USER-NUMBER",
            (SH, forge.file("etc/passwd", "99999999999:x:0:0::/:/bin/sh\n")),
            {"user": "99999999999:0"},
            "it runs as 0",
        ),
        ("PASSWD-SIZE", (SH, forge.file("etc/passwd", "#" * ((1 << 20) + 1))), {}, "with a line of more than 1 MiB"),
        ("OWN-PROGRAM", (SH, forge.symlink("me", "/proc/self/exe")), {"entrypoint": ["/me"]}, "runc before 1.0.0-rc7"),
        ("OWN-PROGRAM", (SH, forge.file("me", "#!/proc/self/exe\n", 0o755)), {"entrypoint": ["/me"]}, "interpreter"),
        ("OPAQUE-MARKS", (SH, forge.directory("d"), *[forge.opaque("d")] * 100), {}, "before 2.3.5, 2.2.8, 2.0.12 or"),
        ("OPAQUE-MARKS", (SH, *[forge.opaque()] * 250), {}, "/.wh..wh..opq 250 times"),
        ("THROUGH-LINK", (SH, forge.symlink("a", "/etc"), forge.file("a/b", "x")), {}, "/a/b below its own link /a to"),
        ("THROUGH-LINK", (SH, forge.symlink("d/a", "../../e"), forge.symlink("d/a-b", "x"), forge.file("d/a/b/c", "x")),
         {}, "on Docker before 29.7.0 or on go-archive before 0.3.0"),
        ("TWO-SHAPES", (SH,), {"kind": "docker-save-25", "edit": both}, "on containerd before 1.5.8 or 1.4.12"),
        ("VOLUME-PATH", (SH,), {"volumes": ["/../../../../etc"]}, "on containerd before 1.6.1, 1.5.10 or 1.4.13"),
    ],
)  # fmt: skip
def test_the_construct_is_told(rule: str, entries: Any, settings: dict[str, Any], words: str) -> None:
    found = findings(*entries, **settings)
    assert set(found) == {f"ATTACKS-{rule}"}
    assert words in found[f"ATTACKS-{rule}"]
    assert "does nothing on a patched node" in found[f"ATTACKS-{rule}"]


@pytest.mark.parametrize(
    ("entries", "settings"),
    [
        ((SH,), {"labels": {"org.opencontainers.image.source": "containerd.io/x", "io.containerd.x": "y"}}),
        ((SH, forge.directory("dev"), forge.symlink("dev/fd", "/proc/self/fd")), {}),
        ((SH,), {"workdir": "/proc/self/cwd"}),
        ((SH,), {"workdir": "/srv/proc/self/fd/7"}),
        ((SH, forge.file("etc/passwd", "99999999999:x:0:0::/:/bin/sh\n")), {"user": "1000"}),
        ((SH, forge.file("etc/passwd", ("#" * 60_000 + "\n") * 20)), {}),
        ((SH, forge.symlink("me", "/bin/sh")), {"entrypoint": ["/me"]}),
        ((SH,), {"volumes": ["/data/..hidden"]}),
        ((SH, forge.symlink("a", "b"), forge.symlink("b", "a")), {"workdir": "/a"}),
        ((SH, forge.directory("d"), *[forge.opaque("d")] * 2), {}),
        ((SH, *[forge.whiteout(f"d/{i}") for i in range(300)]), {}),
        ((SH, forge.symlink("a", "/etc"), forge.file("a-b/c", "x"), forge.file("ab", "x")), {}),
        ((SH, forge.file("a/b", "x"), forge.symlink("c", "/a")), {}),
        ((SH, forge.symlink("d/a", "../etc"), forge.file("d/a/b", "x")), {}),
    ],
)
def test_its_neighbour_is_not(entries: Any, settings: dict[str, Any]) -> None:
    assert findings(*entries, **settings) == {}


PASSWD = forge.file("etc/passwd", "00000000000000000007:x:0:0::/:/bin/sh\n2147483648:x:0:0::/:/bin/sh\n")
LINKED = forge.symlink("lnk", "/proc/self/exe")


@pytest.mark.parametrize(
    ("rule", "entries", "settings"),
    [
        *(("OPEN-DIRECTORY", (SH,), {"workdir": place}) for place in (
            "/proc/self/fd/8/", "/proc/1/fd/7", "/proc/thread-self/fd/7", "//proc/./self/fd/7", "proc/self/fd/7",
            "/dev/../proc/self/fd/7", "/proc/self/task/1/fd/7", "/proc/self/fd",
        )),
        *(("", (SH,), {"workdir": place}) for place in ("/proc/self/fdinfo/7", "/dev/fdx/7")),
        ("USER-NUMBER", (SH, PASSWD), {"user": "2147483648"}),
        ("", (SH, PASSWD), {"user": "00000000000000000007"}),
        ("OWN-PROGRAM", (SH, forge.symlink("usr/bin/me", "/proc/self/exe")), {"entrypoint": ["me"]}),
        ("OWN-PROGRAM", (SH, forge.symlink("app/me", "../proc/self/exe")), {"entrypoint": ["./me"], "workdir": "/app"}),
        *(("OWN-PROGRAM", (SH, LINKED, forge.file("e", line, 0o755)), {"entrypoint": ["/e"]}) for line in (
            "#! /proc/self/exe\n", "#!\t/proc/self/exe\targ\n", "#!/proc/1/exe -x\n", "#!/lnk\n",
        )),
        ("", (SH, forge.file("e", "#!/bin/sh /proc/self/exe\n", 0o755)), {"entrypoint": ["/e"]}),
        ("ENGINE-LABEL", (SH,), {"labels": {"io.cri-containerd.kind": "x"}}),
        *(("", (SH,), {"labels": {label: "x"}}) for label in ("Containerd.io/x", "x.containerd.io/y")),
        *(("VOLUME-PATH", (SH,), {"volumes": [volume]}) for volume in ("/..", "/a/../b", "../x")),
    ],
)  # fmt: skip
def test_other_ways_to_write_the_same(rule: str, entries: Any, settings: dict[str, Any]) -> None:
    """The kernel and the engines take them for the same; the near ones they do not."""
    assert set(findings(*entries, **settings)) == ({f"ATTACKS-{rule}"} if rule else set())


@pytest.mark.parametrize("name", [name for name in forge.NAMES if name.startswith("attack-")])
def test_each_specimen_comes_from_the_forge_and_is_found(name: str, run_cli: Any, tmp_path: Any) -> None:
    """Each rule with an advisory has a harmless image that `imagepeel forge` writes."""
    assert run_cli("forge", name, tmp_path / "image.tar").exit_code == 0
    found = run_cli("wtf", tmp_path / "image.tar", "--json")
    (told,) = [rule for rule, example in SPECIMEN_OF.items() if example == name]
    assert f'"rule":"{told}"' in found.stdout.replace('": "', '":"')


SPECIMEN_OF = {
    **{f"ATTACKS-{name}": f"attack-{name.lower()}" for name in (
        "ENGINE-LABEL", "DEV-LINK", "OPEN-DIRECTORY", "USER-NUMBER", "PASSWD-SIZE", "OWN-PROGRAM", "VOLUME-PATH",
        "OPAQUE-MARKS", "THROUGH-LINK", "TWO-SHAPES",
    )},
    "OUTSIDE-NAME": "attack-outside-name",
    "ENV-ASKS-THE-HOST": "attack-host-variable",
    "CONTENTS-DISAGREE": "attack-contents",
}  # fmt: skip


def test_no_rule_of_the_family_lacks_a_specimen() -> None:
    assert {rule.id for rule in RULES if rule.id.startswith("ATTACKS-")} <= set(SPECIMEN_OF)
    assert set(SPECIMEN_OF.values()) == {name for name in forge.NAMES if name.startswith("attack-")}


def test_a_passwd_of_many_lines_costs_an_engine_little_more_than_one_of_a_few() -> None:
    """Counted in steps of Python: what is asked of the file is found in its bytes, whatever else stands there."""
    engines = ("docker", "docker@20.10", "containerd", "k8s", "podman", "crun", "runc@1.1")

    def costs(count: int) -> list[int]:
        lines = "".join(f"user{i}:x:{1000 + i}:{1000 + i}::/home/u{i}:/bin/sh\n" for i in range(count))
        passwd = forge.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n" + lines)
        group = forge.file("etc/group", "root:x:0:\n" + lines)
        user = f"user{count - 1}"
        image = forge.image(forge.layer(SH, passwd, group, forge.symlink("dev", "tmp")), names="many:1", user=user)
        with imagepeel.open(MemorySource(forge.to_bytes(image), "many.tar")) as archive:
            opened = archive.image()
            return [steps(lambda: opened.process(engine=one), limit=10_000_000) for one in engines]  # noqa: B023

    costs(10)  # what is imported on the way
    for engine, few, many in zip(engines, costs(10), costs(20_000), strict=True):
        # podman's runtime looks at each line of both files, and each costs no more than a few steps.
        looked_at = 2 * 20_000 if engine in ("podman", "crun") else 0
        assert many < 2 * few + 3 * looked_at, engine
