"""`imagepeel check`: the gate for CI."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import click
import msgspec

from imagepeel.cli import common, documents
from imagepeel.cli.settings import Settings
from imagepeel.errors import ANSWER_IS_NO, UsageError
from imagepeel.findings.budget import Against, Budget, against_of, read_bound, read_size, spent
from imagepeel.findings.gate import (
    THRESHOLDS,
    Baseline,
    GateOptions,
    joined,
    judge,
    make_baseline,
    read_baseline,
    read_options,
    threshold,
)
from imagepeel.findings.gate import (
    write_baseline as encode_baseline,
)
from imagepeel.results.head import image_head

if TYPE_CHECKING:
    from imagepeel.api import Archive
    from imagepeel.verbs import Image

Form = Literal["text", "json", "sarif", "junit", "github", "markdown"]
FORMATS: tuple[Form, ...] = get_args(Form)
MOST_BESIDE = 63
"""Further images of an archive that are examined; the outcome names the rest."""

_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel check image.tar\n"
    "  imagepeel check image.tar --fail-on medium --format sarif > imagepeel.sarif\n"
    "  imagepeel check image.tar --write-baseline known.json\n"
    "  imagepeel check image.tar --baseline known.json --format github\n"
)


@click.command(epilog=_EXAMPLES)
@common.archive
@click.option("--fail-on", type=click.Choice(THRESHOLDS), help="Exit with 1 on new findings this severe.  [high]")
@common.rules
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", help="What to write.  [text]")
@click.option("--max-size", metavar="SIZE", help="Fail when the layers unpack to more: 500MB, 1.5G.")
@click.option("--max-waste", metavar="SIZE|%", help="Fail when more bytes are unreachable: 20MB, 5%.")
@click.option("--max-layers", metavar="N", type=click.IntRange(0), help="Fail when there are more layers.")
@click.option("--max-growth", metavar="SIZE|%", help="Fail when the layers have grown by more since --against.")
@click.option("--against", metavar="ARCHIVE", type=click.Path(), help="The image that growth is measured from.")
@click.option("--baseline", metavar="FILE", type=click.Path(), help="Findings that are known and accepted.")
@click.option("--write-baseline", metavar="FILE", type=click.Path(), help="Accept what is found now, and exit with 0.")
@click.option("--config", metavar="FILE", type=click.Path(), help="Settings, instead of those of this directory.")
@documents.forms
@common.settings
def command(
    settings: Settings,
    /,
    *,
    fail_on: str | None,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    form: Form,
    baseline: str | None,
    write_baseline: str | None,
    config: str | None,
    **limits: Any,
) -> None:
    """Hold an image against the rules, and fail when something new is severe enough.

    Without --image and --platform the images for all platforms of the archive are held against them.
    With --max-size and its like what the image costs is held against limits, and the step to blame is named.
    Settings stand in [check] of imagepeel.toml or [tool.imagepeel.check] of pyproject.toml in this directory:
    fail-on, select, ignore, baseline, the limits.  Options of the command line come before them.  Exit codes: 0
    passed, 1 failed; others say that the image could not be read.  The same image gives the same bytes.
    """
    options = _options(config)
    options = GateOptions(
        fail_on=threshold(fail_on) if fail_on else options.fail_on,
        select=select or options.select,
        ignore=ignore or options.ignore,
        baseline=baseline if baseline is not None else options.baseline,
        **{name: given if given is not None else getattr(options, name) for name, given in limits.items()},
    )
    budget = _budget(options)
    if form != "text" and (settings.html is not None or settings.markdown):
        raise click.UsageError("choose one of --format, --html and --markdown")
    settings.json = settings.json or form == "json"
    settings.markdown = settings.markdown or form == "markdown"
    from imagepeel.findings.catalogue import select_rules  # start time

    rules = select_rules(options.select, options.ignore)
    accepted = _baseline(options.baseline)
    if write_baseline is not None:
        settings.keep_archive(write_baseline)
    with settings.open() as archive:
        image = settings.scanned(archive)
        if options.against:
            budget = msgspec.structs.replace(budget or Budget(), against=_against(settings, options.against, image))
        each = msgspec.structs.replace(budget, against=None, growth=None) if budget is not None else None
        beside = _beside(settings, archive, image)
        # Where several are examined, the outcome says which were not.
        ignored = (*options.ignore, *(("OTHER-PLATFORMS",) if beside else ()))
        found = joined(
            image.findings(select=options.select, ignore=ignored, budget=budget),
            [(one.record.numbered, one.findings(select=options.select, ignore=ignored, budget=each)) for one in beside],
        )
        if write_baseline is not None:
            _write(write_baseline, found)
            accepted = make_baseline(found)
        gate = judge(found, options, accepted)
        from imagepeel.present.heading import others_in_words  # start time
        from imagepeel.results.check import check_outcome  # start time

        all_of_them = (image, *beside)
        head, *heads = (image_head(one, all_of_them) for one in all_of_them)
        # Of one image alone a finding says it.
        settings.others_told(others_in_words(head, len(all_of_them)) if beside else "")
        budgets = spent(image, budget) if budget is not None else ()
        _show(settings, form, check_outcome(head, gate, rules, tuple(heads), budgets))
        settings.warn_of_layers(*all_of_them)
        # Damage and mismatches are findings here, and findings decide about the exit code.  That they are accepted
        # does not make what could not be read known.
        settings.finish_findings()
        for one in (image, *beside) if gate.passed else ():
            settings.require_read(one)
    if not gate.passed:
        click.get_current_context().exit(ANSWER_IS_NO)


def _budget(options: GateOptions) -> Budget | None:
    """Return the limits that were set, None without any.  UsageError for a word that is no limit."""
    if options.max_growth and not options.against:
        raise UsageError("--max-growth needs the image to compare with", hint="add --against OLD.tar")
    if not (options.max_size or options.max_waste or options.max_layers is not None or options.max_growth):
        return None
    return Budget(
        size=read_size(options.max_size, "--max-size") if options.max_size else None,
        waste=read_bound(options.max_waste, "--max-waste") if options.max_waste else None,
        layers=options.max_layers,
        growth=read_bound(options.max_growth, "--max-growth") if options.max_growth else None,
    )


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


def _show(settings: Settings, form: Form, outcome: Any) -> None:
    match form:
        case "sarif":
            from imagepeel.render.sarif import check_sarif  # start time

            click.echo(check_sarif(outcome))
        case "junit":
            from imagepeel.render.junit import check_junit  # start time

            click.echo(check_junit(outcome), nl=False)
        case "github":
            from imagepeel.render.annotations import check_github  # start time

            click.echo(check_github(outcome), nl=False)
        case _:
            from imagepeel.present.findings import check_document  # start time

            documents.show(settings, "check", outcome, check_document)


def _options(config: str | None) -> GateOptions:
    """Return the settings of a file, or of this directory; the defaults where there are none."""
    places = [Path(config)] if config is not None else [Path("imagepeel.toml"), Path("pyproject.toml")]
    for path in places:
        if config is None and not path.is_file():
            continue
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}", hint="check the path") from error
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise UsageError(f"{path} is no TOML: {error}", hint="correct the file") from error
        table: Any = document
        for name in ("tool", "imagepeel", "check") if path.name == "pyproject.toml" else ("check",):
            table = table.get(name) if isinstance(table, dict) else None
        if isinstance(table, dict):
            return read_options(table, str(path))
    return GateOptions()


def _baseline(path: str) -> Baseline | None:
    if not path:
        return None
    try:
        return read_baseline(Path(path).read_bytes(), path)
    except OSError as error:
        raise UsageError(
            f"the baseline {path} cannot be read: {error.strerror}", hint="write one with --write-baseline"
        ) from error


def _write(path: str, found: Any) -> None:
    from imagepeel.export.whole_file import replacing  # start time

    with replacing(path) as file:
        file.write(encode_baseline(make_baseline(found)))
