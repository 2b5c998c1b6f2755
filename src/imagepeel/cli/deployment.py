"""What a command line says of a deployment: its file, and the images that it is made of."""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from imagepeel.errors import ImagepeelError, NotAnImage, PathNotFound, UsageError
from imagepeel.evidence import Location

if TYPE_CHECKING:
    from imagepeel.api import Archive
    from imagepeel.cli.settings import Settings
    from imagepeel.deploy.forms import FileForm
    from imagepeel.deploy.images import GivenImage
    from imagepeel.deploy.wanted import Deployment
    from imagepeel.verbs import Image

_FORMS: tuple[FileForm, ...] = ("pod", "compose", "quadlet")
_MOST_FILES = 1_000


def read_deployment(line: tuple[str, ...], given: dict[str, Any]) -> tuple[Deployment, str]:
    """Return the deployment of a call and the engine that starts it.

    UsageError unless exactly one of a file and a command line is given.
    """
    from imagepeel.deploy.forms import USUAL, Asked, read_file  # start time
    from imagepeel.process.engines.registry import find_engine  # start time

    named = [form for form in _FORMS if given.get(form)]
    if len(named) + bool(line) != 1:
        raise UsageError(
            "give one deployment", hint="--pod FILE, --compose FILE, --quadlet FILE, or -- docker run FLAGS IMAGE"
        )
    engine = find_engine(given.get("engine") or USUAL[named[0] if named else "docker run"])[1]
    if not named:
        from imagepeel.deploy.docker_run import read_docker_run  # start time

        if given.get("psa") or given.get("scc") or given.get("variables"):
            raise UsageError(
                "a command line has no --psa, --scc or --env", hint="they are about pods and compose files"
            )
        return read_docker_run(line, engine), engine
    asked = Asked(
        engine=engine,
        psa=given.get("psa") or "",
        scc=given.get("scc") or "",
        variables=dict(_pair(one) for one in given.get("variables", ())),
    )
    return read_file(named[0], given[named[0]], asked), engine


def _pair(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not name or not equals:
        raise UsageError(f"{given!r} is no variable", hint="write NAME=VALUE")
    return name, value


def given_images(
    settings: Settings, stack: ExitStack, images: list[tuple[str, str]], folders: tuple[str, ...]
) -> list[GivenImage]:
    """Return the images of all archives that a call names; they stay open until the stack closes."""
    from imagepeel.deploy.images import GivenImage  # start time

    found: list[GivenImage] = []
    for name, archive in images:
        if settings.html is not None:
            settings.keep_archive(settings.html, archive)
        opened = stack.enter_context(settings.open(archive))
        found += [GivenImage(image, name) for image in _wanted(settings, opened)]
    for folder in folders:
        for archive in _archives(folder):
            try:
                opened = stack.enter_context(settings.open(archive))
            except (NotAnImage, UsageError):
                settings.warn(f"{archive} is no image archive")
                continue
            except ImagepeelError as error:
                settings.warn(f"{archive} is left out: {error}")
                continue
            found += [GivenImage(image) for image in _wanted(settings, opened)]
    return found


def named_archives(given: tuple[str, ...], deployment: Deployment) -> list[tuple[str, str]]:
    """Return names and archives of a call; an image of a command line that is a file is its own archive."""
    found = [_named(one) for one in given]
    if deployment.form == "docker run":
        image = deployment.starts[0].image
        if image == "-" or os.path.lexists(image):
            found.append((image, image))
    return found


def _named(given: str) -> tuple[str, str]:
    """NAME=ARCHIVE, or an archive whose own name may have a `=`."""
    name, equals, archive = given.partition("=")
    if not equals or os.path.lexists(given):
        return "", given
    if not name or not archive:
        raise UsageError(f"{given!r} names no archive", hint="write NAME=ARCHIVE")
    return name, archive


def _wanted(settings: Settings, archive: Archive) -> list[Image]:
    """The images of an archive, of the platform that --platform asks for."""
    asked = settings.platform
    return [
        image
        for image in archive.images()
        if not asked or image.platform == asked or image.platform.startswith(f"{asked}/")
    ]


def _archives(folder: str) -> list[str]:
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        raise PathNotFound(f"there is no folder {folder}", Location(path=folder), "name a folder of archives") from None
    except NotADirectoryError:
        raise UsageError(f"{folder} is no folder", hint="give an archive with --image") from None
    if len(names) > _MOST_FILES:
        raise UsageError(f"{folder} has more than {_MOST_FILES:,} files", hint="give the archives with --image")
    return [os.path.join(folder, name) for name in names if not name.startswith(".")]
