"""The names of views: whose code made the filesystem that is looked at."""

from __future__ import annotations

from typing import Literal

ViewName = Literal[
    "runtime",
    "containerd@2.3",
    "spec",
    "sequential",
    "docker",
    "docker@29.7",
    "docker@29",
    "docker@28",
    "docker@20.10",
    "podman",
]

VIEWS: tuple[ViewName, ...] = ("runtime", "spec", "sequential", "docker", "podman")
"""The views that are compared by default: containerd with overlayfs (the default), the image-spec's words, each layer
onto the last, Docker's own driver (29.7; `docker@28` is the one of 28 to 29.6), podman and CRI-O.
"""
