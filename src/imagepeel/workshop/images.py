"""The images of the course, for the machine that it is made on."""

from __future__ import annotations

from pathlib import Path

from imagepeel import forge
from imagepeel.forge import programs

PATH = "PATH=/bin"


def hello(architecture: str) -> forge.ImageSpec:
    """One layer, one file: a program that says hello."""
    program = programs.hello(architecture=architecture)
    return forge.image(
        forge.layer(forge.file("hello", program, 0o755), created_by="COPY hello /hello # buildkit"),
        entrypoint=["/hello"],
        env=[PATH],
        names="hello:1",
        architecture=architecture,
    )


def tell(architecture: str) -> forge.ImageSpec:
    """One program that says which process it has become."""
    return forge.image(
        forge.layer(
            forge.directory("bin"),
            forge.file("bin/tell", programs.report(architecture=architecture), 0o755),
            forge.directory("dev"),
            forge.directory("etc"),
            forge.file("etc/passwd", "root:x:0:0:root:/root:/bin/tell\n"),
            forge.directory("proc"),
            forge.directory("sys"),
            created_by="COPY rootfs / # buildkit",
        ),
        entrypoint=["/bin/tell"],
        cmd=["one", "two"],
        env=[PATH, "GREETING=hello"],
        names="tell:1",
        architecture=architecture,
    )


def save(spec: forge.ImageSpec, path: Path) -> None:
    """Write an image as an archive."""
    forge.write([spec], path)
