"""Recipes about files: secrets, identities, state, and single tar entries."""

from __future__ import annotations

import base64
from typing import Any

from imagepeel.findings.recipes.parts import PATH, Recipe, add, app, lazy, noise, rootfs, sound
from imagepeel.forge import programs
from imagepeel.forge.entry import (
    Entry,
    device,
    directory,
    file,
    hardlink,
    pax_global,
    sparse,
    symlink,
    whiteout,
)
from imagepeel.forge.image import ImageSpec, LayerSpec, Step
from imagepeel.forge.tar import encode

_KEY = (
    "-----BEGIN PRIVATE KEY-----\n"
    + base64.encodebytes(noise("an invented key", 120)).decode()
    + "-----END PRIVATE KEY-----\n"
)
"""Random bytes in the dress of a key: it opens nothing."""
_TOKEN = "ghp_" + noise("an invented token", 18).hex()


def _step(line: str, empty: bool = True) -> Step:
    return Step(created_by=line, empty=empty, comment="buildkit.dockerfile.v0")


def _keyed(*more: LayerSpec) -> ImageSpec:
    return app(add(directory("srv"), file("srv/server.key", _KEY, 0o600), by="COPY server.key /srv/"), *more)


def _argument(line: str) -> ImageSpec:
    return app(history=[_step("ADD rootfs.tar / # buildkit", False), _step(line)])


def _one(*entries: Entry, **more: Any) -> ImageSpec:
    return app(add(*entries), **more)


def _volume(after: bool) -> ImageSpec:
    data = add(directory("data"), file("data/seed", "seed\n"), by="COPY seed /data/ # buildkit")
    base, volume, copy = (
        _step("ADD rootfs.tar / # buildkit", False),
        _step("VOLUME [/data]"),
        _step("COPY seed /data/ # buildkit", False),
    )
    history = [base, volume, copy] if after else [base, copy, volume]
    return app(data, volumes=["/data"], history=history)


def _database(size: int) -> ImageSpec:
    return app(
        add(
            directory("var"),
            directory("var/lib"),
            directory("var/lib/db"),
            file("var/lib/db/PG_VERSION", "16\n" if size else ""),
            file("var/lib/db/base", noise("base", size)),
            by="RUN /bin/sh -c initdb # buildkit",
        )
    )


