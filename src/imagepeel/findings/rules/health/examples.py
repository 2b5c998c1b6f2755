"""The bad and the good image of each rule of the family `health`."""

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
    complete_root,
    noise,
    server,
    sound,
    step,
)


def _healthcheck_history(lost: bool) -> ImageSpec:
    history = [BASE_STEP, step('HEALTHCHECK &{["CMD" "/bin/hello"] "0s" "0s" "0s" "0s" \'\\x00\'}', True)]
    return sound(history=history, healthcheck=None if lost else {"Test": ["CMD", "/bin/hello"]})


_GO = programs.hello() + b"\0crypto/x509.(*Certificate).Verify\0"

EXAMPLES: dict[str, Example] = {
    "HEALTHCHECK-LOST": Example(bad=partial(_healthcheck_history, True), good=partial(_healthcheck_history, False)),
    "HEALTHCHECK-CANNOT-RUN": Example(
        bad=partial(sound, healthcheck={"Test": ["CMD", "curl", "-f", "http://localhost/"]}),
        good=partial(sound, healthcheck={"Test": ["CMD", "/bin/hello"]}),
    ),
    "NO-HEALTHCHECK": Example(
        bad=partial(sound, ports=["8080/tcp"]),
        good=partial(sound, ports=["8080/tcp"], healthcheck={"Test": ["CMD", "/bin/hello"]}),
    ),
    "NO-SHELL-INSIDE": Example(bad=partial(sound, base=complete_root(without=["bin/sh", "bin/dash"])), good=sound),
    "NO-CERTIFICATES": Example(
        bad=partial(server, sound, _GO),
        good=lambda: sound(
            add(
                directory("app"),
                file("app/server", _GO, 0o755),
                directory("etc/ssl"),
                directory("etc/ssl/certs"),
                file("etc/ssl/certs/ca-certificates.crt", noise("roots", 1000)),
            ),
            entrypoint=["/app/server"],
        ),
    ),
}
