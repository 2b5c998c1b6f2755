"""What keeps an image out of an engine's store, beside its layers: the form of the archive, and the config."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from imagepeel.evidence import Location
from imagepeel.findings.finding import Finding
from imagepeel.findings.rule import Rule, rule
from imagepeel.findings.subject import PROFILES
from imagepeel.loading.delivery import Delivery
from imagepeel.process.engines.registry import CONTAINERD, DOCKER, PODMAN, find_engine
from imagepeel.process.loaded import files_refused, tools_of
from imagepeel.process.spec.failure import FailureCode
from imagepeel.text import listed, noun

if TYPE_CHECKING:
    from imagepeel.findings.subject import Subject
    from imagepeel.loading.answer import LoadAnswer
    from imagepeel.process.spec.values import Verdict


@rule(
    "CONFIG-WITHOUT-ROOTFS",
    "A store cannot read manifest or config, or the config does not say what its layers are",
    "high",
    "strengths",
    "deployments",
    why="""`rootfs` in the config lists the DiffID of each layer.  Without it Docker's own store refuses the image
    (`invalid image JSON, no RootFS key`).  podman does not read such an archive either; containerd takes it without
    layers.  A config that is no JSON, or that has a value of another type than the engine's program wants
    (`"Env": "A=b"`, `"created": ""`), is read by none: they say `json: cannot unmarshal ...`.  podman and buildah also
    refuse a manifest whose own type, that of its config and those of its layers belong to two formats.""",
    fix="add rootfs with type layers and the DiffID of each layer, or build with a builder that does",
    codes="F60",
    sources="image-spec config.md rootfs, moby image/image.go, moby#27568",
)
def config_without_rootfs(rule: Rule, subject: Subject) -> Iterator[Finding]:
    refused = [verdict for verdict in subject.unloaded if verdict.id is FailureCode.CONFIG_WITHOUT_ROOTFS]
    by_cause: dict[str, list[Verdict]] = {}
    for verdict in refused:
        by_cause.setdefault(verdict.why, []).append(verdict)
    for why, verdicts in by_cause.items():
        engines = tuple(verdict.engine for verdict in verdicts)
        refuses = noun(len(engines), "refuses", "refuse")
        pointer = verdicts[0].where.pointer if verdicts[0].where is not None else None
        yield rule.report(
            f"{why.partition(',')[0]}: {listed(list(engines))} {refuses} to load the image",
            subject.pointer(pointer or ""),
            fix="" if pointer else verdicts[0].fix,  # one that cannot be read has no rootfs to be added
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
    for cut in subject.image.archive.anomalies:
        if cut.code != "save-cut":
            continue
        yield rule.report(
            f"{cut.message}: it cannot be loaded",
            cut.where,
            profiles=(DOCKER, CONTAINERD, PODMAN),
        )


@rule(
    "FILE-NOT-TAKEN",
    "An engine does not read the file as it is",
    "high",
    "friends",
    "deployments",
    why="""docker load reads manifest.json, ctr and nerdctl an OCI layout or manifest.json, podman either, and all of
    them at the top of the archive.  The image itself may be sound: it starts once it is in the store.  This is serious
    where no engine of today finds the image in the file, and a note where another command brings it in as it is.""",
    fix="imagepeel loadable says who takes the file, under which name, and what to do instead",
    codes="F64",
    lesser={"another command brings the image in as it is": "info"},
    sources="moby image/tarexport/load.go, containerd importer.go, buildkit#4131, rules_oci#651",
)
def file_not_taken(rule: Rule, subject: Subject) -> Iterator[Finding]:
    image = subject.image
    if not image.record.runnable or image.record.format.bare or subject.foreign:
        return
    delivery = image.derived(Delivery)
    told: dict[str, list[LoadAnswer]] = {}
    for engine in PROFILES:
        for answer in files_refused(delivery, tools_of(find_engine(engine)[0])):
            told.setdefault(answer.why, []).append(answer)
    for why, answers in told.items():
        who = list(dict.fromkeys(answer.label for answer in answers))
        yield rule.report(
            f"{listed(who)} {'do' if len(who) > 1 else 'does'} not take the file: {why}",
            answers[0].where or Location(member=image.record.format.start),
            severity="high" if delivery.has_to_be_repacked else "info",
            fix="; or ".join(answers[0].ways),
            profiles=tuple(dict.fromkeys(answer.tool for answer in answers)),
            details=[f"{answer.label}: {answer.text}" for answer in answers if answer.text],
        )


RULES: tuple[Rule, ...] = (config_without_rootfs, cut_off, file_not_taken)
