"""The bad and the good image of each rule of the family `state`."""

from __future__ import annotations

from functools import partial

from imagepeel.findings.example import Example
from imagepeel.forge import programs
from imagepeel.forge.entry import (
    directory,
    file,
)
from imagepeel.forge.image import ImageSpec
from imagepeel.forge.specimens import (
    BASE_STEP,
    add,
    holding,
    noise,
    sound,
    step,
)


def _volume(after: bool) -> ImageSpec:
    data = add(directory("data"), file("data/seed", "seed\n"), by="COPY seed /data/ # buildkit")
    base, volume, copy = (
        BASE_STEP,
        step("VOLUME [/data]", True),
        step("COPY seed /data/ # buildkit"),
    )
    history = [base, volume, copy] if after else [base, copy, volume]
    return sound(data, volumes=["/data"], history=history)


def _database(size: int) -> ImageSpec:
    return sound(
        add(
            directory("var"),
            directory("var/lib"),
            directory("var/lib/db"),
            file("var/lib/db/PG_VERSION", "16\n" if size else ""),
            file("var/lib/db/base", noise("base", size)),
            by="RUN /bin/sh -c initdb # buildkit",
        )
    )


EXAMPLES: dict[str, Example] = {
    "VOLUME-CONTENT": Example(bad=partial(_volume, True), good=sound, also=("ANONYMOUS-VOLUME", "VOLUME-NOT-OWNED")),
    "ANONYMOUS-VOLUME": Example(
        bad=lambda: sound(add(directory("data", 0o775, 1000, 0)), volumes=["/data"]), good=sound
    ),
    "BAKED-DATABASE": Example(bad=partial(_database, 4000), good=partial(_database, 0)),
    "DATABASE-WITHOUT-VOLUME": Example(
        bad=lambda: holding(file("bin/redis-server", programs.hello(), 0o755), entrypoint=["redis-server"]),
        good=sound,
    ),
    "STALE-LOCK": Example(
        bad=lambda: holding(directory("var"), directory("var/run"), file("var/run/app.pid", "42\n")),
        good=lambda: holding(directory("var"), directory("var/run")),
    ),
    "BOUND-OVER": Example(
        bad=lambda: holding(file("etc/hosts", "10.0.0.1 db\n")), good=lambda: holding(file("etc/hosts", ""))
    ),
    "MOUNTED-OVER": Example(
        bad=lambda: holding(directory("dev"), file("dev/seed", "seed\n")), good=lambda: holding(directory("dev"))
    ),
}
