"""Bytes that are shipped for nothing: removed files, copies for one changed bit, caches, files of zeros."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from imagepeel.errors import ImagepeelError
from imagepeel.evidence import layer_label, text
from imagepeel.findings.debris import GIT, Debris, debris_of
from imagepeel.findings.dockerfile_lines import Lines, copied
from imagepeel.findings.finding import Finding, Severity, columns, figure
from imagepeel.findings.names import Hit
from imagepeel.findings.rule import Rule, rule
from imagepeel.rootfs.unreachable import Removed, Repeat, losses
from imagepeel.text import exact, listed, plural

if TYPE_CHECKING:
    from imagepeel.findings.subject import Subject

LEAST = 64 * 1024
"""Bytes below which a repetition is not worth a sentence."""
_MiB, _GiB = 1024**2, 1024**3
_MUCH = 10 * 1024 * 1024
_LITTLE = "less than 10 MiB and than a tenth of the image, or less than 64 KiB"
_LITTLE_OF_MUCH = "less than 10 MiB and than a tenth of the image"


def _scale(subject: Subject, total: int) -> Severity:
    whole = sum(layer.content_size for layer in subject.layers)
    return "low" if total >= _MUCH or total * 10 >= whole else "info"


def _stored(subject: Subject, layer: int, entry: int) -> int:
    return subject.layers[layer].table.stored_size(entry)


@rule(
    "DELETED-BYTES",
    "Removed files are still shipped",
    "low",
    "friends",
    "tooling",
    why="""A layer cannot make another one smaller.  `rm` in a later step adds a whiteout, and every pull still
    transfers the file below it.""",
    fix="remove files in the RUN that makes them, or build in a stage that is thrown away",
    codes="W33",
    of="DELETEDBYTES",
    lesser={_LITTLE: "info"},
    sources="image-spec layer.md Whiteouts",
)
def deleted_bytes(rule: Rule, subject: Subject) -> Iterator[Finding]:
    removed = losses(subject.rootfs).removed
    stored = array("q", (_stored(subject, item.layer, item.entry) for item in removed))
    total = sum(stored)
    if not removed:
        return

    def path(item: Removed) -> bytes:
        return b"/" + subject.layers[item.layer].table.path(item.entry)

    def label(i: int) -> str:
        return f"{text(path(removed[i]))} of {layer_label(removed[i].layer)}, removed by {layer_label(removed[i].by)}"

    most = max(stored)
    largest = max((item for item, value in zip(removed, stored, strict=True) if value == most), key=path)
    gone = subject.whiteout_of(largest.layer, path(largest))
    by = [layer_label(layer) for layer in sorted({item.by for item in removed})]
    least = "" if subject.image.knowledge.layers else "at least "
    yield rule.report(
        f"{least}{plural(len(removed), 'file')} with {exact(total)} {'was' if len(removed) == 1 else 'were'} removed "
        f"by {listed(by)} and {'is' if len(removed) == 1 else 'are'} still shipped",
        subject.at(largest.layer, largest.entry),
        *([subject.place(gone)] if gone is not None else []),
        severity=_scale(subject, total) if total >= LEAST else "info",
        details=_removed_debris(subject, removed, stored),
        figures=[figure("removed and still shipped", "bytes", stored, label)],
    )


def _removed_debris(subject: Subject, removed: Sequence[Removed], stored: Sequence[int]) -> Iterator[str]:
    """Say what of the removed bytes only a build needed: BUILD-DEBRIS tells what is left, and counts none of these."""
    sums: dict[tuple[bytes, Debris], int] = {}
    known: dict[bytes, tuple[bytes, Debris] | None] = {}
    for item, size in zip(removed, stored, strict=True):
        directory = subject.layers[item.layer].table.path(item.entry).rpartition(b"/")[0]
        if directory not in known:
            known[directory] = debris_of(directory)
        if (found := known[directory]) is not None:
            sums[found] = sums.get(found, 0) + size
    for (top, kind), size in sorted(sums.items(), key=lambda pair: (-pair[1], pair[0][0])):
        if size >= LEAST:
            yield f"{exact(size)} of them lay below /{text(top)}: {kind.what}; {kind.fix}"


def _repeats(rule: Rule, subject: Subject, repeats: list[Repeat], done: str) -> Iterator[Finding]:
    by_layer: dict[int, list[Repeat]] = {}
    for repeat in repeats:
        by_layer.setdefault(repeat.layer, []).append(repeat)
    for layer, mine in by_layer.items():
        stored = [_stored(subject, repeat.layer, repeat.entry) for repeat in mine]
        total = sum(stored)
        if total < LEAST:
            continue
        most = max(stored)
        path = subject.layers[layer].table.path
        largest = max(
            (repeat for repeat, value in zip(mine, stored, strict=True) if value == most),
            key=lambda repeat: path(repeat.entry),
        )
        changed = sorted({field for fields in {repeat.fields for repeat in mine} for field in fields})
        what = f" ({listed(changed)})" if changed else ""
        sentence = done.format(fields=what, files=plural(len(mine), "file"))
        fix, dockerfile = _metadata_fix(subject, mine, changed) if changed else ("", ())
        yield rule.report(
            f"layer {layer_label(layer)} {sentence} and ships {exact(total)} again",
            subject.at(largest.layer, largest.entry),
            subject.at(largest.before, largest.copied),
            fix=fix,
            dockerfile=dockerfile,
            severity=_scale(subject, total),
            details=["equal content by size and CRC-32, or by SHA-256 where the scan took it"],
            figures=[figure(f"repeated by {layer_label(layer)}", "bytes", stored, partial(_path_of, subject, mine))],
        )


def _path_of(subject: Subject, repeats: list[Repeat], i: int) -> str:
    repeat = repeats[i]
    return "/" + text(subject.layers[repeat.layer].table.path(repeat.entry))


@rule(
    "METADATA-COPY",
    "One changed bit stores the whole file again",
    "low",
    "weaknesses",
    "tooling",
    why="""Layers hold files, not changes of files.  `chmod` or `chown` in a step of its own copies every file that it
    touches into the new layer.""",
    fix="COPY --chown=USER --chmod=MODE sets both while copying",
    codes="W34",
    lesser={_LITTLE_OF_MUCH: "info"},
    threshold="64 KiB in one layer",
    sources="docker/for-linux#964, apache/gravitino#11533",
)
def metadata_copy(rule: Rule, subject: Subject) -> Iterator[Finding]:
    repeats = [repeat for repeat in losses(subject.rootfs).repeated if repeat.fields]
    yield from _repeats(rule, subject, repeats, "changes only metadata{fields} of {files}")


_ATTRIBUTE_FIX = (
    "set the attribute in the RUN that brings the file, as in `RUN install-it && setcap CAPABILITY FILE`, or copy the "
    "finished file from a build stage: COPY has no option for it"
)


def _metadata_fix(subject: Subject, mine: list[Repeat], changed: list[str]) -> tuple[str, Lines]:
    """What sets the metadata while the file is brought: COPY knows owner and mode, and nothing of attributes."""
    if "xattrs" in changed:
        return _ATTRIBUTE_FIX, ()
    if len(mine) > 1 or not set(changed) <= {"mode", "uid", "gid"}:
        return "", ()
    entry = subject.layers[mine[0].layer].table[mine[0].entry]
    owner = f"--chown={entry.uid}:{entry.gid}"
    return "", copied(text(entry.path), f"{owner} --chmod={entry.mode & 0o7777:04o}")


@rule(
    "IDENTICAL-REWRITE",
    "The same bytes are shipped twice",
    "low",
    "friends",
    "tooling",
    why="""A later step writes a file again with exactly the content that it had: a second COPY of the same tree, a
    package that is installed again, or touch.""",
    fix="leave out the second copy",
    codes="W35",
    lesser={_LITTLE_OF_MUCH: "info"},
    threshold="64 KiB in one layer",
    sources="moby#17876, moby#22810",
)
def identical_rewrite(rule: Rule, subject: Subject) -> Iterator[Finding]:
    repeats = [repeat for repeat in losses(subject.rootfs).repeated if not repeat.fields]
    yield from _repeats(rule, subject, repeats, "writes {files} without a change")


@rule(
    "BUILD-DEBRIS",
    "Caches and repositories of the build are in the image",
    "low",
    "friends",
    "tooling",
    why="""Package lists, download caches and .git serve the build and nobody later.  They make every pull larger, and a
    cache or a .git directory may hold more than anybody meant to publish.""",
    fix="remove them in the RUN that makes them, use cache mounts, and keep .git out with .dockerignore",
    codes="W36",
    lesser={_LITTLE_OF_MUCH: "info"},
    threshold="64 KiB that a container sees below one directory; a git repository from the first byte",
)
def build_debris(rule: Rule, subject: Subject) -> Iterator[Finding]:
    tops: dict[bytes, Debris] = {}
    for layer in subject.layers:
        tops.update(filter(None, map(debris_of, layer.table.dirs)))
    for top, kind in sorted(tops.items()):
        sizes: dict[Hit, int] = {}
        for path, node in subject.rootfs.walk(b"/" + top) if subject.node(b"/" + top) is not None else ():
            if node.is_file and node.layer is not None and node.entry is not None:
                found = debris_of(path.rpartition(b"/")[0][1:])
                if found is not None and found[0] == top:
                    hit = Hit(node.layer, node.entry, b"/" + subject.layers[node.layer].table.path(node.entry))
                    sizes[hit] = _stored(subject, node.layer, node.entry)
        total = sum(sizes.values())
        if total < (1 if kind is GIT else LEAST):
            continue
        parts: dict[str, int] = {}
        for hit, stored in sizes.items():
            label = f"in {layer_label(hit.layer)}"
            parts[label] = parts.get(label, 0) + stored
        yield rule.report(
            f"/{text(top)} ships {exact(total)}: {kind.what}",
            subject.place(max(sizes, key=lambda hit: (sizes[hit], hit))),
            severity="low" if kind is GIT else _scale(subject, total),
            fix=kind.fix,
            figures=[figure(f"/{text(top)}", "bytes", *columns(sorted(parts.items())))],
        )


@rule(
    "SPARSE-MONSTER",
    "A file of holes or zeros becomes enormous when it is copied",
    "medium",
    "weaknesses",
    "operations",
    why="""`useradd` with a high uid extends /var/log/lastlog to hundreds of gigabytes of nothing.  A tar stores it
    small or not at all, but the next tool that copies it without looking for holes fills the disk.""",
    fix="useradd --no-log-init, and truncate /var/log/lastlog and faillog",
    codes="W37",
    lesser={"less than 1 GiB": "low"},
    threshold="1 GiB; 1 MiB of a lastlog or faillog",
    sources="moby#5419, moby#15585, hadolint DL3046",
)
def sparse_monster(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for layer in subject.layers:
        table = layer.table
        for index, extra in table.extras.items():
            holes = table.size(index) - max(0, extra.stored)
            if extra.sparse is None or holes < _MiB:
                continue
            path = text(table[index].path)
            log = path.rpartition("/")[2] in ("lastlog", "faillog")
            if log or holes >= _GiB:
                yield rule.report(
                    f"{path} is {exact(table.size(index))} long and holds {exact(extra.stored)}",
                    subject.at(layer.index, index),
                    severity="" if holes >= _GiB else "low",
                    fix="" if log else f"truncate {path}, or make it when the container starts",
                )
    for hit in subject.names.named(b"lastlog", b"faillog"):
        entry = subject.layers[hit.layer].table[hit.entry]
        if entry.sparse is None and entry.size >= _MiB and _only_zeros(subject, hit.layer, hit.entry):
            yield rule.report(
                f"{text(hit.path)} is {exact(entry.size)}, and its start, its middle and its end are zeros",
                subject.place(hit),
                severity="" if entry.size >= _GiB else "low",
            )


def _only_zeros(subject: Subject, layer: int, entry: int) -> bool:
    """Whether three samples of the file hold nothing but zeros; the whole of it is too long to look at."""
    try:
        file = subject.layers[layer].open(entry)
        return not any(file.pread(at, 65536).strip(b"\0") for at in (0, file.size // 2, max(0, file.size - 65536)))
    except ImagepeelError:
        return False


RULES: tuple[Rule, ...] = (deleted_bytes, metadata_copy, identical_rewrite, build_debris, sparse_monster)
