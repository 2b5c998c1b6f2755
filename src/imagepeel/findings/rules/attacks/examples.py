"""The bad and the good image of each rule of the family `attacks`: each has the construct, and none does harm."""

from __future__ import annotations

from functools import partial

from imagepeel.findings.example import Example
from imagepeel.forge.entry import symlink
from imagepeel.forge.image import ImageSpec
from imagepeel.forge.specimens import GROUP, PASSWD, complete_root, holding, sound

_NUMBER = "99999999999"


def _passwd(passwd: str, user: str) -> ImageSpec:
    return sound(base=complete_root(passwd=passwd), user=user)


EXAMPLES: dict[str, Example] = {
    "ATTACKS-ENGINE-LABEL": Example(
        bad=partial(sound, labels={"containerd.io/harmless": "nothing"}), good=partial(sound, labels={"harmless": "x"})
    ),
    "ATTACKS-DEV-LINK": Example(bad=lambda: holding(symlink("dev", "tmp")), good=sound),
    "ATTACKS-OPEN-DIRECTORY": Example(
        bad=partial(sound, workdir="/proc/self/fd/1000"),
        good=partial(sound, workdir="/tmp"),
        also=("WORKDIR-IN-PROC",),
    ),
    "ATTACKS-USER-NUMBER": Example(
        bad=lambda: _passwd(PASSWD + f"{_NUMBER}:x:1000:1000::/home/app:/bin/sh\n", _NUMBER),
        good=lambda: _passwd(PASSWD, "1000"),
        also=("UNKNOWN-USER",),
    ),
    "ATTACKS-PASSWD-SIZE": Example(
        bad=lambda: sound(base=complete_root(group=GROUP + "#" * ((1 << 20) + 1) + "\n")), good=sound
    ),
    "ATTACKS-OWN-PROGRAM": Example(
        bad=lambda: sound(base=complete_root(symlink("bin/me", "/proc/self/exe")), entrypoint=["/bin/me"]),
        good=sound,
    ),
    "ATTACKS-VOLUME-PATH": Example(
        bad=partial(sound, volumes=["/data/../nothing"]), good=sound, also=("ANONYMOUS-VOLUME", "VOLUME-NOT-OWNED")
    ),
}
