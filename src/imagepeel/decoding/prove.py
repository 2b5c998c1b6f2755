"""Which cause it is in one image: what each engine is predicted to say of it, held against what was read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from imagepeel.decoding.clean import plain
from imagepeel.decoding.decode import Decoded, Reading
from imagepeel.process.engines.registry import MATRIX_ENGINES
from imagepeel.process.image_prediction import predict_image
from imagepeel.process.spec.failure import FailureCode, Outcome
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.values import Verdict

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What is predicted of the image on some engines that agree, and whether that is what was read.

    `verbatim` are those on which the text is predicted word for word.
    """

    engines: tuple[str, ...]
    verdict: Verdict
    fits: bool
    verbatim: tuple[str, ...] = ()


def prove(image: LayeredImage, decoded: Decoded, engine: str = "") -> tuple[Proof, ...]:
    """Hold an image against what was read; those that fit come first.

    Arguments: `engine` is NAME[@VERSION]; without one all kinds of engines are asked.  UsageError for an unknown one.
    """
    asked = (engine,) if engine else MATRIX_ENGINES
    groups: dict[tuple[object, ...], list[tuple[str, Verdict]]] = {}
    for name in asked:
        verdict = predict_image(image, ProcessOptions(engine=name)).verdict
        key = (verdict.kind, verdict.id, verdict.why, verdict.reason)
        groups.setdefault(key, []).append((name, verdict))
    found = [_proof(same, decoded.readings) for same in groups.values()]
    return tuple(sorted(found, key=lambda one: (not one.verbatim, not one.fits)))


def _proof(same: Sequence[tuple[str, Verdict]], readings: Sequence[Reading]) -> Proof:
    fitting = [fit(verdict, readings) for _, verdict in same]
    verbatim = [number for number, (_, exact) in enumerate(fitting) if exact]
    return Proof(
        engines=tuple(name for name, _ in same),
        verdict=same[verbatim[0] if verbatim else 0][1],
        fits=any(fits for fits, _ in fitting),
        verbatim=tuple(same[number][0] for number in verbatim),
    )


def fit(verdict: Verdict, readings: Sequence[Reading]) -> tuple[bool, bool]:
    """Whether a verdict is one of the causes that were read, and whether its text has the words that were."""
    if verdict.kind is not Outcome.FAILS or verdict.id is None:
        return False, False
    texts = [reading for reading in readings if reading.kind == "failure"]
    said = plain(f"{verdict.text}\n{verdict.runtime_text}")
    verbatim = any(reading.words in said for reading in texts)
    if texts:
        return any(verdict.id in reading.codes for reading in texts), verbatim
    exits = {int(reading.words) for reading in readings if reading.words.isdigit()}
    return bool(exits & {verdict.exit_code, verdict.state_exit_code, verdict.runtime_exit_code}), False


def own_words(text: str, verdict: Verdict) -> bool:
    """Whether the image itself says a text that no judge is known for: its script writes it and ends."""
    said = {line.strip() for line in verdict.runtime_text.splitlines() if line.strip()}
    return verdict.id is FailureCode.SHELL_LINE_FAILS and any(line.strip() in said for line in _lines(text))


def _lines(text: str) -> Iterator[str]:
    yield from text.splitlines()
