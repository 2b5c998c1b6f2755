"""The bad and the good image of each rule of the family `users`."""

from __future__ import annotations

from functools import partial

from imagepeel.findings.example import Example
from imagepeel.forge import programs
from imagepeel.forge.entry import (
    directory,
    file,
    symlink,
)
from imagepeel.forge.image import ImageSpec
from imagepeel.forge.specimens import (
    ANYONES_HOME,
    BASE_STEP,
    ENV_PATH,
    PASSWD,
    add,
    complete_root,
    sound,
    step,
)


def _setcap(ran: bool) -> ImageSpec:
    tool = add(file("bin/tool", programs.hello("tool\n"), 0o755), by="COPY --from=build /tool /bin/")
    setcap = step("RUN /bin/sh -c setcap cap_net_bind_service=p /bin/tool # buildkit", True)
    history = [BASE_STEP, *([setcap] if ran else []), step("COPY --from=build /tool /bin/ # buildkit")]
    return sound(tool, history=history)


def _server(owner: int) -> ImageSpec:
    tree = add(
        directory("usr"),
        directory("usr/sbin"),
        file("usr/sbin/nginx", programs.hello("nginx\n"), 0o755),
        directory("var"),
        directory("var/lib"),
        directory("var/lib/nginx", 0o775, owner, 0),
    )
    return sound(tree, cmd=["nginx", "-g", "daemon off;"], entrypoint=None)


EXAMPLES: dict[str, Example] = {
    "GROUP-LOST-ON-KUBERNETES": Example(bad=partial(sound, user="1000:0"), good=partial(sound, user="1000:1000")),
    "NAMED-USER": Example(bad=partial(sound, user="app"), good=sound),
    "UID-WITHOUT-NAME": Example(bad=partial(sound, user="1234"), good=sound),
    "HOME-OF-SOMEBODY-ELSE": Example(
        bad=partial(sound, env=[ENV_PATH, "HOME=/root"]),
        good=partial(sound, base=ANYONES_HOME, env=[ENV_PATH, "HOME=/home/app"]),
    ),
    "HOME-MISSING": Example(bad=partial(sound, base=complete_root(without=["home/app"])), good=sound),
    "PASSWD-COMMENT": Example(
        bad=partial(sound, base=complete_root(passwd="# users of this image\n" + PASSWD)), good=sound
    ),
    "PASSWD-TYPO": Example(
        bad=partial(sound, base=complete_root(passwd=PASSWD + "shop:x:oops:1001:shop:/home/app:/bin/sh\n")),
        good=partial(sound, base=complete_root(passwd=PASSWD + "shop:x:1001:1001:shop:/home/app:/bin/sh\n")),
    ),
    "WORKDIR-NOT-OWNED": Example(
        bad=lambda: sound(add(directory("srv"), by="WORKDIR /srv"), workdir="/srv"),
        good=lambda: sound(add(directory("srv", 0o775, 1000, 0), by="WORKDIR /srv"), workdir="/srv"),
    ),
    "USER-CANNOT-READ": Example(
        bad=lambda: sound(add(directory("srv"), file("srv/app.yml", b"port: 80\n", 0o600), by="COPY app.yml /srv/")),
        good=lambda: sound(
            add(directory("srv"), file("srv/app.yml", b"port: 80\n", 0o644), by="COPY --chmod=644 app.yml /srv/")
        ),
    ),
    "VOLUME-NOT-OWNED": Example(
        bad=lambda: sound(add(directory("srv")), volumes=["/srv"]),
        good=lambda: sound(add(directory("srv", 0o755, 1000, 1000))),
        also=("ANONYMOUS-VOLUME",),
    ),
    "SERVER-CANNOT-WRITE": Example(bad=partial(_server, 0), good=partial(_server, 1000)),
    "ANY-UID-BLOCKED": Example(
        bad=lambda: sound(add(directory("srv", 0o750, 1000, 1000), by="WORKDIR /srv"), workdir="/srv"),
        good=lambda: sound(add(directory("srv", 0o770, 1000, 0), by="WORKDIR /srv"), workdir="/srv"),
    ),
    "RELATIVE-WORKDIR": Example(
        bad=partial(sound, workdir="home/app"), good=partial(sound, base=ANYONES_HOME, workdir="/home/app")
    ),
    "NO-TMP": Example(
        bad=partial(sound, base=complete_root(directory("tmp", 0o755), without=["tmp"])),
        good=sound,
    ),
    "LOG-LINK": Example(
        bad=lambda: sound(add(directory("var"), directory("var/log"), symlink("var/log/app.log", "/dev/stdout"))),
        good=sound,
    ),
    "SETUID-UNDER-NNP": Example(
        bad=lambda: sound(add(file("bin/su", programs.hello("su\n"), 0o4755))),
        good=lambda: sound(add(file("bin/su", programs.hello("su\n"), 0o755))),
    ),
    "SETCAP-LOST": Example(bad=partial(_setcap, True), good=partial(_setcap, False)),
}
