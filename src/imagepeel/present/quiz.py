"""Questions about one image, made from its own facts: predict, then reveal, each answer with its proof.

A maker asks only what is known: what is missing, damaged or not certain is no question.  Choices are of the image too,
and each but one is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from random import Random
from typing import TYPE_CHECKING

import msgspec

from imagepeel._display import Shown
from imagepeel.evidence import Evidence, Receipt, text
from imagepeel.masking import masked, masked_words
from imagepeel.present.document import Claim, Document, Items, Section, claim, code, item, items, proof, section, value
from imagepeel.present.prediction import engine_name, knows_user, refusal, verdict_word
from imagepeel.present.story.context import StoryContext
from imagepeel.present.story.process_proof import argv_receipt, verdict_proof
from imagepeel.process.spec.failure import Judge, Outcome, Stage
from imagepeel.results.head import ImageHead, image_head
from imagepeel.tables import not_for_linux
from imagepeel.text import exact, plural, title

if TYPE_CHECKING:
    from imagepeel.image import LayeredImage
    from imagepeel.layers.layer import Layer
    from imagepeel.loading.answer import LoadAnswer
    from imagepeel.process.spec.values import Prediction, ReaderKind

LETTERS = "abcd"
"""How the choices of a question are called."""
COUNT = 8
"""Questions of one round where nobody says how many."""
_LEAST = 3
"""Choices below which a question is none."""
_LOOKED = 5_000
"""Paths of the filesystem of which questions are made."""
_LONGEST = 90
"""Characters of a choice."""
_WHO_READS: dict[ReaderKind, str] = {
    "runtime": "the runtime", "shell": "the shell", "program": "the program", "nobody": "nobody",
}  # fmt: skip
_WHO = (
    "The engine looks names up in the /etc/passwd and /etc/group of the image.",
    "What is a number is taken as it is; a group that is not named comes from /etc/passwd, or is 0.",
    "Without USER a process is root.",
)
_OVER = "only where layers are laid over each other"
_ONTO = "only where layers are unpacked one onto the other"
_IN_BOTH = "in both: laid over each other, and unpacked one onto the other"
_IN_NEITHER = "in neither of them"
_ERRNO_WORDS = ("no such file or directory", "permission denied", "exec format error", "not a directory")


class Question(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """One question with its choices, and what reveals the answer."""

    about: str
    """Which fact it asks for; stable."""
    question: str
    choices: tuple[str, ...]
    """Three or four, in the order in which they are shown; one is right."""
    answer: int
    """Index of the right one."""
    why: str
    """What decides it, in a sentence."""
    evidence: Evidence


class Quiz(Shown, msgspec.Struct, frozen=True, kw_only=True):
    """The questions of one round; fewer than `count` where the image does not answer more."""

    image: ImageHead
    seed: int
    count: int
    questions: tuple[Question, ...]


class _Asked(msgspec.Struct, frozen=True):
    """A question as its maker words it: the right answer apart from the wrong ones."""

    about: str
    question: str
    right: str
    wrong: tuple[str, ...]
    why: str
    evidence: Evidence


def quiz_of(image: LayeredImage, *, seed: int = 0, count: int = COUNT) -> Quiz:
    """Return `count` questions about an image, at most; the same seed gives the same questions.

    Reads every layer once.  LimitExceeded on bombs.
    """
    image.scan()
    context = StoryContext(image)
    chance = Random(seed)
    found = [one for asked in _asked(context, chance) if (one := _mixed(asked, chance)) is not None]
    chance.shuffle(found)
    return Quiz(image=image_head(image), seed=seed, count=count, questions=tuple(found[:count]))


def _mixed(asked: _Asked, chance: Random) -> Question | None:
    """Return a question with its choices in an order of chance, None where too few of them can be told apart."""
    wrong = list(dict.fromkeys(one for one in asked.wrong if _plain(one) and masked(one) != masked(asked.right)))
    if not _plain(asked.right) or len(wrong) + 1 < _LEAST:
        return None
    choices = [asked.right, *chance.sample(wrong, min(len(wrong), len(LETTERS) - 1))]
    if len({masked(one) for one in choices}) < len(choices):
        return None
    chance.shuffle(choices)
    return Question(
        about=asked.about,
        question=asked.question,
        choices=tuple(choices),
        answer=choices.index(asked.right),
        why=asked.why,
        evidence=asked.evidence,
    )


def _plain(choice: str) -> bool:
    """Whether a choice reads as it is: two that differ in invisible characters could not be told apart."""
    return choice.isprintable() and 0 < len(choice) <= _LONGEST


def _asked(context: StoryContext, chance: Random) -> Iterator[_Asked]:
    known = context.knowledge
    if known.artifact or context.bare:
        return
    if known.layer_list and known.config:
        yield from _counts(context)
    if known.layers and context.rootfs.complete and context.rootfs.refusal is None:
        yield from _origin(context, chance)
        yield from _gone(context, chance)
        yield from _sizes(context)
        yield from _largest(context)
        yield from _views(context, chance)
    yield from _loading(context)
    found = context.prediction
    if found is None or not known.layers or not_for_linux(context.image.os, context.image.architecture):
        return
    yield from _verdicts(context, found)
    if found.verdict.kind is Outcome.FAILS:
        yield from _refused(context, found)
    elif found.verdict.kind is Outcome.RUNS and context.certain:
        yield from _process(context, found)
        yield from _readers(context, found, chance)


# ---- documents and layers ---------------------------------------------------------------------------------


def _counts(context: StoryContext) -> Iterator[_Asked]:
    image = context.image
    layers, steps = len(image.layers), len(image.history)
    by = proof(
        context.config_place("/rootfs/diff_ids"),
        context.config_receipt("/rootfs/diff_ids", "one DiffID a layer") or context.receipts.listing(),
    )
    wrong = {steps, layers + 1, layers - 1, steps - layers, layers + 2} - {layers}
    yield _Asked(
        "layers", f"The history of the image has {plural(steps, 'step')}. How many layers has the image?",
        str(layers), tuple(str(one) for one in sorted(wrong) if one > 0),
        "The config lists a DiffID for each layer; a step that only edits the config makes none.", by,
    )  # fmt: skip
    stream = context.receipts.named(image.record.config_member or "")
    if image.id and stream is not None:
        yield _Asked(
            "image-id", f"Docker's own store and podman call the image {image.id[:19]}.... What has this digest?",
            "the config", ("the manifest", "the whole archive", "the base layer"),
            "The ImageID is the digest of the config, byte by byte.",
            proof(context.config_place(""), context.receipts.digest(stream, image.id, "the digest of the config")),
        )  # fmt: skip


def _named(layer: Layer) -> str:
    """A layer as a choice: its label and its sizes say which, the step would say too much."""
    return f"{layer.label} ({plural(len(layer.table), 'entry')})"


def _files(context: StoryContext) -> list[tuple[str, Layer, int]]:
    """Regular files that the container sees, each with the layer and the entry that brought it."""
    out: list[tuple[str, Layer, int]] = []
    for path, node in islice(context.rootfs.walk(), _LOOKED):
        place = context.rootfs.location(node) if node.is_file else None
        if place is not None and place.layer is not None and place.entry is not None:
            out.append((text(path), context.image.layers[place.layer], place.entry))
    return out


def _origin(context: StoryContext, chance: Random) -> Iterator[_Asked]:
    files = [one for one in _files(context) if _plain(one[0])]
    if len(context.image.layers) < _LEAST or not files:
        return
    for path, layer, entry in chance.sample(files, min(2, len(files))):
        receipt = context.receipts.entry_line(layer, entry)
        yield _Asked(
            "origin", f"Which layer brought {path}, as the container sees it?", _named(layer),
            tuple(_named(one) for one in context.image.layers if one is not layer),
            "The topmost layer that has a path, and that nothing above hides, decides it.",
            proof(context.entry_place(layer, entry), receipt),
        )  # fmt: skip


def _gone(context: StoryContext, chance: Random) -> Iterator[_Asked]:
    # What is removed may come again in a later layer.
    removed = [one for one in context.lost[:_LOOKED] if one.fate == "removed" and _plain(text(one.path))]
    gone = [one for one in removed if context.rootfs.resolve(one.path).node is None]
    lost = {text(one.path) for one in context.lost}
    seen = [path for path, _, _ in _files(context) if path not in lost and _plain(path)]
    if not gone:
        return
    one = chance.choice(gone[:5])
    layer = context.image.layers[one.layer]
    stream = context.receipts.entry(layer, one.entry)
    receipt = context.receipts.size(stream, one.size, "its bytes, still there") if stream is not None else None
    yield _Asked(
        "gone", "Which of these files is shipped in a layer, and no container of the image shows it?",
        text(one.path), tuple(chance.sample(seen, min(len(seen), 6))),
        f"{layer.label} brings it and {context.image.layers[one.by].label} removes it: no layer can shrink one below.",
        proof(context.entry_place(layer, one.entry), receipt or context.receipts.layer_listing(layer)),
    )  # fmt: skip


def _sizes(context: StoryContext) -> Iterator[_Asked]:
    sums = context.shipped
    if sums.shipped == sums.visible:
        return
    receipt = context.receipts.total(context.here, sums.shipped)
    wrong = (sums.shipped, sums.unreachable, sums.removed, sums.shadowed)
    yield _Asked(
        "sizes", f"The layers ship {exact(sums.shipped)} of file content. How much of it can a container see?",
        exact(sums.visible), tuple(exact(one) for one in wrong if one and one != sums.visible),
        f"{exact(sums.unreachable)} are hidden or removed by a later layer.",
        proof(*(layer.location for layer in context.here), receipt or context.receipts.layer_listing(context.here[0])),
    )  # fmt: skip


def _largest(context: StoryContext) -> Iterator[_Asked]:
    layers = sorted(context.image.layers, key=lambda layer: -layer.content_size)
    if len(layers) < _LEAST or layers[0].content_size == layers[1].content_size:
        return
    yield _Asked(
        "largest", "Which layer is the largest once it is unpacked?", _words(layers[0]),
        tuple(_words(layer) for layer in layers[1:]), f"{layers[0].label} has {exact(layers[0].content_size)} of tar.",
        proof(layers[0].location, context.receipts.layer_listing(layers[0])),
    )  # fmt: skip


def _views(context: StoryContext, chance: Random) -> Iterator[_Asked]:
    """Ask where a path is: laid over each other, or unpacked one onto the other, layers may give two filesystems."""
    other = context.image.view("sequential")
    if len(context.image.layers) < 2 or other.refusal is not None or not other.complete:
        return

    walked = [list(islice(rootfs.walk(), _LOOKED)) for rootfs in (context.rootfs, other)]
    if max(map(len, walked)) == _LOOKED:
        return  # what is not among the first is not absent
    over, onto = ({text(path): node for path, node in one if node.is_file and _plain(text(path))} for one in walked)
    differ = sorted(over.keys() ^ onto.keys())
    path = chance.choice(differ or sorted(over) or [""])
    rootfs, node = (context.rootfs, over[path]) if path in over else (other, onto.get(path))
    place = rootfs.location(node) if node is not None else None
    if place is None or place.layer is None or place.entry is None:
        return
    layer = context.image.layers[place.layer]
    right = _IN_BOTH if path in over and path in onto else _OVER if path in over else _ONTO
    yield _Asked(
        "views", f"In which filesystem of the image is {path}?", right,
        tuple(one for one in (_OVER, _ONTO, _IN_BOTH, _IN_NEITHER) if one != right),
        f"{layer.label} brings it. The kernel merges layers that were unpacked apart; engines without overlayfs "
        "unpack each onto the last, and whiteouts and links meet other files there.",
        proof(context.entry_place(layer, place.entry), context.receipts.entry_line(layer, place.entry)),
    )  # fmt: skip


def _loading(context: StoryContext) -> Iterator[_Asked]:
    """Ask who takes the file; of one that all take, which document gives the image its ID."""
    from imagepeel.results.loadable import load_answers  # start time

    answers = load_answers(context.image)
    takes, refuses = [one for one in answers if one.takes], [one for one in answers if one.refuses]
    listing = context.receipts.listing()
    if refuses and len(takes) + 1 >= _LEAST:
        one = refuses[0]
        yield _Asked(
            "loading", "One of these does not take the file as it is. Which?", one.label,
            tuple(other.label for other in takes), f"{title(one.why or (one.cause.words if one.cause else ''))}.",
            proof(one.where or context.config_place(""), listing),
        )  # fmt: skip
    known = [one for one in takes if one.id and one.id_of in ("config", "manifest")]
    for one in known[:1]:
        yield _Asked(
            "store-id", f"{title(one.label)} takes the file. Which of these has the digest that it shows as image ID?",
            f"the {one.id_of}", tuple(f"the {kind}" for kind in ("config", "manifest", "top layer", "whole file")
                                      if kind != one.id_of),
            f"It shows {one.id}.", proof(one.where or context.config_place(""), _of_id(context, one)),
        )  # fmt: skip


def _of_id(context: StoryContext, answer: LoadAnswer) -> Receipt:
    """The command that takes the digest of the document that gives an image its ID."""
    record = context.image.record
    member = record.config_member if answer.id_of == "config" else record.manifest_member
    stream = context.receipts.named(member or "")
    if stream is None:
        return context.receipts.listing()
    return context.receipts.digest(stream, answer.id, f"the digest of the {answer.id_of}")


def _words(layer: Layer) -> str:
    from imagepeel.present.heading import brief_step  # start time

    return f"{layer.label}  {brief_step(layer.created_by)}".strip()


# ---- the process ------------------------------------------------------------------------------------------


def _by(context: StoryContext, found: Prediction) -> Evidence:
    """What decides the verdict, else the last file that the kernel was asked to start, else the config."""
    by = verdict_proof(context, found)
    if by.locations:
        return by
    started = [step.where for step in found.steps if step.rule == Stage.EXECVE and step.where is not None]
    return msgspec.structs.replace(by, locations=(started[-1] if started else context.config_place("/config"),))


def _verdicts(context: StoryContext, found: Prediction) -> Iterator[_Asked]:
    kinds = [verdict.kind for _, verdict in context.verdicts]
    if any(kind in (Outcome.UNKNOWN, Outcome.DEPENDS) for kind in kinds):
        return
    odd = [label for label, verdict in context.verdicts if kinds.count(verdict.kind) == 1]
    if len(set(kinds)) == 2 and len(odd) == 1:
        others = [engine_name(label) for label, _ in context.verdicts if label != odd[0]]
        word = next(verdict_word(verdict.kind).text for label, verdict in context.verdicts if label == odd[0])
        yield _Asked(
            "engines", "One of these engines ends the start otherwise than the others. Which?",
            engine_name(odd[0]), tuple(others), f"Only there it {word}.", _by(context, found),
        )  # fmt: skip


def _refused(context: StoryContext, found: Prediction) -> Iterator[_Asked]:
    verdict, by = found.verdict, _by(context, found)
    engine, why = engine_name(found.engine), f"{verdict.why or verdict.message}."
    if verdict.judge is not None and refusal(verdict):
        yield _Asked(
            "judge", f"The image does not start on {engine}. Who refuses?", verdict.judge.words,
            tuple(judge.words for judge in Judge if judge is not verdict.judge), why, by,
        )  # fmt: skip
    shown = verdict.text.strip()
    word = next((one for one in _ERRNO_WORDS if shown.lower().endswith(one)), "")
    if word:
        lead = shown[: -len(word)]
        yield _Asked(
            "text", f"The image does not start on {engine}. What does the operator read?", shown,
            tuple(lead + one for one in _ERRNO_WORDS if one != word), why, by,
        )  # fmt: skip
    if verdict.exit_code is not None:
        yield _Asked(
            "exit-code", f"The image does not start on {engine}. With which exit code does its command line end?",
            str(verdict.exit_code), tuple(str(one) for one in (0, 1, 125, 126, 127, 255) if one != verdict.exit_code),
            why, by,
        )  # fmt: skip


def _process(context: StoryContext, found: Prediction) -> Iterator[_Asked]:
    first = found.pid1
    by = _by(context, found)
    if first is not None and first.exact and first.path:
        others = [*first.chain, found.path or "", *(word for word in found.argv if word.startswith("/"))]
        others += [path for path, _, _ in _files(context) if "/bin/" in path]
        yield _Asked(
            "pid1", "Which program is process 1 once the start is over?", first.path,
            tuple(one for one in dict.fromkeys(others) if one and one != first.path),
            f"The start ends with {' '.join(masked_words(first.argv))}: every execve before it was replaced.", by,
        )  # fmt: skip
    user = found.user
    if user is not None and knows_user(found) and first is not None and (first.uid, first.gid) == (user.uid, user.gid):
        asked = f"USER is {user.spec}" if user.spec else "The config names no USER"
        wrong = ("0:0", "1000:1000", "65534:65534", f"{user.uid}:0", f"0:{user.gid}", f"{user.uid + 1}:{user.gid + 1}")
        yield _Asked(
            "user", f"{asked}. As which user and group does process 1 run?", f"{user.uid}:{user.gid}",
            tuple(one for one in wrong if one != f"{user.uid}:{user.gid}"),
            _WHO[user.spec.replace(":", "").isdigit() + 2 * (not user.spec)],
            proof(context.config_place("/config/User"), user.where,
                  context.config_receipt("/config", "the defaults for the process")),
        )  # fmt: skip
    added = [variable for variable in found.env if variable.origin in ("engine", "runtime") and not variable.overrides]
    own = [variable.name for variable in found.env if variable.origin == "image"]
    if added and len(own) + 1 >= _LEAST:
        yield _Asked(
            "environment", "Which of these variables does not stand in the config of the image?", added[0].name,
            tuple(own), f"It comes from the {added[0].origin}.",
            proof(context.config_place("/config/Env"), context.config_receipt("/config/Env", "those of the image")),
        )  # fmt: skip


def _readers(context: StoryContext, found: Prediction, chance: Random) -> Iterator[_Asked]:
    told = [(word, one) for word, one in zip(masked_words(found.argv), found.readers, strict=False)]
    words = [word for word, _ in told]
    # Who is meant must be one: what a script reads, its shell reads as well.
    told = [(word, one) for word, one in told if one.by in _WHO_READS and _plain(word) and words.count(word) == 1]
    if not told:
        return
    word, one = chance.choice(told)
    yield _Asked(
        "reader", f"Who reads the word {word} of {' '.join(masked_words(found.argv))}?", _WHO_READS[one.by],
        tuple(who for kind, who in _WHO_READS.items() if kind != one.by), f"{title(one.how or _WHO_READS[one.by])}.",
        proof(context.config_place("/config"), argv_receipt(context)),
    )  # fmt: skip


# ---- documents --------------------------------------------------------------------------------------------


def question_document(one: Question, number: int, count: int) -> Document:
    """Return a question without its answer."""
    title = f"{number} of {count}  {one.question}"
    return Document(title=title, headline=(), sections=(Section(blocks=(choices_of(one),), title=(value(title),)),))


def choices_of(one: Question) -> Items:
    """Return the choices of a question with their letters."""
    return items(*(item(choice, label=letter) for letter, choice in zip(LETTERS, one.choices, strict=False)))


def answer_of(one: Question) -> Claim:
    """Return the sentence that reveals the answer, with its proof."""
    return claim(f"{LETTERS[one.answer]}, ", code(one.choices[one.answer]), f": {one.why}", by=one.evidence)


def quiz_document(quiz: Quiz) -> Document:
    """Return all questions, and behind them the answers, for who prints them."""
    from imagepeel.present.heading import about  # start time

    asked = [
        section(choices_of(one), title=f"{number}  {one.question}") for number, one in enumerate(quiz.questions, 1)
    ]
    answers = section(*(answer_of(one) for one in quiz.questions), title="Answers")
    return about(quiz.image, *asked, answers)
