"""`imagepeel quiz`: questions about an image, made from its own facts."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, TextIO

import click

from imagepeel.cli import common, documents
from imagepeel.cli.settings import Settings

if TYPE_CHECKING:
    from imagepeel.present.document import Document
    from imagepeel.present.quiz import Question, Quiz

_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel quiz image.tar\n"
    "  imagepeel quiz image.tar --count 3 --seed 7\n"
    "  printf 'a\\nc\\nb\\n' | imagepeel quiz image.tar --count 3\n"
    "  imagepeel quiz image.tar --markdown --receipts > sheet.md\n"
)


@click.command(epilog=_EXAMPLES)
@common.archive
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Which questions.")
@click.option("--count", type=click.IntRange(1, 100), default=8, show_default=True, help="How many, at most.")
@common.receipts("With each answer, the shell commands that show it.")
@documents.forms
@common.settings
def command(settings: Settings, seed: int, count: int, receipts: bool) -> None:
    """Ask about an image: predict, then see the answer and what proves it.

    Every question is made from what this image holds, and only from what is known of it.  The same seed gives the same
    questions.  Answer with a letter and Enter; q ends.  Answers may come from a pipe, one a line.

    Exits with 0 when every answer was right and with 1 when one was wrong or left out.  --json, --html and --markdown
    write the questions with their answers, and exit with 0.
    """
    with settings.open() as archive, ExitStack() as closing:
        from imagepeel.present.quiz import quiz_document, quiz_of  # start time

        image = settings.scanned(archive)
        quiz = quiz_of(image, seed=seed, count=count)
        if settings.json or documents.page_asked(settings):
            documents.show(settings, "quiz", quiz, quiz_document, receipts=receipts)
            settings.finish(image)
            return
        settings.others_told()
        right = _ask(settings, quiz, _answers(settings, closing), receipts)
        total = len(quiz.questions)
        click.echo(f"{right} of {total} right" if total else "Nothing can be asked: too little of the image is known.")
        settings.finish(image)
        if right < total:
            click.get_current_context().exit(1)


def _answers(settings: Settings, closing: ExitStack) -> TextIO:
    """Where answers come from: standard input, or the terminal where that is the archive."""
    if settings.archive != "-" and sys.stdin is not None:
        return sys.stdin
    try:
        return closing.enter_context(open("/dev/tty", encoding="utf-8"))
    except OSError:
        from imagepeel.errors import UsageError  # start time

        hint = "save the archive to a file, or write the questions with --markdown"
        raise UsageError("standard input is the archive, and there is no terminal to answer on", hint=hint) from None


def _ask(settings: Settings, quiz: Quiz, answers: TextIO, receipts: bool) -> int:
    """Ask all questions; return how many answers were right.  The end of the input ends the round."""
    from imagepeel.present.document import Document, Section, say  # start time
    from imagepeel.present.quiz import LETTERS, answer_of, question_document  # start time

    right = 0
    for number, one in enumerate(quiz.questions, 1):
        _show(settings, question_document(one, number, len(quiz.questions)))
        given = _letter(answers, one)
        if given is None:
            break
        met = LETTERS.index(given) == one.answer
        right += met
        said = say("Right." if met else f"Not {given}.", level="good" if met else "warn")
        revealed = Section(blocks=(said, answer_of(one)))
        _show(settings, Document(title="answer", headline=(), sections=(revealed,)), receipts=receipts)
        click.echo()
    return right


def _letter(answers: TextIO, one: Question) -> str | None:
    """Return the letter that is answered, None at the end; another word is asked again."""
    from imagepeel.present.quiz import LETTERS  # start time

    letters = LETTERS[: len(one.choices)]
    while True:
        click.echo(f"{', '.join(letters)}? ", nl=False)
        line = answers.readline(1024)
        if not answers.isatty():
            click.echo()
        word = line.strip().rstrip(")").lower()
        if not line or word == "q":
            return None
        if len(word) == 1 and word in letters:
            return word
        click.echo(f"Answer with one of {', '.join(letters)}, or q to end.")


def _show(settings: Settings, document: Document, *, receipts: bool = False) -> None:
    from imagepeel.render.terminal import print_document  # start time

    width = min(settings.width, documents.PROJECTOR)
    print_document(document, sys.stdout, width=width, colour=settings.colour(sys.stdout), receipts=receipts)
