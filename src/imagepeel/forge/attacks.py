"""Teaching images that have the construct of an attack on a runtime, and do no harm on any.

Each is told once, with the construct and without it, like those in `broken.py`: `imagepeel forge` and the examples of
rules make it.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from imagepeel.forge.broken import Specimen
from imagepeel.forge.entry import Entry, directory, file, opaque, symlink
from imagepeel.forge.image import ImageSpec
from imagepeel.forge.specimens import ENV_PATH, GROUP, PASSWD, Maker, add, complete_root

_NUMBER = "99999999999"
_REPEATS = 100


def _config(make: Maker, broken: bool, *, bad: dict[str, Any], good: dict[str, Any]) -> ImageSpec:
    """An image whose config alone has the construct."""
    return make(**(bad if broken else good))


def _entries(make: Maker, broken: bool, *, bad: tuple[Entry, ...], good: tuple[Entry, ...]) -> ImageSpec:
    """An image whose layer on top has the construct."""
    entries = bad if broken else good
    return make(add(*entries)) if entries else make()


def _own_program(make: Maker, broken: bool) -> ImageSpec:
    me = symlink("bin/me", "/proc/self/exe" if broken else "hello")
    return make(base=complete_root(me), entrypoint=["/bin/me"])


def _user_number(make: Maker, broken: bool) -> ImageSpec:
    line = f"{_NUMBER}:x:1000:1000::/home/app:/bin/sh\n" if broken else ""
    return make(base=complete_root(passwd=PASSWD + line), user=_NUMBER if broken else "1000")


def _passwd_size(make: Maker, broken: bool) -> ImageSpec:
    comment = "#" * ((1 << 20) + 1) + "\n" if broken else ""
    return make(base=complete_root(group=GROUP + comment))


def _two_shapes(make: Maker, broken: bool) -> ImageSpec:
    def both(role: str, data: bytes) -> bytes:
        return data[:-1] + b',"manifests":[]}' if role == "manifest" else data

    return make(kind="docker-save-25", edit=both if broken else None)


ATTACKS: dict[str, Specimen] = {
    "attack-engine-label": Specimen(
        partial(_config, bad={"labels": {"containerd.io/harmless": "nothing"}}, good={"labels": {"harmless": "x"}}),
        "A label that containerd takes for an order to itself; what it says means nothing.",
    ),
    "attack-dev-link": Specimen(
        partial(_entries, bad=(symlink("dev", "tmp"),), good=()), "/dev is a symbolic link to a directory of the image."
    ),
    "attack-open-directory": Specimen(
        partial(_config, bad={"workdir": "/proc/self/fd/1000"}, good={"workdir": "/tmp"}),
        "The working directory is an open file of the runtime, of a number that none has open.",
    ),
    "attack-user-number": Specimen(
        _user_number, "USER is a number too large for an id, and passwd gives that name the id of an ordinary user."
    ),
    "attack-passwd-size": Specimen(_passwd_size, "/etc/group has a comment of one mebibyte in one line."),
    "attack-own-program": Specimen(_own_program, "The command is a link to /proc/self/exe."),
    "attack-volume-path": Specimen(
        partial(_config, bad={"volumes": ["/data/../nothing"]}, good={}),
        "A VOLUME has .. in its path, and stays in the image.",
    ),
    "attack-opaque-marks": Specimen(
        partial(_entries, bad=(directory("data"), *[opaque("data")] * _REPEATS), good=(directory("data"),)),
        "A layer has one opaque mark a hundred times, of a directory that is empty.",
    ),
    "attack-through-link": Specimen(
        partial(
            _entries,
            bad=(symlink("way", "/tmp"), file("way/note", "written through a link of the image\n")),
            good=(symlink("way", "/tmp"),),
        ),
        "A layer has a link with an absolute target, and behind it a file below that link.",
    ),
    "attack-outside-name": Specimen(
        partial(_entries, bad=(file("../escaped", "x"),), good=(file("not-escaped", "x"),)),
        "The name of an entry climbs over the root.",
    ),
    "attack-host-variable": Specimen(
        partial(_config, bad={"env": [ENV_PATH, "AWS_*"]}, good={}),
        "An Env entry without = asks for variables of the host.",
    ),
    "attack-two-shapes": Specimen(
        _two_shapes, "The manifest has the fields of an index as well; its list of manifests is empty."
    ),
    "attack-contents": Specimen(
        partial(
            _entries,
            bad=(file("motd", "x"), file("stargz.index.json", '{"version":1,"entries":[]}\n')),
            good=(file("motd", "x"),),
        ),
        "The table of contents of a layer lists none of its files.",
    ),
}
"""Every harmless specimen of an attack by its name."""
