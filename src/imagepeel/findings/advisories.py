"""The one table of advisories: which attack has which number, and the first versions of each engine that withstand it.

Read in the advisories (CVE records, GHSA pages) and release notes of the projects in November 2026.
"""

from __future__ import annotations

import msgspec

from imagepeel.text import joined


class Fixed(msgspec.Struct, frozen=True):
    """A program and the first version of each of its release branches that has the fix, newest first.

    `versions` is () where no release was known to have it when the table was read; `unknown` are release branches of
    which that could not be told.
    """

    program: str
    versions: tuple[str, ...]
    unknown: tuple[str, ...] = ()

    def __str__(self) -> str:
        """`containerd before 2.3.2, 2.2.5 or 1.7.33`: who is not safe."""
        if not self.versions:
            return f"{self.program} (the first version with the fix is not known)"
        left = f" (of {joined(self.unknown)} it is not known)" if self.unknown else ""
        return f"{self.program} before {joined(self.versions, 'or')}{left}"


class Advisory(msgspec.Struct, frozen=True):
    """One advisory: its number, and who fixed it when."""

    id: str
    """CVE number, or `owner/repository#number` of an issue where no advisory was made."""
    fixed: tuple[Fixed, ...]
    alias: str = ""
    """GHSA number under which the project has it, where people know that one."""

    @property
    def url(self) -> str:
        """Where it can be read."""
        repository, issue, number = self.id.partition("#")
        if issue:
            return f"https://github.com/{repository}/issues/{number}"
        return f"https://www.cve.org/CVERecord?id={self.id}"

    @property
    def unsafe(self) -> str:
        """Who is not safe, in words."""
        return " or on ".join(map(str, self.fixed))


_CONTAINERD_AUGUST = Fixed("containerd", ("2.3.2", "2.2.5", "2.1.9", "2.0.10", "1.7.33"))

ADVISORIES: dict[str, Advisory] = {
    one.id: one
    for one in (
        Advisory("CVE-2026-53488", (_CONTAINERD_AUGUST,)),
        Advisory("CVE-2026-41579", (Fixed("runc", ("1.5.0-rc.3", "1.4.3", "1.3.6")),)),
        Advisory("CVE-2026-47766", (Fixed("crun", ("1.28",)),)),
        Advisory("CVE-2024-21626", (Fixed("runc", ("1.1.12",)),)),
        Advisory("CVE-2026-46680", (Fixed("containerd", ("2.3.1", "2.2.4", "2.1.8", "2.0.9", "1.7.32")),)),
        Advisory("CVE-2026-47262", (_CONTAINERD_AUGUST, Fixed("Docker", ("29.7.0",)))),
        Advisory(
            "CVE-2026-95838",
            (Fixed("containerd", ("2.3.5", "2.2.8", "2.0.12", "1.7.35"), unknown=("2.1", "2.4")),),
            alias="GHSA-rp3h-jf77-q9p4",
        ),
        Advisory("CVE-2026-17106", (Fixed("Docker", ("29.7.0",)), Fixed("go-archive", ("0.3.0",)))),
        Advisory("containers/storage#2014", (Fixed("podman", ()),)),
        Advisory("CVE-2026-57231", (Fixed("podman", ("6.0.0", "5.8.4")),), alias="GHSA-4hq8-gpf5-8p68"),
        Advisory("CVE-2026-28406", (Fixed("kaniko", ("1.25.10",)),)),
        Advisory("CVE-2021-29136", (Fixed("umoci", ("0.4.7",)),)),
        Advisory("CVE-2021-41190", (Fixed("containerd", ("1.5.8", "1.4.12")), Fixed("Docker", ("20.10.11",)))),
        Advisory("CVE-2019-5736", (Fixed("runc", ("1.0.0-rc7",)),)),
        Advisory("CVE-2022-23648", (Fixed("containerd", ("1.6.1", "1.5.10", "1.4.13")),)),
    )
}
"""Number to advisory."""
