"""Which process an image becomes: a prediction with proof, per engine, that executes nothing.

from imagepeel.process import Options, predict
prediction = predict(image.rootfs, image.config, Options(engine="docker@28", args=("ls",)))
prediction.verdict, prediction.argv, prediction.path, prediction.steps
"""

from __future__ import annotations

from imagepeel.process.options import DEFAULT_ENGINE, Options
from imagepeel.process.predict import predict
from imagepeel.process.values import (
    JUDGES,
    Addition,
    Candidate,
    Credentials,
    EnvVar,
    NeededLibrary,
    PidOne,
    Prediction,
    Step,
    Verdict,
)

__all__ = [
    "DEFAULT_ENGINE",
    "JUDGES",
    "Addition",
    "Candidate",
    "Credentials",
    "EnvVar",
    "NeededLibrary",
    "Options",
    "PidOne",
    "Prediction",
    "Step",
    "Verdict",
    "predict",
]
