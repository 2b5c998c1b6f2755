"""What `why --json` writes: what an error text says, all causes that print it, and which one it is in an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from imagepeel._display import Shown
from imagepeel.evidence import Receipt
from imagepeel.process.spec.failure import FailureCode, Judge
from imagepeel.process.spec.values import Verdict
from imagepeel.results.head import ImageHead
from imagepeel.tables import ErrnoName

if TYPE_CHECKING:
    from imagepeel.decoding.decode import Decoded, Reading
    from imagepeel.image import LayeredImage

ReadingKind = Literal["failure", "exit code", "signal", "state"]
"""What a part of a text turned out to be."""


class WhyCause(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One cause that prints a text; `receipt` is the command that tells it from the others."""

    id: str
    """Name of the failure as the docs have it; "" for what is no failure of a start."""
    code: FailureCode | None
    words: str
    fix: str = ""
    receipt: Receipt | None = None


class WhyReading(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One thing that the text says, with all causes, likeliest first."""

    kind: ReadingKind
    words: str
    """The part of the text that says it."""
    means: str
    judge: Judge | None
    """Who says it; null for what is no failure of a start."""
    errno: ErrnoName
    """Error of Linux; "" without one."""
    about: str
    """Path or name that it is about; "" without one."""
    engines: tuple[str, ...]
    """Engines that put the words before it; empty where these name none."""
    since: str
    """Old versions that wrote it so; "" where today's do."""
    causes: tuple[WhyCause, ...]
    misleading: tuple[str, ...]
    """What many take it for, and it is not."""


class WhyProof(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """What is predicted of the image on engines that agree."""

    engines: tuple[str, ...]
    fits: bool
    """Whether it is one of the causes that were read."""
    verbatim: tuple[str, ...]
    """Those of the engines on which the text is predicted word for word."""
    verdict: Verdict


class WhyResult(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """Result of `imagepeel why`."""

    recognised: bool
    """Whether any of it is the text of a judge, an exit code, a signal or a state."""
    readings: tuple[WhyReading, ...]
    lines: int
    """Count of different lines that were looked through."""
    texts: int
    """Count of texts that were looked for."""
    unread: int
    """Count of characters in the middle that were not looked at."""
    image: ImageHead | None = None
    """Image that it was held against; null without one."""
    proofs: tuple[WhyProof, ...] = ()
    own_words: bool = False
    """Whether a script of the image writes the text itself."""


def why_result(text: str, *, image: LayeredImage | None = None, engine: str = "", unread: int = 0) -> WhyResult:
    """Return what a text, an exit code or a signal means; with an image also which cause it is there.

    `unread` counts what was left out of the middle of the text before.  UsageError for an unknown engine.
    """
    from imagepeel.decoding.decode import decode  # start time

    decoded = decode(text, engine)
    tool = client_of(decoded, engine)
    found = WhyResult(
        recognised=bool(decoded.readings),
        readings=tuple(_reading(one, tool) for one in decoded.readings),
        lines=decoded.lines,
        texts=decoded.texts,
        unread=unread + decoded.unread,
    )
    return found if image is None else _proved(found, text, decoded, image, engine)


def _proved(found: WhyResult, text: str, decoded: Decoded, image: LayeredImage, engine: str) -> WhyResult:
    from imagepeel.decoding.prove import own_words, prove  # start time
    from imagepeel.results.head import image_head  # start time

    proofs = prove(image, decoded, engine)
    return msgspec.structs.replace(
        found,
        image=image_head(image),
        own_words=any(own_words(text, one.verdict) for one in proofs),
        proofs=tuple(
            WhyProof(engines=one.engines, fits=one.fits, verbatim=one.verbatim, verdict=one.verdict) for one in proofs
        ),
    )


def client_of(decoded: Decoded, engine: str) -> str:
    """Return the client of the engine that is named, or that wrote the text: docker where nobody says."""
    names = [engine, *(name for reading in decoded.readings for name in reading.engines)]
    for name in names:
        family = name.partition("@")[0].lower()
        if family in ("k8s", "kubernetes", "kubelet", "cri", "cri-containerd", "cri-o", "crio", "openshift"):
            return "kubectl"
        if family in ("docker", "podman", "nerdctl"):
            return family
    return "kubectl" if any(one.state and one.state.id in _OF_KUBELET for one in decoded.readings) else "docker"


_OF_KUBELET = frozenset({"crash-loop", "not-pulled", "config-error", "not-created"})


def name_of(code: FailureCode) -> str:
    """Return the name of a failure as the docs have it: `loader-missing`."""
    return code.name.lower().replace("_", "-")


def _reading(one: Reading, tool: str) -> WhyReading:
    from imagepeel.findings.catalogue import find_rule  # start time
    from imagepeel.receipts.why import state_command, telling_command  # start time

    client = "docker" if tool == "kubectl" else tool
    causes = [
        WhyCause(
            id=name_of(code),
            code=code,
            words=code.words,
            fix=find_rule(code).fix,
            receipt=telling_command(code, one.about, client),
        )
        for code in one.codes
    ]
    means = "" if one.judge is None else one.judge.refused(one.errno)
    if one.state is not None:
        means = one.state.words
        receipt = state_command(one.state.tell, tool)
        causes += [
            WhyCause(id="", code=None, words=words, receipt=receipt if not number else None)
            for number, words in enumerate(one.state.causes)
        ]
    return WhyReading(
        kind=one.kind,
        words=one.words,
        means=means,
        judge=one.judge,
        errno=one.errno,
        about=one.about,
        engines=one.engines,
        since=one.since,
        causes=tuple(causes),
        misleading=one.friends,
    )
