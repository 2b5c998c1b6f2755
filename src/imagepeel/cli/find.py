"""`imagepeel find`: paths by pattern, type, size, mode, owner and time; also those that later layers took away."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import click

from imagepeel.cli import asked, common, completing, documents, listing
from imagepeel.cli.parameter_types import Moment, Size, Units, owner_ids
from imagepeel.cli.settings import Settings
from imagepeel.errors import UsageError
from imagepeel.present.listing import fate, found_document
from imagepeel.render.json_lines import line
from imagepeel.results.head import image_head
from imagepeel.results.listing import find_header, found_entry

if TYPE_CHECKING:
    from imagepeel.results.listing import ListedPath, Place
    from imagepeel.rootfs.search import Hidden, Query
    from imagepeel.rootfs.tree.inode import Inode
    from imagepeel.rootfs.view import Rootfs
    from imagepeel.verbs import Image

_EXAMPLES = (
    "\b\nExamples:\n"
    "  imagepeel find image.tar 'usr/**/*.so*' --larger 1M\n"
    "  imagepeel find image.tar -name '*.so*' -size +1M --sort size -lh\n"
    "  imagepeel find image.tar --setuid --type f -l\n"
    "  imagepeel find image.tar '*.pem' --removed\n"
    "  imagepeel find image.tar --owner www-data --newer 2024-05-01\n"
)
ORDERS = ("path", "size", "time", "layer")
Found = tuple["ListedPath", "Hidden | None"]


@click.command(epilog=_EXAMPLES)
@common.archive
@click.argument("patterns", nargs=-1, metavar="[PATTERN]...")
@click.option(
    "--type",
    "kinds",
    metavar="LETTERS",
    shell_complete=completing.letters,
    help="f file, d dir, l symlink, c char, b block, p fifo; as in fd.",
)
@click.option("-name", "--name", "names", multiple=True, metavar="PATTERN", help="Names that match; all of several.")
@click.option(
    "-size",
    "--size",
    "sizes",
    type=Units(),
    multiple=True,
    metavar="[+-]N[ckMG]",
    help="Files of N units, rounded up, of more (+N) or fewer (-N), as find counts: +10M, -1k, 0.",
)
@click.option("--larger", type=Size(), metavar="SIZE", help="Files of more than SIZE bytes: 1M, 500kB.")
@click.option("--smaller", type=Size(), metavar="SIZE", help="Files of fewer than SIZE bytes.")
@click.option("--setuid", is_flag=True, help="With the set-uid bit.")
@click.option("--setgid", is_flag=True, help="With the set-gid bit.")
@click.option("--writable", is_flag=True, help="Writable by everybody.")
@click.option("--owner", metavar="USER[:GROUP]", help="Owned by a number or by a name of the image's passwd and group.")
@click.option("--newer", type=Moment(), metavar="TIME", help="Modified after: 2024-05-01, 2024-05-01T12:30Z, @SECONDS.")
@click.option("--older", type=Moment(), metavar="TIME", help="Modified before.")
@click.option("--xattr", default="", metavar="PATTERN", help="With an extended attribute: 'security.capability'.")
@click.option("--removed", is_flag=True, help="What a later layer removed or replaced; its bytes are still there.")
@click.option(
    "--sort", type=click.Choice(ORDERS), default="path", help="path; largest, newest or last layer first.  [path]"
)
@click.option("-l", "--long", "long", is_flag=True, help="Mode, links, owner, size, time (UTC), layer.")
@common.human
@click.option("-0", "--null", is_flag=True, help="Only paths, exact bytes, each ended by a NUL byte.")
@common.layer
@common.view
@documents.forms
@common.settings
def command(settings: Settings, /, layer: int | None, **given: Any) -> None:
    """Find paths in the filesystem, in one layer, or among what later layers took away.

    A PATTERN without a slash matches names (`'*.pem'`), another one whole paths from the root (`'usr/**/*.so*'`,
    `**` spans directories); quote it from the shell.  Of several, one must match; every option must hold.  No
    content is read.

    With --layer N: the members of that layer's tar, whiteouts shown as what they remove.  With --removed: each
    version of a path that a later layer removed or replaced (with --layer N, of what layer N ships);
    `imagepeel cat --layer` reads its bytes.

    -name and -size may be written as find has them.  Without --sort nothing is held back until the end.
    """
    from imagepeel.rootfs.search import search  # start time

    removed = given["removed"]
    with settings.open(tables=True) as archive:
        image = settings.scanned(archive)
        rootfs = None if layer is not None and not removed and not given["owner"] else settings.rootfs(image)
        query = _query(rootfs, given)
        found: Iterator[Found]
        if removed:
            assert rootfs is not None
            found = _hidden(image, rootfs, query, layer)
        elif layer is not None:
            found = _members(image, query, layer)
            rootfs = None
        else:
            assert rootfs is not None
            view, nodes = rootfs, search(rootfs, query)
            if _only_paths(settings, given):
                listing.write_lines(_paths(view, nodes))
                settings.finish(image, rootfs=rootfs)
                return
            found = ((listing.row_of_node(view, path, node), None) for path, node in nodes)
        found = _sorted(_sized(_named(found, given["names"]), given["sizes"]), given["sort"])
        if settings.json:
            where: Place = "removed" if removed else "layer" if rootfs is None else "view"
            header = find_header(image, rootfs, query, where=where, layer=layer)
            listing.write_lines(chain([line(header)], (line(found_entry(*each)) for each in found)))
        elif documents.page_asked(settings):
            documents.write_page(settings, found_document(image_head(image), found))
        elif given["null"]:
            _write_null(found)
        else:
            colour = settings.colour(sys.stdout)
            listing.write_lines(_lines(found, long=given["long"], human=given["human"], colour=colour))
        settings.finish(image, rootfs=rootfs)


def _only_paths(settings: Settings, given: dict[str, Any]) -> bool:
    """Say whether nothing but paths is told, in the order of the walk: then a row of each need not be made."""
    more = any(given[name] for name in ("names", "sizes", "long", "null")) or given["sort"] != "path"
    return not (more or settings.json or documents.page_asked(settings) or settings.colour(sys.stdout))


def _paths(rootfs: Rootfs, nodes: Iterable[tuple[bytes, Inode]]) -> Iterator[str]:
    from imagepeel.render.escape import exact  # start time
    from imagepeel.render.listing import short_line  # start time

    for path, node in nodes:
        yield exact(path) if node.kind != "ghost" else short_line(listing.row_of_node(rootfs, path, node), path)


def _named(found: Iterator[Found], names: Sequence[str]) -> Iterator[Found]:
    from imagepeel.rootfs.search import Query, path_matcher  # start time

    wanted = []
    for name in names:
        if "/" in name:
            raise UsageError(f"-name {name} has a slash", hint=f"find ARCHIVE '{name}' matches whole paths")
        matches = path_matcher(Query(patterns=(name,)))
        if matches is not None:
            wanted.append(matches)
    return (each for each in found if all(matches(each[0].path) for matches in wanted)) if wanted else found


def _sized(found: Iterator[Found], sizes: Sequence[Units.Asked]) -> Iterator[Found]:
    if not sizes:
        return found
    return (each for each in found if each[0].kind == "file" and all(one.holds(each[0].size) for one in sizes))


def _sorted(found: Iterator[Found], order: str) -> Iterator[Found]:
    keys: dict[str, Callable[[Found], Any]] = {
        "size": lambda each: -each[0].size,
        "time": lambda each: tuple(-part for part in each[0].mtime or (0, 0)),
        "layer": lambda each: -1 if each[0].layer is None else -each[0].layer,
    }
    return iter(sorted(found, key=keys[order])) if order in keys else found


def _query(rootfs: Rootfs | None, given: dict[str, Any]) -> Query:
    from imagepeel.rootfs.search import LETTERS, Query  # start time

    letters = (given["kinds"] or "").replace(",", "")
    unknown = [letter for letter in letters if letter not in LETTERS]
    if unknown:
        raise UsageError(
            f"there is no type {unknown[0]!r}", hint="types are " + ", ".join(map(" ".join, LETTERS.items()))
        )
    uid, gid = owner_ids(rootfs, given["owner"]) if given["owner"] and rootfs is not None else (None, None)
    bits = 0o4000 * given["setuid"] | 0o2000 * given["setgid"] | 0o002 * given["writable"]
    return Query(
        patterns=tuple(given["patterns"]),
        kinds=tuple(LETTERS[letter] for letter in letters),
        larger=given["larger"],
        smaller=given["smaller"],
        set_bits=bits,
        uid=uid,
        gid=gid,
        newer=given["newer"],
        older=given["older"],
        xattr=given["xattr"],
    )


def _members(image: Image, query: Query, layer: int) -> Iterator[Found]:
    from imagepeel.rootfs.search import search_layer  # start time

    for entry in search_layer(asked.pick_layer(image, layer).table, query):
        yield listing.row_of_entry(entry, layer), None


def _hidden(image: Image, rootfs: Rootfs, query: Query, layer: int | None) -> Iterator[Found]:
    from imagepeel.rootfs.search import search_hidden  # start time

    if layer is not None:
        asked.pick_layer(image, layer)
    for hidden in search_hidden(rootfs, query, layer=layer):
        yield listing.row_of_node(rootfs, hidden.path, hidden.node), hidden


def _lines(found: Iterable[Found], *, long: bool, human: bool, colour: bool) -> Iterator[str]:
    from imagepeel.render.listing import LongLines, short_line  # start time

    lines = LongLines(human=human, colour=colour)
    for row, hidden in found:
        shown = lines.line(row, row.path) if long else short_line(row, row.path, colour=colour)
        yield shown + (f"  [{fate(row, hidden)}]" if hidden is not None else "")


def _write_null(found: Iterable[Found]) -> None:
    out = sys.stdout.buffer
    sys.stdout.flush()
    for row, _ in found:
        out.write((row.raw_name if row.action else row.path) + b"\0")
    out.flush()
