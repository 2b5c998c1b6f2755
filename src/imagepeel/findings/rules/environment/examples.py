"""The bad and the good image of each rule of the family `environment`."""

from __future__ import annotations

from functools import partial

from imagepeel.findings.example import Example, specimen
from imagepeel.forge.specimens import (
    ENV_PATH,
    sound,
)

EXAMPLES: dict[str, Example] = {
    "NO-PATH": Example(bad=partial(sound, env=["PORT=8080"]), good=sound),
    "ENV-ASKS-THE-HOST": specimen("attack-host-variable", also=("NAMELESS-VARIABLE",)),
    "ENV-TWICE": Example(
        bad=partial(sound, env=[ENV_PATH, "PORT=1", "PORT=2"]), good=partial(sound, env=[ENV_PATH, "PORT=2"])
    ),
    "PRIVILEGED-PORT": Example(
        bad=partial(sound, ports=["80/tcp"], healthcheck={"Test": ["CMD", "/bin/hello"]}),
        good=partial(sound, ports=["8080/tcp"], healthcheck={"Test": ["CMD", "/bin/hello"]}),
    ),
    "EXPOSE-IS-A-NOTE": Example(
        bad=partial(sound, ports=["http"], healthcheck={"Test": ["CMD", "/bin/hello"]}),
        good=partial(sound, ports=["8080/tcp"], healthcheck={"Test": ["CMD", "/bin/hello"]}),
    ),
}