RECIPES: dict[str, Recipe] = {
    # ---- secrets
    "SHIPPED-SECRET": Recipe(bad=_keyed, good=sound),
    "DELETED-SECRET": Recipe(
        bad=lambda: _keyed(add(whiteout("srv/server.key"), by="RUN /bin/sh -c rm /srv/server.key # buildkit")),
        good=sound,
    ),
    "SECRET-IN-ENV": Recipe(
        bad=lazy(app, env=[PATH, f"BUILD_ID={_TOKEN}"]),
        good=lazy(app, env=[PATH, "GITHUB_TOKEN_FILE=/run/secrets/token"]),
    ),
    "SECRET-IN-HISTORY": Recipe(
        bad=lazy(_argument, f"RUN |1 NPM_TOKEN={_TOKEN} /bin/sh -c npm ci # buildkit"),
        good=lazy(_argument, "RUN --mount=type=secret,id=npm /bin/sh -c npm ci # buildkit"),
    ),
    "HOST-IDENTITY": Recipe(
        bad=lambda: _one(file("etc/machine-id", noise("machine", 16).hex() + "\n")),
        good=lambda: _one(file("etc/machine-id", "")),
    ),
    # ---- state
    "VOLUME-CONTENT": Recipe(bad=lazy(_volume, True), good=sound, also=("ANONYMOUS-VOLUME",)),
    "ANONYMOUS-VOLUME": Recipe(
        bad=lambda: app(add(directory("data", 0o755, 1000, 1000)), volumes=["/data"]), good=sound
    ),
    "BAKED-DATABASE": Recipe(bad=lazy(_database, 4000), good=lazy(_database, 0)),
    "DATABASE-WITHOUT-VOLUME": Recipe(
        bad=lambda: _one(file("bin/redis-server", programs.hello(), 0o755), entrypoint=["redis-server"]),
        good=sound,
    ),
    "STALE-LOCK": Recipe(
        bad=lambda: _one(directory("var"), directory("var/run"), file("var/run/app.pid", "42\n")),
        good=lambda: _one(directory("var"), directory("var/run")),
    ),
    "BOUND-OVER": Recipe(
        bad=lambda: _one(file("etc/hosts", "10.0.0.1 db\n")), good=lambda: _one(file("etc/hosts", ""))
    ),
    "MOUNTED-OVER": Recipe(
        bad=lambda: _one(directory("dev"), file("dev/seed", "seed\n")), good=lambda: _one(directory("dev"))
    ),
    # ---- single entries
    "ROOTLESS-IDS": Recipe(
        bad=lambda: _one(file("srv.txt", "x", uid=1_200_345, gid=1000)), good=lambda: _one(file("srv.txt", "x"))
    ),
    "UID-WRAP": Recipe(bad=lambda: _one(file("srv.txt", "x", uid=1 << 32)), good=sound, also=("ROOTLESS-IDS",)),
    "DEVICE-NODE": Recipe(
        bad=lambda: _one(device("disk", 8, 0, block=True)), good=lambda: _one(file("disk", "no device\n"))
    ),
    "OVERLAY-MARKS": Recipe(bad=lambda: _one(device("bin/tool", 0, 0)), good=sound, also=("ROOTLESS-DIFFERS",)),
    "ATTRIBUTE-DROPPED": Recipe(
        bad=lambda: _one(file("tagged", "x", pax={"LIBARCHIVE.xattr.user.colour": "Ymx1ZQ"})),
        good=lambda: _one(file("tagged", "x", xattrs={"user.colour": "blue"})),
    ),
    "DUPLICATE-ENTRY": Recipe(
        bad=lambda: _one(file("motd", "first\n"), file("./motd", "second\n")), good=lambda: _one(file("motd", "once\n"))
    ),
    "OUTSIDE-NAME": Recipe(bad=lambda: _one(file("../escaped", "x")), good=lambda: _one(file("not-escaped", "x"))),
    "GLOBAL-HEADER": Recipe(
        bad=lambda: _one(pax_global({"comment": "the id of a commit"}), file("motd", "x")),
        good=lambda: _one(file("motd", "x")),
    ),
    "HIDDEN-BYTES": Recipe(
        bad=lambda: app(add(file("motd", "x"), trailing=encode([file("hidden", "nobody sees this\n")]))),
        good=lambda: app(add(file("motd", "x"))),
    ),
    "TIME-OUT-OF-RANGE": Recipe(
        bad=lambda: _one(file("motd", "x", mtime=-1)), good=lambda: _one(file("motd", "x", mtime=0))
    ),
    "ROOT-ATTRIBUTES": Recipe(
        bad=lambda: _one(directory("./", 0o700, 1000, 1000), file("motd", "x")),
        good=lambda: _one(directory("./", 0o755), file("motd", "x")),
    ),
    "LINK-METADATA": Recipe(
        bad=lambda: _one(file("one", "x", 0o644), hardlink("two", "one", 0o600, 1000, 1000)),
        good=lambda: _one(file("one", "x", 0o644), hardlink("two", "one", 0o644)),
    ),
    "CASE-COLLISION": Recipe(
        bad=lambda: _one(file("README", "one\n"), file("readme", "two\n")), good=lambda: _one(file("README", "one\n"))
    ),
    "CONTROL-CHARACTERS": Recipe(
        bad=lambda: _one(file("etc/\x1b[31mred", "x")), good=lambda: _one(file("etc/red", "x"))
    ),
    "SPARSE-MONSTER": Recipe(
        bad=lambda: _one(
            directory("var"), directory("var/log"), sparse("var/log/lastlog", ((1 << 20, b"root"),), 400 * 1024**3)
        ),
        good=lambda: _one(directory("var"), directory("var/log"), file("var/log/lastlog", "")),
    ),
    # ---- what does not belong into a root directory
    "COMPRESSOR-FILES": Recipe(
        bad=lambda: _one(file(".no.prefetch.landmark", b"\x0f")), good=lambda: _one(symlink("landmark", "etc"))
    ),
    "CONTENTS-DISAGREE": Recipe(
        bad=lambda: _one(file("motd", "x"), file("stargz.index.json", '{"version":1,"entries":[]}\n')),
        good=lambda: _one(file("motd", "x")),
        also=("COMPRESSOR-FILES",),
    ),
    "SUITCASE": Recipe(
        bad=lambda: app(base=rootfs(file("manifest.json", "[]\n"), file("repositories", "{}\n"))),
        good=lambda: app(base=rootfs(file("manifest.json", "{}\n"))),
    ),
}
