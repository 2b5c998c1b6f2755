"""Write a runtime bundle: the directory with `config.json` (and a rootfs) that runc and crun start."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from imagepeel._display import Shown
from imagepeel.errors import UsageError
from imagepeel.export.extract import check_known
from imagepeel.export.whole_file import replacing
from imagepeel.process.bundle import runtime_spec
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.values import Prediction

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage
    from imagepeel.rootfs.view import Rootfs

Unpack = Callable[["Rootfs", Path], Any]
"""Puts a rootfs into a directory that does not exist yet."""

ROOT = "rootfs"


class WrittenBundle(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """What was written: the directory, its config, the prediction behind it, and whether a rootfs is there."""

    directory: str
    config: dict[str, Any]
    prediction: Prediction
    rootfs: bool


def write_bundle(
    image: LayeredImage,
    directory: str | os.PathLike[str],
    options: ProcessOptions | None = None,
    *,
    rootfs: Rootfs | None = None,
    unpack: Unpack | None = None,
) -> WrittenBundle:
    """Write the bundle of an image for one engine (runtime-spec bundle.md).

    `directory` must not exist, or be empty.  `rootfs` is the view to take (by default the image's).  `unpack` writes
    it next to the config; without it the bundle names a directory `rootfs` that the user provides.  Raises
    UsageError when the directory is in use or when the engine would refuse the image before there is a bundle
    (unknown user, no command), MissingBlob where a part of the image is missing; nothing is left then.  config.json
    comes last: an interruption leaves none, and a directory `rootfs` that is whole or marked.
    """
    where = Path(directory)
    if where.is_symlink() or (where.exists() and not where.is_dir()):
        raise UsageError(f"{where} is no directory", hint="name a directory that does not exist yet")
    if where.is_dir() and any(where.iterdir()):
        raise UsageError(f"{where} is not empty", hint="name a directory that does not exist yet")
    tree = image.rootfs if rootfs is None else rootfs
    check_known(tree)
    config, prediction = runtime_spec(tree, image.config, options or ProcessOptions(), root=ROOT)
    made = not where.exists()
    try:
        where.mkdir(parents=True, exist_ok=True)
        with replacing(str(where / "config.json")) as file:
            file.write(json.dumps(config, indent=2).encode("ascii") + b"\n")
            file.flush()
            if unpack is not None:
                unpack(tree, where / ROOT)
    except BaseException:
        if made:
            with suppress(OSError):  # what has been written into it stays, and is marked
                where.rmdir()
        raise
    return WrittenBundle(directory=str(where), config=config, prediction=prediction, rootfs=unpack is not None)
