"""The bad and the good image of each rule of the family `secrets`."""

from __future__ import annotations

import base64
from functools import partial

from imagepeel.findings.example import Example
from imagepeel.forge.entry import (
    directory,
    file,
    whiteout,
)
from imagepeel.forge.image import ImageSpec, LayerSpec
from imagepeel.forge.specimens import (
    BASE_STEP,
    ENV_PATH,
    add,
    holding,
    noise,
    sound,
    step,
)

_KEY = (
    "-----BEGIN PRIVATE KEY-----\n"
    + base64.encodebytes(noise("an invented key", 120)).decode()
    + "-----END PRIVATE KEY-----\n"
)
"""Random bytes in the dress of a key: it opens nothing."""

_TOKEN = "ghp_" + noise("an invented token", 18).hex()


def _keyed(*more: LayerSpec) -> ImageSpec:
    return sound(add(directory("srv"), file("srv/server.key", _KEY, 0o600), by="COPY server.key /srv/"), *more)


def _argument(line: str) -> ImageSpec:
    return sound(history=[BASE_STEP, step(line, True)])


EXAMPLES: dict[str, Example] = {
    "SHIPPED-SECRET": Example(bad=_keyed, good=sound),
    "DELETED-SECRET": Example(
        bad=lambda: _keyed(add(whiteout("srv/server.key"), by="RUN /bin/sh -c rm /srv/server.key # buildkit")),
        good=sound,
        also=("DELETED-BYTES",),
    ),
    "SECRET-IN-ENV": Example(
        bad=partial(sound, env=[ENV_PATH, f"BUILD_ID={_TOKEN}"]),
        good=partial(sound, env=[ENV_PATH, "GITHUB_TOKEN_FILE=/run/secrets/token"]),
    ),
    "SECRET-IN-HISTORY": Example(
        bad=partial(_argument, f"RUN |1 NPM_TOKEN={_TOKEN} /bin/sh -c npm ci # buildkit"),
        good=partial(_argument, "RUN --mount=type=secret,id=npm /bin/sh -c npm ci # buildkit"),
    ),
    "HOST-IDENTITY": Example(
        bad=lambda: holding(file("etc/machine-id", noise("machine", 16).hex() + "\n")),
        good=lambda: holding(file("etc/machine-id", "")),
    ),
}
