"""The forms of a deployment, each with its reader and the engine that starts it where none is named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from imagepeel.archive.text_file import read_text
from imagepeel.deploy.compose import read_compose
from imagepeel.deploy.place import MOST_BYTES
from imagepeel.deploy.pod import read_pod
from imagepeel.deploy.quadlet import read_quadlet
from imagepeel.deploy.wanted import Deployment, Form
from imagepeel.errors import UsageError
from imagepeel.process.engines.registry import DOCKER, KUBERNETES, PODMAN

FileForm = Literal["pod", "compose", "quadlet"]
USUAL: dict[Form, str] = {"pod": KUBERNETES, "compose": DOCKER, "quadlet": PODMAN, "docker run": DOCKER}
"""Form -> the engine that starts it."""


class Asked(NamedTuple):
    """How a deployment is to be read."""

    engine: str
    """`NAME[@VERSION]`."""
    psa: str = ""
    """The level of Pod Security, with a version behind a colon where wanted; "" for none."""
    scc: str = ""
    """The security context constraint of OpenShift, "" for none."""
    variables: Mapping[str, str] | None = None
    """Values of variables that a compose file refers to."""


def read_file(form: FileForm, file: str, asked: Asked) -> Deployment:
    """Return the deployment that a file is; `-` is standard input.

    Malformed, LimitExceeded and Unsupported with the place in the file; PathNotFound, UsageError.
    """
    for option, value, of in (
        ("psa", asked.psa, "pod"),
        ("scc", asked.scc, "pod"),
        ("env", asked.variables, "compose"),
    ):
        if value and form != of:
            raise UsageError(f"{option} is about a deployment of the form {of}", hint="leave it out")
    text = read_text(file, MOST_BYTES)
    name = "standard input" if file == "-" else file
    if form == "compose":
        return read_compose(text, name, asked.engine, asked.variables)
    if form == "quadlet":
        return read_quadlet(text, name, asked.engine)
    return read_pod(text, name, asked.engine, psa=asked.psa, scc=asked.scc)
