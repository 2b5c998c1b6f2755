"""Each process of a deployment, judged: the prediction about its image, and what the file leaves open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from imagepeel._display import Shown
from imagepeel.deploy.executed import executed, health_words
from imagepeel.deploy.images import GivenImage, find_image
from imagepeel.deploy.place import Place, malformed
from imagepeel.deploy.reads import operator_reads
from imagepeel.deploy.wanted import Deployment, Field, Form, Mounted, Role, Wanted
from imagepeel.errors import UsageError
from imagepeel.evidence import Location
from imagepeel.image import LayeredImage
from imagepeel.process.engines.basis import Area
from imagepeel.process.engines.registry import find_engine
from imagepeel.process.image_prediction import predict_image
from imagepeel.process.spec.failure import FailureCode, Judge, Outcome, Stage
from imagepeel.process.spec.values import Prediction, Verdict

_BY_ENVIRONMENT = frozenset(
    {
        FailureCode.NOT_IN_PATH,
        FailureCode.SKIPPED_IN_PATH,
        FailureCode.PATH_UNUSABLE,
        FailureCode.RELATIVE_PATH_HIT,
        FailureCode.LIBRARY_MISSING,
        FailureCode.LIBRARY_MISSING_MUSL,
    }
)
"""Failures that another variable can mend."""


class Start(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One process of a deployment and what becomes of it."""

    container: str
    role: Role
    what: str
    """`readinessProbe`, `postStart`; "" for a container."""
    image: str
    """The image as the deployment names it."""
    archive: str
    """The archive that has it, "" where it was not given."""
    number: int
    """Number of the image in that archive, from 1; 0 where it was not given."""
    verdict: Verdict
    execve: str
    """The request to the kernel, "" where none is known."""
    argv: tuple[str, ...]
    uid: int | None
    """Of process 1; None where it is not known."""
    gid: int | None
    groups: tuple[int, ...]
    covered_by: Mounted | None
    """The mount that covers the program; None where the image's own file is executed."""
    reads: tuple[str, ...]
    """What the operator reads, line by line."""
    place: Place
    """Where the deployment asks for it."""
    fields: tuple[Field, ...]
    """The fields of the deployment that decide about it."""
    evidence: Location | None
    """The tar member or the field of the image's config that decides."""
    basis: Literal["measured", "read", ""]
    """Whether starts of this engine were watched with these words, or its rules were read; "" without a verdict."""
    notes: tuple[str, ...] = ()


def judge_deployment(deployment: Deployment, images: Sequence[GivenImage]) -> tuple[Start, ...]:
    """Return what becomes of each process of a deployment, in its order.

    An image that was not given is UNKNOWN by its name.  Ambiguous where a name means several images.
    """
    found = (_start(wanted, deployment.form, images) for wanted in deployment.starts)
    return tuple(one for one in found if one is not None)


def _start(wanted: Wanted, form: Form, images: Sequence[GivenImage]) -> Start | None:
    """One process; None for the health check of an image that has none, or was not given."""
    image = find_image(images, wanted.container, wanted.image)
    if wanted.of_image:
        words = health_words(image.config.config) if image is not None else ()
        if not words:
            return None
        wanted = msgspec.structs.replace(wanted, options=msgspec.structs.replace(wanted.options, entrypoint=words))
    label = find_engine(wanted.options.engine)[1]
    if image is None:
        reason = f"the image {wanted.image} was not given"
        fix = f"name its archive: --image {wanted.image}=ARCHIVE"
        return _row(wanted, Verdict(kind=Outcome.UNKNOWN, reason=reason, fix=fix, engine=label))
    try:
        found = predict_image(image, wanted.options)
    except UsageError as error:
        # A capability or a mount of the file that nobody knows: a command line has no line to name.
        raise malformed(wanted.place, error.what, error.hint) if wanted.place.line else error from None
    verdict = _with_needs(found.verdict, wanted)
    if wanted.inside:
        verdict = executed(verdict, wanted.options)
    row = _row(wanted, verdict, found, image, form)
    if row.covered_by is None and wanted.mounts and verdict.kind in (Outcome.FAILS, Outcome.DEPENDS):
        return _uncovered(row, wanted, image)
    return row


def _uncovered(row: Start, wanted: Wanted, image: LayeredImage) -> Start:
    """The row with the mount that hides the program which the image has by that name, and its place in the image."""
    bare = predict_image(image, msgspec.structs.replace(wanted.options, tmpfs=(), elsewhere=(), volumes=()))
    cover = _cover(wanted.mounts, _program(bare))
    return row if cover is None else msgspec.structs.replace(row, covered_by=cover, evidence=_program_place(bare))


def _with_needs(verdict: Verdict, wanted: Wanted) -> Verdict:
    """The verdict with what is not in the file: a ConfigMap that has to be there, variables that nobody knows."""
    changes = wanted.unknown_env and (verdict.judge is Judge.USERLAND or verdict.id in _BY_ENVIRONMENT)
    if verdict.kind is Outcome.UNKNOWN or (verdict.kind is Outcome.FAILS and not changes):
        return verdict
    needs = tuple(dict.fromkeys((*wanted.needs, *wanted.unknown_env)))
    if not needs or wanted.inside:
        return verdict
    reason = verdict.reason or (f"else {verdict.message}" if verdict.kind is Outcome.FAILS else "")
    depends = (*needs, *verdict.depends)
    return Verdict(kind=Outcome.DEPENDS, depends=depends, engine=verdict.engine, reason=reason)


def _row(
    wanted: Wanted,
    verdict: Verdict,
    found: Prediction | None = None,
    image: LayeredImage | None = None,
    form: Form = "pod",
) -> Start:
    one = found.pid1 if found is not None else None
    user = one or (found.user if found is not None else None)
    engine = find_engine(wanted.options.engine)[0]
    measured = Area.TEXTS in engine.basis.measured and not wanted.inside
    program = _program(found)
    return Start(
        container=wanted.container,
        role=wanted.role,
        what=wanted.what,
        image=wanted.image,
        archive=image.archive.name if image is not None else "",
        number=image.record.number if image is not None else 0,
        verdict=verdict,
        execve=found.execve if found is not None and found.argv else "",
        argv=found.argv if found is not None else (),
        uid=user.uid if user is not None else None,
        gid=user.gid if user is not None else None,
        groups=user.groups if user is not None else (),
        covered_by=_cover(wanted.mounts, program),
        reads=operator_reads(verdict, wanted, form),
        place=wanted.place,
        fields=wanted.fields,
        evidence=_evidence(verdict, found),
        basis="" if verdict.kind is Outcome.UNKNOWN else "measured" if measured else "read",
        notes=(*wanted.notes, *(found.notes if found is not None else ())),
    )


def _program(found: Prediction | None) -> str:
    if found is None or not found.argv:
        return ""
    return found.path or found.argv[0]


def _cover(mounts: Sequence[Mounted], program: str) -> Mounted | None:
    over = [one for one in mounts if program == one.path or program.startswith(one.path.rstrip("/") + "/")]
    return max(over, key=lambda one: len(one.path), default=None)


def _evidence(verdict: Verdict, found: Prediction | None) -> Location | None:
    """The place that decides: of a failure its own, else the tar member of the program."""
    if verdict.where is not None or found is None:
        return verdict.where
    return _program_place(found)


def _program_place(found: Prediction) -> Location | None:
    places = [step.where for step in found.steps if step.rule in (Stage.EXECVE, Stage.LOOKUP) and step.where]
    return places[0] if places else None
