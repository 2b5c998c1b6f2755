"""`imagepeel.start`: a deployment judged, from Python."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, cast

from imagepeel import api
from imagepeel.api import Archive
from imagepeel.archive.opened import OpenArchive
from imagepeel.deploy.docker_run import read_docker_run
from imagepeel.deploy.forms import USUAL, Asked, FileForm, read_file
from imagepeel.deploy.images import GivenImage
from imagepeel.errors import UsageError
from imagepeel.image import LayeredImage
from imagepeel.process.engines.registry import find_engine
from imagepeel.results.start import StartResult, start_result

if TYPE_CHECKING:
    from typing import TypeAlias

    Given: TypeAlias = str | os.PathLike[str] | OpenArchive | LayeredImage

_FORMS: tuple[FileForm, ...] = ("pod", "compose", "quadlet")


def start(
    *,
    pod: str | os.PathLike[str] | None = None,
    compose: str | os.PathLike[str] | None = None,
    quadlet: str | os.PathLike[str] | None = None,
    docker_run: Sequence[str] | None = None,
    images: Mapping[str, Given] | Sequence[Given] = (),
    engine: str = "",
    psa: str = "",
    scc: str = "",
    env: Mapping[str, str] | None = None,
) -> StartResult:
    """Judge each process of a deployment: containers, probes, hooks and health checks.

    Arguments: one of `pod`, `compose` and `quadlet`, the name of a file, or `docker_run`, the words of a command line;
    `images` are archives, names of archives or images, as a mapping by the name of a container or of an image in the
    deployment, or as a sequence that leaves this to their own names; `engine` is `NAME[@VERSION]`, by default the
    newest one for the form; `psa` is a level of Pod Security and `scc` a security context constraint, for pods; `env`
    has the variables that a compose file refers to.  Returns one `Start` a process, in order; it is true only where
    nothing is refused and every process starts.  Malformed with line and column for a damaged file, UsageError for two
    deployments or an unknown flag, engine or policy, Ambiguous where a name means several images, and what `open`
    raises.  Source: docs/reference/start.md names the document of each rule.
    """
    given = {"pod": pod, "compose": compose, "quadlet": quadlet}
    named = [form for form in _FORMS if given[form] is not None]
    if len(named) + (docker_run is not None) != 1:
        raise UsageError("give one deployment", hint="pod, compose, quadlet or docker_run")
    if docker_run is not None:
        label = find_engine(engine or USUAL["docker run"])[1]
        deployment = read_docker_run(tuple(docker_run), label)
    else:
        form = named[0]
        label = find_engine(engine or USUAL[form])[1]
        file = os.fspath(cast("str | os.PathLike[str]", given[form]))
        deployment = read_file(form, file, Asked(engine=label, psa=psa, scc=scc, variables=env))
    pairs = images.items() if isinstance(images, Mapping) else [("", one) for one in images]
    with ExitStack() as stack:
        known = [found for name, one in pairs for found in _images(stack, name, one)]
        return start_result(deployment, label, known)


def _images(stack: ExitStack, name: str, given: Given) -> list[GivenImage]:
    """The images of what somebody gives; what is opened here is closed with the stack."""
    if isinstance(given, LayeredImage):
        return [GivenImage(given, name)]
    archive = given if isinstance(given, OpenArchive) else stack.enter_context(api.open(given))
    images = archive.images() if isinstance(archive, Archive) else []
    return [GivenImage(image, name) for image in images]
