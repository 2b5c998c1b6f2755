"""The built-in teaching images: `NAMES`, `describe(name)`, `build(name)`.

The good ones really run under runc and crun on an x86-64 host; the broken ones are in `broken`.  Whatever looks
like a secret in them is invented and says so.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from imagepeel.errors import NotFound
from imagepeel.forge import programs
from imagepeel.forge.attacks import ATTACKS
from imagepeel.forge.broken import SPECIMENS, Specimen
from imagepeel.forge.entry import (
    Entry,
    device,
    directory,
    fifo,
    file,
    hardlink,
    opaque,
    sparse,
    symlink,
    whiteout,
)
from imagepeel.forge.image import ImageSpec, Step, image, layer
from imagepeel.forge.pantry import pantry
from imagepeel.forge.specimens import NET_BIND_SERVICE, PATH, file_capability, noise, step

SHOP_README = b"""This image is a teaching aid, made by the forge of imagepeel.
/bin/sh is no shell. It is a tiny program that does what
    #!/bin/sh
    exec "$@"
comes to: it replaces itself with the program it is given. It reads no script.
/srv/shop/bin/serve serves nothing: it says which process it has become, and exits.
The secrets in /srv/shop/.env are invented.
"""

SHOP_ENV = b"SHOP_DB_PASSWORD=this-is-not-a-real-password\nSHOP_API_KEY=EXAMPLE-KEY-0000-0000\n"


def _hello() -> ImageSpec:
    return image(
        layer(file("hello", programs.hello(), 0o755), created_by="COPY hello /hello # buildkit"),
        entrypoint=["/hello"],
        env={"PATH": PATH},
        names="hello:1",
    )


def _mirror() -> ImageSpec:
    passwd = "root:x:0:0:root:/root:/bin/sh\nguest:x:1000:1000:guest:/home/guest:/bin/sh\n"
    group = "root:x:0:\nguest:x:1000:\ngames:x:20:guest\naudio:x:29:root,guest\n"
    return image(
        layer(
            directory("bin"),
            file("bin/mirror", programs.report(), 0o755),
            directory("etc"),
            file("etc/passwd", passwd),
            file("etc/group", group),
            directory("home"),
            directory("home/guest", 0o700, 1000, 1000),
            created_by="COPY rootfs / # buildkit",
        ),
        entrypoint=["mirror", "two words"],
        cmd=["", "last"],
        env=["PATH=/nowhere:/bin", "GREETING=hello there", "EMPTY="],
        user="guest",
        workdir="/home/guest",
        names="mirror:1",
    )


def _deaf() -> ImageSpec:
    return image(
        layer(
            file("deaf", programs.wait("waiting, deaf to SIGTERM\n", hears_sigterm=False), 0o755),
            file("attentive", programs.wait("waiting for SIGTERM\n"), 0o755),
            created_by="COPY bin / # buildkit",
        ),
        entrypoint=["/deaf"],
        env={"PATH": PATH},
        names="deaf:1",
        stop_signal="SIGTERM",
    )


def _shop() -> ImageSpec:
    base_passwd = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"
    base_group = "root:x:0:\nnogroup:x:65534:\n"
    serve = programs.report(banner="the shop is open; this is the process that the image became:\n")
    logo = noise("logo", 200_000)
    catalog = noise("catalog", 300_000)
    page = b"<!doctype html>\n<title>shop</title>\n" + b"<p>one more thing to buy</p>\n" * 400

    def app(uid: int) -> tuple[Entry, ...]:
        return (
            file("srv/shop/bin/serve", serve, 0o755, uid, uid),
            file("srv/shop/catalog.bin", catalog, 0o644, uid, uid),
            file("srv/shop/index.html", page, 0o644, uid, uid),
            file("srv/shop/static/logo.bin", logo, 0o644, uid, uid),
            hardlink("srv/shop/static/favicon.bin", "srv/shop/static/logo.bin", 0o644, uid, uid),
        )

    def folders(uid: int) -> tuple[Entry, ...]:
        return tuple(directory(f"srv/shop{name}", uid=uid, gid=uid) for name in ("", "/bin", "/static"))

    base = layer(
        directory("bin"),
        file("bin/sh", programs.sh(), 0o755),
        directory("etc"),
        file("etc/group", base_group),
        file("etc/os-release", 'NAME="Teaching Linux"\nID=teaching\nVERSION_ID="1"\n'),
        file("etc/passwd", base_passwd),
        file("README", SHOP_README),
        directory("root", 0o700),
        directory("srv"),
        directory("tmp", 0o1777),
        directory("usr"),
        directory("usr/local"),
        directory("usr/local/bin"),
        symlink("usr/bin", "../bin"),
        directory("var"),
        directory("var/cache"),
        directory("var/cache/packages"),
        file("var/cache/packages/index.bin", noise("index", 120_000)),
        file("var/cache/packages/shell.pkg", noise("shell", 40_000)),
        created_by="ADD rootfs.tar.xz / # buildkit",
    )
    user = layer(
        directory("etc"),
        file("etc/group", base_group + "shop:x:999:\ntills:x:998:shop\n"),
        file("etc/passwd", base_passwd + "shop:x:999:999:shop:/srv/shop:/bin/sh\n"),
        created_by="RUN /bin/sh -c adduser --system --uid 999 --home /srv/shop shop # buildkit",
    )
    work = layer(directory("srv"), directory("srv/shop"), created_by="WORKDIR /srv/shop")
    copy = layer(
        directory("srv"),
        *folders(0),
        file("srv/shop/.env", SHOP_ENV, 0o600),
        *app(0),
        created_by="COPY . . # buildkit",
    )
    remove = layer(
        directory("srv"),
        directory("srv/shop"),
        whiteout("srv/shop/.env"),
        created_by="RUN /bin/sh -c rm .env # buildkit",
    )
    chown = layer(
        directory("srv"),
        *folders(999),
        *app(999),
        created_by="RUN /bin/sh -c chown -R shop:shop /srv/shop # buildkit",
    )
    clean = layer(
        directory("var"),
        directory("var/cache"),
        directory("var/cache/packages"),
        opaque("var/cache/packages"),
        file("var/cache/packages/.keep"),
        created_by="RUN /bin/sh -c rm -rf /var/cache/packages && mkdir /var/cache/packages"
        " && touch /var/cache/packages/.keep # buildkit",
    )
    script = layer(
        directory("usr"),
        directory("usr/local"),
        directory("usr/local/bin"),
        file("usr/local/bin/entrypoint.sh", '#!/bin/sh\nset -e\nexec "$@"\n', 0o755),
        created_by="COPY entrypoint.sh /usr/local/bin/ # buildkit",
    )

    history = [
        Step(created_by=base.created_by, comment=""),
        Step(created_by='CMD ["sh"]', empty=True),
        step("LABEL org.opencontainers.image.title=shop", True),
        step(f"ENV PATH={PATH}", True),
        step("ENV SHOP_PORT=8080", True),
        step(user.created_by),
        step(work.created_by),
        step(copy.created_by),
        step(remove.created_by),
        step(chown.created_by),
        step(clean.created_by),
        step(script.created_by),
        step("USER shop", True),
        step("EXPOSE [8080/tcp]", True),
        step('ENTRYPOINT ["entrypoint.sh"]', True),
        step('CMD ["/srv/shop/bin/serve" "--port" "8080"]', True),
    ]
    return image(
        base,
        user,
        work,
        copy,
        remove,
        chown,
        clean,
        script,
        entrypoint=["entrypoint.sh"],
        cmd=["/srv/shop/bin/serve", "--port", "8080"],
        env={"PATH": PATH, "SHOP_PORT": "8080"},
        user="shop",
        workdir="/srv/shop",
        ports=["8080/tcp"],
        labels={"org.opencontainers.image.title": "shop", "org.opencontainers.image.version": "1.4"},
        history=history,
        names="shop:1.4",
    )


def _zoo() -> ImageSpec:
    deep = "/".join(["a-directory-with-a-rather-long-name"] * 6)
    return image(
        layer(
            directory("bin"),
            file("bin/mirror", programs.report(), 0o755),
            hardlink("bin/same", "bin/mirror", 0o755),
            symlink("bin/also", "mirror"),
            file(
                "bin/caps", programs.hello(), 0o755, xattrs={"security.capability": file_capability(NET_BIND_SERVICE)}
            ),
            file("bin/setuid", programs.hello(), 0o4755),
            directory("dev"),
            device("dev/null", 1, 3, mode=0o666),
            device("dev/loop9", 7, 9, block=True),
            fifo("pipe"),
            sparse("sparse.img", ((4096, b"in the middle of nothing"),), 1 << 20),
            file(deep + "/file", "at the end of a long path\n"),
            symlink("long-link", "/" + deep + "/file"),
            file("caf\N{LATIN SMALL LETTER E WITH ACUTE}", "UTF-8 in a PAX record\n"),
            file(b"latin1-\xe9", "a name that is no UTF-8\n"),
            file("old", "a header of 1979\n", form="v7"),
            file("tagged", "with an extended attribute\n", xattrs={"user.colour": "blue"}),
            file("precise", "changed between two seconds\n", mtime=(1_704_067_200, 123_456_789)),
            file("big-uid", "", uid=3_000_000, gid=4_000_000),
            created_by="ADD zoo.tar / # buildkit",
        ),
        entrypoint=["/bin/also"],
        env={"PATH": PATH},
        names="zoo:1",
    )


_GOOD: dict[str, tuple[Callable[[], ImageSpec], str]] = {
    "hello": (_hello, "One layer, one file: a program of a few hundred bytes that says hello and exits."),
    "shop": (
        _shop,
        "A small web shop in eight layers: a deleted secret, a chown that ships everything twice, a cleaned cache.",
    ),
    "pantry": (pantry, "Packages of dpkg, pip and npm: one is purged and still shipped, some files belong to none."),
    "mirror": (_mirror, "A process that tells what it has become: argv, environment, user, groups, directory."),
    "deaf": (_deaf, "A PID 1 without a signal handler: stopping it takes the full grace period."),
    "zoo": (_zoo, "Every kind of tar entry and header in one layer."),
}

_BROKEN: dict[str, Specimen] = {**SPECIMENS, **ATTACKS}

NAMES: tuple[str, ...] = (*_GOOD, *_BROKEN)
"""The names of all teaching images, good ones first."""

GOOD: tuple[str, ...] = tuple(_GOOD)
"""Those that are meant to unpack and run everywhere."""


def describe(name: str) -> str:
    """One sentence on a teaching image.

    `name` is one of `NAMES`; `NotFound` for any other.
    """
    return _BROKEN[name].about if name in _BROKEN else _good(name)[1]


def build(name: str) -> ImageSpec:
    """The spec of a teaching image: a value to write with `write`, or to change first.

    `name` is one of `NAMES`; the image is called `NAME:1` (the shop `shop:1.4`), its `kind` is the archive kind that
    shows the point best, its `description` the sentence of `describe`.  `NotFound` for an unknown name.
    """
    spec = _BROKEN[name].teaching(name) if name in _BROKEN else _good(name)[0]()
    return msgspec.structs.replace(spec, description=describe(name))


def _good(name: str) -> tuple[Callable[[], ImageSpec], str]:
    if name not in _GOOD:
        raise NotFound(f"no teaching image is called {name!r}", hint="there are: " + ", ".join(NAMES))
    return _GOOD[name]
