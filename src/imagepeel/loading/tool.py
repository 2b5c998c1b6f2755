"""A tool: the command that brings an archive into an engine's store, one version of it.

Every program has a file of its own beside this one.  What it does differently from the rest is data where a field of
`LoadTool` says it, and a method where it takes code or words.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Literal

import msgspec

from imagepeel._lazy import late
from imagepeel.loading.answer import Known, LoadAnswer, Store
from imagepeel.rootfs.engines.names import ViewName

if TYPE_CHECKING:
    from imagepeel.loading.delivery import Delivery


_VARIES = late(
    r"\"[^\"\n]*\"|`[^`\n]*`|'[^'\n]*'"  # what is quoted: names, characters
    r"|<[a-z]+>|[^\s:,()]*/[^\s:,()]*(?::[\w.-]+)?"  # paths and references
    r"|(?<=Loaded image: )\S+"
    r"|\b(?!manifest\.json|index\.json)[\w@-][\w.@-]*\.(?:json|tar(?:\.gz)?)\b"  # members of an archive
    r"|\b(?:sha256:)?[0-9a-f]{12,}\b|\d+"
)
"""What differs in the words about two archives that are refused for the same reason."""
_TOLD = 4096
"""Characters of a text that are compared: names of an image may stand in it, of any length."""


def words_of(text: str) -> str:
    """Return a mark of a tool's words, the same for texts that differ in names, paths, digests and numbers only."""
    compared = _VARIES.sub("*", text.replace("\\", "").strip()[:_TOLD])
    return f"{zlib.crc32(compared.encode(errors='surrogatepass')):08x}"


class LoadTool(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a tool."""

    name: str
    """The engine or tool, as `process --engine` names it where both know it."""
    version: tuple[int, ...]
    store: Store = ""
    command: str
    """What a person types, with `<file>` for the archive."""
    usual: bool = True
    """Whether installations have this store without asking for it: new ones, or those that were upgraded."""
    view: ViewName | Literal[""]
    """The filesystem that containers of this store see (`rootfs/view.py`)."""
    other_view: ViewName | Literal[""] = ""
    """What they see where the extractor of `view` refuses and this store was seen to take the layer."""
    measured: str = ""
    """What was run, with its version; "" where nothing was."""
    read: str = ""
    """What was read, with its version: the source of what was not watched."""
    older: tuple[str, str] = ("", "")
    """The full label of an older version that was watched too, and what was run of it."""

    @property
    def label(self) -> str:
        """`docker@28`; stores of one engine have the same label."""
        return f"{self.name}@{'.'.join(map(str, self.version))}"

    @property
    def full_label(self) -> str:
        """`docker@28 (own store)`."""
        return f"{self.label} ({self.store} store)" if self.store else self.label

    def answer(self, delivery: Delivery) -> LoadAnswer:
        """Say what this tool does with an image of an archive."""
        return self._own(delivery, self.judge(delivery))

    @staticmethod
    def watched_as(delivery: Delivery, answer: LoadAnswer) -> str:
        """Return an answer as the loads that were watched are kept: how the file describes the image, and the end."""
        end = answer.outcome if answer.cause is None else f"{answer.outcome} {answer.cause}"
        return f"{delivery.described_as}: {end}"

    def _known(self, delivery: Delivery, answer: LoadAnswer) -> tuple[Known, str]:
        """How it is known that the tool does this, and from what."""
        from imagepeel.loading.watched import WATCHED  # start time

        what, words = self.watched_as(delivery, answer), words_of(answer.text)
        if self.measured and words in WATCHED.get(self.full_label, {}).get(what, ""):
            return "measured", self.measured
        label, run = self.older
        if words in WATCHED.get(label, {}).get(what, ""):
            return "older", run
        return "read", self.read

    def refusal_of_image(self, delivery: Delivery) -> LoadAnswer | None:
        """Return why the store refuses the image however it gets there; None where it takes it."""
        found = self.judge_image(delivery)
        of_file = found is not None and found.cause is not None and not found.cause.of_image
        return self._own(delivery, found) if found is not None and not of_file else None

    def refusal_of_file(self, delivery: Delivery) -> LoadAnswer | None:
        """Return why it does not read the file as it is, whatever image lies in it; None where it does."""
        found = self.judge_file(delivery)
        return self._own(delivery, found) if found is not None else None

    def _own(self, delivery: Delivery, answer: LoadAnswer) -> LoadAnswer:
        """The answer with what is true of all answers of this tool, and how it is known."""
        evidence, source = self._known(delivery, answer)
        return msgspec.structs.replace(
            answer,
            tool=self.label,
            store=self.store,
            command=answer.command or self.command,
            evidence=evidence,
            source=source,
        )

    def judge(self, delivery: Delivery) -> LoadAnswer:
        """Say what this tool does with an image, without its own fields."""
        raise NotImplementedError(f"{type(self).__name__} has to say this")

    def judge_file(self, delivery: Delivery) -> LoadAnswer | None:
        """Say why it does not read the file, without its own fields; None where it does."""
        raise NotImplementedError(f"{type(self).__name__} has to say this")

    def judge_image(self, delivery: Delivery) -> LoadAnswer | None:
        """Say why the store refuses the image itself, without its own fields; None where it takes it.

        What is about the file only is left out of it afterwards.
        """
        raise NotImplementedError(f"{type(self).__name__} has to say this")


class LoadFamily(msgspec.Struct, frozen=True, kw_only=True):
    """A tool in all its versions, oldest first; of one version the store that new installations use comes first."""

    name: str
    versions: tuple[LoadTool, ...]
