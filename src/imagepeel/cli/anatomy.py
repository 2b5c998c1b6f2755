"""`imagepeel anatomy`: every byte accounted for, and the headers of one entry byte by byte."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from imagepeel._lazy import late
from imagepeel.cli import asked, common, documents
from imagepeel.cli.settings import Settings
from imagepeel.errors import NotFound

if TYPE_CHECKING:
    from imagepeel.results.anatomy import AnatomyResult
    from imagepeel.verbs import Image

_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel anatomy image.tar\n"
    "  imagepeel anatomy image.tar L3\n"
    "  imagepeel anatomy image.tar L3:/usr/bin/env\n"
    "  imagepeel anatomy image.tar manifest.json --field size\n"
    "  imagepeel anatomy image.tar L3:/usr/bin/env --at 124\n"
)
_LAYER = late(r"[Ll]([1-9][0-9]{0,8})(?::(.*))?")
_MOST = 40


@click.command(epilog=_EXAMPLES)
@common.archive
@click.argument("what", required=False, metavar="[WHAT]")
@click.option("--field", "name", metavar="NAME", help="Only the fields of that name.")
@click.option("--at", "offset", metavar="N", type=click.IntRange(0), help="Only the field with that byte of a header.")
@click.option("--all", "everything", is_flag=True, help="Name every entry.")
@common.receipts("Below the fields, the shell command that prints the bytes of each.")
@documents.forms
@common.settings
def command(
    settings: Settings, *, what: str | None, name: str | None, offset: int | None, everything: bool, receipts: bool
) -> None:
    """Every byte accounted for: headers, content, padding, end; and one header byte by byte.

    Without WHAT: the archive, member by member, and its layers.  L3 is a layer, entry by entry.  L3:PATH is one entry
    of it, and any other word a member of the archive: its header with every field named, decoded and explained.  A JSON
    document of the archive follows value by value, beside the digest that names it; the field of a value is called by
    its JSON pointer, as in --field /config/digest.

    The numbers of each table add up to the size of the file, or of the layer.
    """
    with settings.open() as archive:
        image = settings.scanned(archive)
        result = _asked(image, what)
        if name is not None or offset is not None:
            result = _narrowed(result, name, offset)
        from imagepeel.present.anatomy import anatomy_document  # start time

        most = 0 if everything else _MOST
        documents.show(
            settings,
            "anatomy",
            result,
            lambda found: anatomy_document(found, most=most),
            receipts=receipts or name is not None or offset is not None,
            width=max(settings.width, 100),
        )
        settings.finish(image)


def _asked(image: Image, what: str | None) -> AnatomyResult:
    from imagepeel.results import anatomy  # start time

    if what is None:
        return anatomy.anatomy_of_archive(image)
    found = _LAYER.fullmatch(what)
    if found is None:
        return anatomy.anatomy_of_member(image, what)
    layer = asked.pick_layer(image, int(found[1]) - 1)
    if found[2] is None:
        return anatomy.anatomy_of_layer(image, layer)
    return anatomy.anatomy_of_entry(image, layer, asked.layer_entry(image, layer, asked.absolute(found[2])))


def _narrowed(result: AnatomyResult, name: str | None, offset: int | None) -> AnatomyResult:
    """Return the same with the fields that were asked for.  NotFound without any."""

    def wanted(field_name: str, start: int, size: int) -> bool:
        return (name is None or field_name == name) and (offset is None or start <= offset < start + size)

    fields = tuple(field for field in result.fields if wanted(field.name, field.offset, field.size))
    content = tuple(field for field in result.content if wanted(field.name, field.offset, field.size))
    if offset is not None and name is None:
        content = ()
    if not fields and not content:
        names = ", ".join(dict.fromkeys(field.name for field in (*result.fields, *result.content)))
        hint = f"its fields are {names}" if names else "fields are those of an entry: L1:PATH, or a member"
        raise NotFound(f"no field {name}" if name is not None else f"no field has byte {offset}", hint=hint)
    found = msgspec.structs.replace(result, fields=fields, content=content)
    return found if content else msgspec.structs.replace(found, digest="", digest_proof=None, named=())
