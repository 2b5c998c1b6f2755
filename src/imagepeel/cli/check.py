"""`imagepeel check`: the gate for CI."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, get_args

import click
import msgspec

from imagepeel.cli import common, completing, documents, failures, outputs
from imagepeel.cli.gate_files import baseline_of, budget_of, dockerfile_of, options_of
from imagepeel.cli.settings import WIDE, Settings
from imagepeel.errors import INTERNAL, ImagepeelError, UsageError
from imagepeel.findings.budget import Against, Budget, against_of, spent
from imagepeel.findings.gate import THRESHOLDS, Baseline, GateOptions, joined, judge, make_baseline, threshold
from imagepeel.findings.gate import write_baseline as encode_baseline
from imagepeel.results.head import image_head

if TYPE_CHECKING:
    from imagepeel.api import Archive
    from imagepeel.findings.finding import Finding
    from imagepeel.findings.rule import Rule
    from imagepeel.findings.suppress import Suppression
    from imagepeel.results.check import CheckOutcome, CheckOutput, CheckRun, NotChecked
    from imagepeel.verbs import Image

Form = Literal["text", "json", "sarif", "junit", "gitlab", "github", "markdown", "html"]
FORMATS: tuple[Form, ...] = get_args(Form)
REPORTS = frozenset(("sarif", "junit", "gitlab", "github"))
"""What a service reads, which learns there of an archive that could not be read."""
MOST_BESIDE = 63
"""Further images of an archive that are examined; the outcome names the rest."""

_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel check image.tar\n"
    "  imagepeel check image.tar --fail-on medium --format sarif > imagepeel.sarif\n"
    "  imagepeel check web.tar worker.tar --output sarif=out.sarif,junit=out.xml,gitlab=out.json\n"
    "  imagepeel check image.tar --write-baseline known.json\n"
    "  imagepeel check image.tar --baseline known.json --format github\n"
)


@click.command(epilog=_EXAMPLES)
@click.argument(
    "archives",
    metavar="ARCHIVE...",
    nargs=-1,
    required=True,
    type=click.Path(allow_dash=True),
)
@common.opening
@click.option("--all", "every", is_flag=True, help="Every image of an archive, each with an outcome of its own.")
@click.option("--fail-on", type=click.Choice(THRESHOLDS), help="Exit with 1 on new findings this severe.  [high]")
@common.rules
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", help="What to write.  [text]")
@click.option(
    "--output",
    "wanted",
    metavar="FORMAT=FILE",
    multiple=True,
    shell_complete=completing.outputs(FORMATS),
    help="Write that to a file, too: A=B,C=D or repeated.",
)
@click.option("--max-size", metavar="SIZE", help="Fail when the layers unpack to more: 500MB, 1.5G.")
@click.option("--max-waste", metavar="SIZE|%", help="Fail when more bytes are unreachable: 20MB, 5%.")
@click.option("--max-layers", metavar="N", type=click.IntRange(0), help="Fail when there are more layers.")
@click.option("--max-growth", metavar="SIZE|%", help="Fail when the layers have grown by more since --against.")
@click.option(
    "--against", metavar="ARCHIVE", type=click.Path(allow_dash=True), help="The image that growth is measured from."
)
@click.option("--baseline", metavar="FILE", type=click.Path(), help="Findings that are known and accepted.")
@click.option("--write-baseline", metavar="FILE", type=click.Path(), help="Accept what is found now, and exit with 0.")
@click.option("--dockerfile", metavar="FILE", type=click.Path(), help="Name the lines of it that findings come from.")
@click.option("--config", metavar="FILE", type=click.Path(), help="Settings, instead of those of this directory.")
@documents.forms
@common.settings
def command(
    settings: Settings,
    /,
    *,
    archives: tuple[str, ...],
    every: bool,
    fail_on: str | None,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    form: Form,
    wanted: tuple[str, ...],
    baseline: str | None,
    write_baseline: str | None,
    dockerfile: str | None,
    config: str | None,
    **limits: Any,
) -> None:
    """Hold images against the rules, and fail when something new is severe enough.

    Each ARCHIVE has its own outcome; one that cannot be read is an error about that file, and the others are still
    checked.  Without --image and --platform the images for all platforms of an archive are held against the rules.
    With --max-size and its like what the image costs is held against limits, and the step to blame is named.
    Settings stand in [check] of imagepeel.toml or [tool.imagepeel.check] of pyproject.toml in this directory:
    fail-on, select, ignore, baseline, the limits; [[suppress]] accepts a finding for a reason and until a day.  Options
    of the command line come before them.  Exit codes: 0 passed, 1 failed; others say that an image could not be read;
    of several archives the largest.  The same image gives the same bytes.
    """
    options = options_of(config)
    options = GateOptions(
        fail_on=threshold(fail_on) if fail_on else options.fail_on,
        select=select or options.select,
        ignore=ignore or options.ignore,
        baseline=baseline if baseline is not None else options.baseline,
        suppress=options.suppress,
        **{name: given if given is not None else getattr(options, name) for name, given in limits.items()},
    )
    _refuse_contradictions(settings, archives, options, form, every=every, dockerfile=dockerfile)
    files = outputs.read_outputs(wanted, FORMATS)
    beside = [path for path in (settings.html, write_baseline) if path is not None and path != "-"]
    others = (options.against, options.baseline, dockerfile or "", config or "", "imagepeel.toml", "pyproject.toml")
    outputs.keep_apart([*(file.path for file in files), *beside], archives, others)
    from imagepeel.findings.catalogue import select_rules  # start time

    rules = select_rules(options.select, options.ignore)
    gate = _Gate(settings, options, rules, several=len(archives) > 1 or every)
    gate.accept_all = write_baseline is not None
    gate.dockerfile, gate.source = dockerfile or "", dockerfile_of(dockerfile)
    with outputs.opened(files) as written:
        for archive in archives:
            gate.check(archive, every=every)
        run = gate.run()
        output = run if gate.several or not run.outcomes else gate.only(run)
        written.write(lambda name: _text(name, run, output))
        if write_baseline is not None and run.outcomes:
            # What is suppressed has its own reason and end.
            found = [one for one in gate.found if one.key not in gate.suppressed]
            _write_baseline(write_baseline, found)
    settings.json, settings.markdown = settings.json or form == "json", settings.markdown or form == "markdown"
    if settings.html is None and form == "html":
        settings.html = "-"
    if run.outcomes or gate.several or form in REPORTS:
        _show(settings, form, run, output)
    # Damage and mismatches are findings here, and findings decide about the exit code.  That they are accepted
    # does not make what could not be read known.
    settings.finish_findings()
    if gate.raised is not None and not gate.several:
        raise gate.raised
    for error in run.not_checked:
        failures.say(settings, error.message, failures.place(error.archive, error.where), error.hint)
    click.get_current_context().exit(run.exit_code)


class _Gate:
    """The gate at work: archive by archive, each with its outcomes or the error that it ended with."""

    def __init__(self, settings: Settings, options: GateOptions, rules: tuple[Rule, ...], *, several: bool) -> None:
        self.settings = settings
        self.options = options
        self.rules = rules
        self.several = several
        self.budget = budget_of(options)
        self.accepted: Baseline | None = baseline_of(options.baseline)
        self.accept_all = False
        self.dockerfile = self.source = ""
        self.found: list[Finding] = []
        self.suppressed: set[str] = set()
        self.used: list[Suppression] = []
        self.whole = True
        self.raised: ImagepeelError | OSError | None = None
        self._outcomes: list[CheckOutcome] = []
        self._errors: list[NotChecked] = []

    def check(self, archive: str, *, every: bool) -> None:
        """Judge the images of an archive; an error of one is kept, so that the next archive is judged."""
        from imagepeel.results.check import not_checked  # start time

        before = len(self._outcomes)
        try:
            with self.settings.open(archive) as opened:
                for image, beside in self._images(opened, every=every):
                    self._judge(image, beside)
        except ImagepeelError as error:
            self.raised = error
            self._errors.append(not_checked(archive, error, partly=len(self._outcomes) > before))
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            self.raised = error
            self._broken(archive, failures.refusal(error), partly=len(self._outcomes) > before)
        except Exception as error:
            if not self.several:
                raise
            failures.begin(self.settings)
            self._broken(archive, failures.fault(error), partly=len(self._outcomes) > before)
        self.settings.quiet()

    def _broken(self, archive: str, told: tuple[str, str, str], *, partly: bool) -> None:
        """Keep what this machine or imagepeel itself failed with, so that it costs one archive and not the run."""
        from imagepeel.results.check import NotChecked  # start time

        what, where, hint = told
        self._errors.append(
            NotChecked(
                archive=archive,
                error=ImagepeelError.code,
                exit_code=INTERNAL,
                message=what,
                where=where,
                hint=hint,
                partly=partly,
            )
        )

    def run(self) -> CheckRun:
        """Return what came out."""
        from imagepeel.results.check import check_run  # start time

        keys = {finding.key for finding in self.found}
        known = self.accepted.findings if self.accepted is not None and self.several else ()
        stale = [one for one in known if one.key not in keys]
        # What is not there may be in what could not be read.
        selected = {rule.id for rule in self.rules}
        asked = [one for one in self.options.suppress if one.rule in selected] if self.whole else []
        unused = [one for one in asked if not any(one is used for used in self.used)]
        return check_run(self._outcomes, self._errors, stale, unused)

    def only(self, run: CheckRun) -> CheckOutcome:
        """Return the outcome of the only image, with what else is told of several."""
        (outcome,) = run.outcomes
        return msgspec.structs.replace(outcome, unused=run.unused)

    def _images(self, archive: Archive, *, every: bool) -> Iterator[tuple[Image, list[Image]]]:
        """Yield each image that is judged with those that are judged beside it."""
        images = archive.images() if every else []
        for image in images:
            image.scan()
            self.settings.warn_of_unread(image)
            yield image, []
        if not images:
            image = self.settings.scanned(archive)
            yield image, _beside(self.settings, archive, image)

    def _judge(self, image: Image, beside: list[Image]) -> None:
        settings, options, budget = self.settings, self.options, self.budget
        if options.against:
            budget = msgspec.structs.replace(budget or Budget(), against=_against(settings, options.against, image))
        each = msgspec.structs.replace(budget, against=None, growth=None) if budget is not None else None
        # Where several are examined, the outcome says which were not.
        ignored = (*options.ignore, *(("OTHER-PLATFORMS",) if beside else ()))
        own = image.findings(select=options.select, ignore=ignored, budget=budget)
        found = joined(
            own,
            [(one.record.numbered, one.findings(select=options.select, ignore=ignored, budget=each)) for one in beside],
        )
        accepted = make_baseline(found) if self.accept_all else self.accepted
        gate = judge(found, options, accepted, archive=self.settings.archive)
        self.found += found
        self.suppressed.update(finding.key for finding, _ in gate.suppressed)
        self.used += gate.used
        self.whole = self.whole and all(one.knowledge.whole for one in (image, *beside))
        if self.several:
            # What matches nothing of this image may be known of another one.
            gate = msgspec.structs.replace(gate, stale=())
        from imagepeel.present.heading import others_in_words  # start time
        from imagepeel.results.check import check_outcome, source_lines  # start time

        all_of_them = (image, *beside)
        head, *heads = (image_head(one, all_of_them) for one in all_of_them)
        # Of one image alone a finding says it.
        others = others_in_words(head, len(all_of_them)) if beside else ""
        settings.others_told(f"{head.archive}: {others}" if others and self.several else others)
        budgets = spent(image, budget) if budget is not None else ()
        source = (self.dockerfile, source_lines(image, own, self.source)) if self.source else ("", {})
        self._outcomes.append(check_outcome(head, gate, self.rules, tuple(heads), budgets, source=source))
        settings.warn_of_unread(*beside)
        settings.warn_of_layers(*all_of_them, archive=head.archive if self.several else "")
        if gate.passed:
            for one in all_of_them:
                settings.require_read(one)


def _refuse_contradictions(
    settings: Settings,
    archives: tuple[str, ...],
    options: GateOptions,
    form: Form,
    *,
    every: bool,
    dockerfile: str | None,
) -> None:
    """UsageError for options that cannot hold at once."""
    common.only_one_stdin(*archives, options.against)
    for archive in archives:
        if archives.count(archive) > 1:
            raise UsageError(f"{archive} is named twice", hint="name each archive once")
    if every and (settings.reference is not None or settings.platform is not None):
        raise UsageError("--all takes every image", hint="leave out --image and --platform, or --all")
    if options.against and (every or len(archives) > 1):
        raise UsageError(
            "--against is the former version of one image, and several are checked",
            hint="check each ARCHIVE with its own --against, and without --all",
        )
    if dockerfile and (every or len(archives) > 1):
        raise UsageError("--dockerfile is that of one image, and several are checked", hint="check each ARCHIVE alone")
    if options.max_growth and not options.against:
        raise UsageError("--max-growth needs the image to compare with", hint="add --against OLD.tar")
    if form != "text" and (settings.html is not None or settings.markdown):
        raise click.UsageError("choose one of --format, --html and --markdown")


def _against(settings: Settings, path: str, image: Image) -> Against:
    """Return the sizes of the image for the same platform of another archive; all of its layers must be read."""
    common.only_one_stdin(settings.archive, path)
    archive = settings.archive
    with settings.open(path) as opened:
        images = opened.images()
        other = images[0] if len(images) == 1 else opened.image(platform=image.platform or None)
        found = against_of(other, path)
        settings.quiet()
        settings.require_layers(other, "how much the image has grown")
    settings.archive = archive
    return found


def _beside(settings: Settings, archive: Archive, image: Image) -> list[Image]:
    """Return the images for other platforms, all of which are gated where nobody asked for one of them."""
    if settings.reference is not None or settings.platform is not None or not image.record.runnable:
        return []
    numbers = {record.number for record in image.beside}
    return [one for one in archive.images() if one.number in numbers][:MOST_BESIDE]


def _show(settings: Settings, form: Form, run: CheckRun, output: CheckOutput) -> None:
    if form in ("text", "json", "markdown", "html"):
        from imagepeel.present.check import check_document  # start time

        documents.show(settings, "check", output, check_document)
    else:
        click.echo(_text(form, run, output), nl=False)


def _text(form: str, run: CheckRun, output: CheckOutput) -> str:
    """Return what stands in a file of a form, with its last line end."""
    match form:
        case "sarif":
            from imagepeel.render.sarif import check_sarif  # start time

            return check_sarif(run) + "\n"
        case "junit":
            from imagepeel.render.junit import check_junit  # start time

            return check_junit(run)
        case "gitlab":
            from imagepeel.render.code_quality import check_gitlab  # start time

            return check_gitlab(run) + "\n"
        case "github":
            from imagepeel.render.annotations import check_github  # start time

            return check_github(run)
        case "json":
            from imagepeel.render.json import dumps  # start time

            return dumps("check", output) + "\n"
    from imagepeel.present.check import check_document  # start time

    document = check_document(output)
    if form == "html":
        from imagepeel.render.html import document_html  # start time

        return document_html(document) + "\n"
    if form == "markdown":
        from imagepeel.render.markdown import document_markdown  # start time

        return document_markdown(document) + "\n"
    from imagepeel.render.terminal import document_text  # start time

    return document_text(document, width=WIDE) + "\n"


def _write_baseline(path: str, found: list[Finding]) -> None:
    from imagepeel.export.whole_file import replacing  # start time

    with replacing(path) as file:
        file.write(encode_baseline(make_baseline(found)))
