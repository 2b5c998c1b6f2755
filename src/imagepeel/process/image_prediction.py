"""The prediction of an image, which it keeps: its story and the rules ask for the same engines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from imagepeel.process.engines.registry import find_engine
from imagepeel.process.engines.variables import Variables
from imagepeel.process.loaded import loaded
from imagepeel.process.predict import predict
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.values import EnvVar, Prediction

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage

_MOST = 64
"""Predictions that one image keeps."""


def predict_image(image: LayeredImage, options: ProcessOptions | None = None, *, view: str = "") -> Prediction:
    """Return `predict` for an image: as the engine's store takes it, its config, its architecture.

    With `view` that filesystem is taken instead, and nobody asks whether the image can be loaded.
    """
    key = options or ProcessOptions(), view
    found = image.derived(_Predictions)[key]
    # The first prediction may have scanned the image, which drops what was derived before.
    return image.derived(_Predictions).setdefault(key, found)


def predict_whole(image: LayeredImage, options: ProcessOptions) -> Prediction:
    """Return the same for callers, who get tuples; all predictions of an image share the variables that it sets."""
    found = predict_image(image, options)
    env = found.env.all(image.derived(_Variables)) if isinstance(found.env, Variables) else found.env
    return msgspec.structs.replace(found, env=env, additions=tuple(found.additions))


class _Variables(dict[int, EnvVar]):
    """The variables that an image sets, by their index in its Env."""

    def __init__(self, image: LayeredImage) -> None:
        """Begin without any."""


class _Predictions(dict[tuple[ProcessOptions, str], Prediction]):
    """What was predicted of an image, by options and view."""

    def __init__(self, image: LayeredImage) -> None:
        self._image = image

    def __missing__(self, key: tuple[ProcessOptions, str]) -> Prediction:
        (options, view), image, config = key, self._image, self._image.config
        rootfs, load = (image.view(view), None) if view else loaded(image, find_engine(options.engine)[0])
        if config.os != image.os:
            # Another document says what no config does: an index, or the archive that it is a layer of Windows.
            config = msgspec.structs.replace(config, os=image.os)
        if len(self) > _MOST:
            self.clear()
        with image.keeping_reads():
            found = predict(rootfs, config, options, architecture=image.architecture or None, load=load)
        return self.setdefault(key, found)
