"""Bytes that are shipped for nothing: removed files, copies for one changed bit, caches, files of zeros."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from imagepeel.errors import ImagepeelError
from imagepeel.evidence import layer_label, text
from imagepeel.findings.dockerfile_lines import Lines, copied
from imagepeel.findings.finding import Finding, Severity, columns, figure
from imagepeel.findings.rule import Rule, rule
from imagepeel.formats.tar.header import DIRECTORY
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

DEBRIS: tuple[tuple[bytes, str, str], ...] = (
    (b"var/lib/apt/lists", "package lists of apt", "rm -rf /var/lib/apt/lists/* in the same RUN"),
    (b"var/cache/apt", "package cache of apt", "apt-get clean in the same RUN"),
    (b"var/cache/apk", "package cache of apk", "apk add --no-cache"),
    (b"var/cache/dnf", "package cache of dnf", "dnf clean all in the same RUN"),
    (b"var/cache/yum", "package cache of yum", "yum clean all in the same RUN"),
    (b"var/cache/zypp", "package cache of zypper", "zypper clean --all in the same RUN"),
    (b"root/.cache/pip", "cache of pip", "pip install --no-cache-dir"),
    (b"root/.cache/uv", "cache of uv", "uv --no-cache"),
    (b"root/.npm/_cacache", "cache of npm", "npm cache clean --force in the same RUN, or a cache mount"),
    (b"usr/local/share/.cache/yarn", "cache of Yarn", "yarn cache clean in the same RUN"),
    (b"root/.m2/repository", "repository of Maven", "build in a stage that is thrown away"),
    (b"root/.gradle/caches", "cache of Gradle", "build in a stage that is thrown away"),
    (b"root/.cargo/registry", "registry of Cargo", "build in a stage that is thrown away"),
    (b"go/pkg/mod/cache", "module cache of Go", "build in a stage that is thrown away"),
    (b"root/.cache/go-build", "build cache of Go", "build in a stage that is thrown away"),
)
"""Directories that only a build needs, what they are, and how to leave them out."""
_PREFIXES = tuple(prefix for prefix, _, _ in DEBRIS)


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
    stored = [_stored(subject, item.layer, item.entry) for item in removed]
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
        figures=[figure("removed and still shipped", "bytes", stored, label)],
    )


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
    threshold="64 KiB below one directory; a git repository from the first byte",
)
def build_debris(rule: Rule, subject: Subject) -> Iterator[Finding]:
    wanted = {prefix: (what, fix) for prefix, what, fix in DEBRIS}
    sums: dict[bytes, list[tuple[str, int]]] = {}
    largest: dict[bytes, tuple[int, int, int]] = {}
    for layer in subject.layers:
        table = layer.table
        of_dir: dict[int, bytes] = {}
        for number, directory in enumerate(table.dirs):
            if not directory.startswith(_PREFIXES) and b".git" not in directory:
                continue
            prefix = _debris_of(directory, wanted)
            if prefix is not None:
                of_dir[number] = prefix
        if not of_dir:
            continue
        layer_sums: dict[bytes, int] = {}
        for index, number in enumerate(table.dir_ids):
            prefix = of_dir.get(number)
            if prefix is None or table.meta(index).type == DIRECTORY:
                continue
            stored = table.stored_size(index)
            layer_sums[prefix] = layer_sums.get(prefix, 0) + stored
            if stored > largest.get(prefix, (-1, 0, 0))[0]:
                largest[prefix] = (stored, layer.index, index)
        for prefix, total in layer_sums.items():
            sums.setdefault(prefix, []).append((f"in {layer.label}", total))
    for prefix, parts in sorted(sums.items()):
        total = sum(value for _, value in parts)
        git = prefix not in wanted
        if total < (1 if git else LEAST) or subject.node(b"/" + prefix) is None:
            continue
        what, fix = wanted.get(prefix, ("a git repository", "list .git in .dockerignore"))
        yield rule.report(
            f"/{text(prefix)} ships {exact(total)}: {what}",
            subject.at(*largest[prefix][1:]),
            severity="low" if git else _scale(subject, total),
            fix=fix,
            figures=[figure(f"/{text(prefix)}", "bytes", *columns(parts))],
        )


def _debris_of(directory: bytes, wanted: dict[bytes, tuple[str, str]]) -> bytes | None:
    for prefix in wanted:
        if directory == prefix or directory.startswith(prefix + b"/"):
            return prefix
    parts = directory.split(b"/")
    if b".git" in parts:
        at = parts.index(b".git")
        if len(parts) > at + 1 and parts[at + 1] in (b"objects", b"refs"):
            return b"/".join(parts[: at + 1])
    return None


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
