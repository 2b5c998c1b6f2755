"""What keeps an image out of an engine's store, beside its layers: the form of the archive, and the config."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from imagepeel.archive.kinds import cut_save
from imagepeel.findings.finding import Finding
from imagepeel.findings.rule import Rule, rule
from imagepeel.process.engines.registry import CONTAINERD, DOCKER, PODMAN
from imagepeel.process.spec.failure import FailureCode
from imagepeel.text import listed

if TYPE_CHECKING:
    from imagepeel.findings.subject import Subject


@rule(
    "CONFIG-WITHOUT-ROOTFS",
    "The config does not say what its layers are",
    "high",
    "strengths",
    "deployments",
    why="""`rootfs` in the config lists the DiffID of each layer.  Without it Docker's own store refuses the image
    (`invalid image JSON, no RootFS key`).  podman does not read such an archive either; containerd takes it without
    layers.""",
    fix="add rootfs with type layers and the DiffID of each layer, or build with a builder that does",
    codes="F60",
    sources="image-spec config.md rootfs, moby image/image.go, moby#27568",
)
def config_without_rootfs(rule: Rule, subject: Subject) -> Iterator[Finding]:
    refused = [verdict for verdict in subject.unloaded if verdict.id is FailureCode.CONFIG_WITHOUT_ROOTFS]
    if refused:
        engines = tuple(verdict.engine for verdict in refused)
        yield rule.report(
            f"the config has no rootfs: {listed(list(engines))} refuse to load the image",
            subject.pointer("/rootfs"),
            profiles=engines,
        )


@rule(
    "CUT-SAVE",
    "A docker save that was cut off",
    "high",
    "strengths",
    "deployments",
    why="""docker save and podman save write manifest.json behind the layers.  Here it is not there, so the file broke
    off: no engine loads it, and nobody can say which image it was.  docker load says `no such file or directory` or
    `unexpected EOF`, containerd `unrecognized image format`.""",
    fix="save or fetch the archive again, and compare its size or checksum with the original",
    sources="moby image/tarexport/save.go, microsoft/codamosa#26",
)
def cut_off(rule: Rule, subject: Subject) -> Iterator[Finding]:
    archive = subject.image.archive
    for cut in archive.anomalies if archive.kind == cut_save.NAME else ():
        if cut.code != "save-cut":
            continue
        yield rule.report(
            f"{cut.message}: it cannot be loaded",
            cut.where,
            profiles=(DOCKER, CONTAINERD, PODMAN),
        )


RULES: tuple[Rule, ...] = (config_without_rootfs, cut_off)
