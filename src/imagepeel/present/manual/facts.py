"""What the chapters of the manual share: one image, its findings, and facts as sentences with proof."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from imagepeel.archive.knowledge import ImagePart, Knowledge
from imagepeel.errors import ImagepeelError
from imagepeel.evidence import Evidence, Name
from imagepeel.findings.catalogue import find_rule
from imagepeel.findings.examine import examine
from imagepeel.findings.waste import account
from imagepeel.present.document import Block, Claim, Level, Span, bad, claim, good, note, proof, term, warn
from imagepeel.present.document import Text as Words
from imagepeel.present.story.context import StoryContext
from imagepeel.process.matrix import Matrix, matrix_of_image
from imagepeel.receipts.proof import with_receipts
from imagepeel.tables import not_for_linux
from imagepeel.text import title

if TYPE_CHECKING:
    from imagepeel.findings.finding import Finding
    from imagepeel.findings.waste import Waste
    from imagepeel.image import LayeredImage
    from imagepeel.oci.config import RunConfig
    from imagepeel.rootfs.tree.inode import Inode

Answer = Literal["yes", "no", "depends", "unknown", "fact"]
"""What a fact answers to its question; a mere fact answers nothing."""
MARKS: dict[Answer, tuple[Span, Level]] = {
    "yes": (good("yes      "), ""),
    "no": (bad("no       "), "bad"),
    "depends": (warn("depends  "), "warn"),
    "unknown": (Span("unknown  ", "dim"), ""),
    "fact": (Span("         "), ""),
}
"""Answer -> what stands in front of the sentence, and the level of the claim."""


class Operator:
    """One image as the chapters of the manual look at it: facts with proof, and the findings behind them."""

    def __init__(self, image: LayeredImage) -> None:
        self.image = image
        self.context: StoryContext = StoryContext(image)
        self.known: Knowledge = self.context.knowledge
        self.run: RunConfig = image.config.config
        self.answers: dict[str, list[Answer]] = {}
        """Question -> answers given, for the last chapter."""

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, worst first, with receipts."""
        return with_receipts(examine(self.image), self.image)

    @cached_property
    def waste(self) -> Waste | None:
        """Where the bytes go, None where runtimes refuse the image or a layer is missing."""
        if not self.known.layers:
            return None
        try:
            return account(self.image)
        except ImagepeelError:
            return None

    @cached_property
    def foreign(self) -> str:
        """Why no Linux kernel runs it, "" where one does: what Linux has is no fact about it then."""
        return not_for_linux(self.image.os, self.image.architecture)

    @cached_property
    def matrix(self) -> Matrix | None:
        """The start on every engine and architecture, None where nothing is known to run on Linux."""
        if self.image.record.config is None or self.foreign:
            return None
        return matrix_of_image(self.image)

    def findings_of(self, *rules: str) -> list[Finding]:
        """Return the findings of some rules."""
        return [finding for finding in self.findings if finding.rule in rules]

    def node(self, path: Name) -> Inode | None:
        """The node at a path of the rootfs, None where there is none."""
        return self.image.rootfs.resolve(path).node

    # ---- proof --------------------------------------------------------------------------------------------

    def by_config(self, pointer: str, shows: str = "the config says") -> Evidence:
        """A value of the config, present or absent, as proof."""
        context = self.context
        receipt = context.config_receipt(pointer, shows) or context.config_receipt("/config", shows)
        return proof(context.config_place(pointer), receipt or context.receipts.listing())

    def by_path(self, path: Name) -> Evidence:
        """A file or directory of the rootfs as proof."""
        place = self.image.rootfs.location(path)
        if place.layer is None or place.entry is None:
            return self.by_listing()
        layer = self.image.layers[place.layer]
        return proof(place, self.context.receipts.entry_line(layer, place.entry) or self.context.receipts.listing())

    def by_listing(self) -> Evidence:
        """All layers as proof: for what is not there, and for sums."""
        places = [layer.location for layer in self.image.layers] or [self.context.archive_place()]
        lines = [self.context.receipts.layer_listing(layer) for layer in self.context.here]
        return proof(*places, *(line for line in lines[:3] if line is not None), self.context.receipts.listing())

    def by_finding(self, finding: Finding) -> Evidence:
        """The proof of a finding, never empty."""
        if finding.evidence.locations and finding.evidence.receipts:
            return finding.evidence
        return Evidence(
            locations=finding.evidence.locations or (self.context.archive_place(),),
            receipts=finding.evidence.receipts or (self.context.receipts.listing(),),
        )

    # ---- sentences ----------------------------------------------------------------------------------------

    def answer(self, question: str, answer: Answer, *parts: Span | str | Words, by: Evidence) -> Claim:
        """A fact that answers a question: yes, no, depends, unknown, or a mere fact."""
        if answer != "fact":
            self.answers.setdefault(question, []).append(answer)
        mark, level = MARKS[answer]
        return claim(mark, *parts, by=by, level=level)

    def unseen(self, question: str, what: str, *parts: ImagePart) -> Claim:
        """The answer where what decides is missing: unknown, and why `what`, a clause, is not known."""
        why = self.known.why(*parts)
        return self.answer(question, "unknown", f"{what} is not known: {why}.", by=self.by_listing())

    def told(self, question: str, answer: Answer, findings: Iterable[Finding]) -> list[Claim]:
        """One fact for each finding, in its own words."""
        return [
            self.answer(question, answer, sentence(finding), *fix(finding), by=self.by_finding(finding))
            for finding in findings
        ]


def sentence(finding: Finding) -> str:
    """The message of a finding with a full stop."""
    message = title(finding.message)
    return message if message.endswith((".", "!", "?")) else message + "."


def fix(finding: Finding) -> tuple[Span | str, ...]:
    """What to do about it, from the finding or its rule."""
    what = finding.fix or find_rule(finding.rule).fix
    return (" Fix: ", good(what.rstrip(".")), ".") if what else ()


def question(name: str, asks: str) -> Block:
    """The head of a group of facts."""
    return note(term(name), f"  {asks}")
