"""Bytes that are shipped for nothing: removed files, copies for one changed bit, caches, files of zeros."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from imagepeel.errors import ImagepeelError
from imagepeel.evidence import text
from imagepeel.findings.finding import Finding, Part, figure
from imagepeel.findings.rule import Rule, rule
from imagepeel.findings.words import count, listed, size
from imagepeel.formats.tar.header import DIRECTORY
from imagepeel.rootfs.delta import changed_fields, has_uppers, same_content
from imagepeel.rootfs.fold import events

if TYPE_CHECKING:
    from imagepeel.findings.subject import Subject
    from imagepeel.rootfs.inode import Inode

LEAST = 64 * 1024
"""Bytes below which a repetition is not worth a sentence."""
_GiB = 1024**3
_MUCH = 10 * 1024 * 1024

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


class Repeat(NamedTuple):
    """A file that a layer ships although the tree below holds the same content."""

    layer: int
    path: bytes
    before: Inode
    after: Inode
    fields: tuple[str, ...]


class Losses(NamedTuple):
    """What upper layers remove and repeat; each stored file once."""

    removed: list[tuple[int, bytes, Inode]]
    repeated: list[Repeat]
    replaced_by_directory: list[tuple[int, bytes, Inode, Inode]]


def losses(subject: Subject) -> Losses:
    """One walk over what the upper layers touch, shared by the rules of this file and of `merge`."""
    known: Losses | None = subject.cache.get("losses")
    if known is not None:
        return known
    found = Losses([], [], [])
    subject.cache["losses"] = found
    rootfs = subject.rootfs
    if not has_uppers(rootfs) or len(subject.layers) < 2:
        return found
    names: dict[tuple[int, int], int] = {}
    once: set[tuple[int, int | None]] = set()
    # A directory that one layer alone has loses and repeats nothing: it is passed over as a whole.
    for what, index, path, before, after, _ in events(rootfs, lambda directory: None, lone=False):
        if before is None or what == "kept":
            continue
        if after is None or after.kind != before.kind:
            if before.kind == "file" and before.size and before.layer is not None and before.entry is not None:
                key = (before.layer, before.entry)
                names[key] = names.get(key, 0) + 1
                if names[key] == max(1, before.nlink):
                    found.removed.append((index, path, before))
            if after is not None and not before.is_dir and after.is_dir:
                found.replaced_by_directory.append((index, path, before, after))
        elif before.kind == "file" and after.size == before.size and after.size and after.layer == index:
            if same_content(before, after, rootfs.layers) is not True:
                continue
            # One stored file under several names is shipped once.
            if (index, after.entry) not in once:
                once.add((index, after.entry))
                found.repeated.append(Repeat(index, path, before, after, changed_fields(before, after, rootfs.layers)))
    return found


def _scale(subject: Subject, total: int) -> str:
    whole = sum(layer.content_size for layer in subject.layers)
    return "low" if total >= _MUCH or total * 10 >= whole else "info"


def _stored(subject: Subject, node: Inode) -> int:
    assert node.layer is not None and node.entry is not None
    return subject.layers[node.layer].table[node.entry].stored_size


@rule(
    "DELETED-BYTES",
    "Removed files are still shipped",
    "low",
    "friends",
    "tooling",
    """A layer cannot make another one smaller.  `rm` in a later step adds a whiteout, and every pull still transfers
    the file below it.""",
    "remove files in the RUN that makes them, or build in a stage that is thrown away",
    codes="W33, DELETEDBYTES",
    sources="image-spec layer.md Whiteouts",
)
def deleted_bytes(rule: Rule, subject: Subject) -> Iterator[Finding]:
    removed = losses(subject).removed
    parts = [
        Part(label=f"{text(path)} of L{(node.layer or 0) + 1}, removed by L{by + 1}", value=_stored(subject, node))
        for by, path, node in removed
    ]
    total = sum(part.value for part in parts)
    if total < LEAST:
        return
    largest = max(removed, key=lambda item: (_stored(subject, item[2]), item[1]))
    gone = subject.whiteout_of(largest[2].layer or 0, largest[1])
    by = sorted({f"L{layer + 1}" for layer, _, _ in removed}, key=lambda name: int(name[1:]))
    yield rule.found(
        f"{count(len(removed), 'file')} with {size(total)} {'was' if len(removed) == 1 else 'were'} removed by "
        f"{listed(by)} and {'is' if len(removed) == 1 else 'are'} still shipped",
        subject.at(largest[2].layer or 0, largest[2].entry or 0),
        *([subject.place(gone)] if gone is not None else []),
        severity=_scale(subject, total),
        figures=[figure("removed and still shipped", "bytes", parts)],
    )


def _repeats(rule: Rule, subject: Subject, repeats: list[Repeat], done: str) -> Iterator[Finding]:
    by_layer: dict[int, list[Repeat]] = {}
    for repeat in repeats:
        by_layer.setdefault(repeat.layer, []).append(repeat)
    for layer, mine in by_layer.items():
        parts = [Part(label=text(repeat.path), value=_stored(subject, repeat.after)) for repeat in mine]
        total = sum(part.value for part in parts)
        if total < LEAST:
            continue
        largest = max(mine, key=lambda repeat: (repeat.after.size, repeat.path))
        changed = sorted({field for repeat in mine for field in repeat.fields if field != "mtime"})
        what = f" ({listed(changed)})" if changed else ""
        sentence = done.format(fields=what, files=count(len(mine), "file"))
        yield rule.found(
            f"layer L{layer + 1} {sentence} and ships {size(total)} again",
            subject.at(largest.after.layer or 0, largest.after.entry or 0),
            subject.at(largest.before.layer or 0, largest.before.entry or 0),
            severity=_scale(subject, total),
            details=["equal content by size and CRC-32, or by SHA-256 where the scan took it"],
            figures=[figure(f"repeated by L{layer + 1}", "bytes", parts)],
        )


@rule(
    "METADATA-COPY",
    "One changed bit stores the whole file again",
    "low",
    "weaknesses",
    "tooling",
    """Layers hold files, not changes of files.  `chmod` or `chown` in a step of its own copies every file that it
    touches into the new layer.""",
    "COPY --chown=USER --chmod=MODE sets both while copying",
    codes="W34",
    sources="docker/for-linux#964, apache/gravitino#11533",
)
def metadata_copy(rule: Rule, subject: Subject) -> Iterator[Finding]:
    repeats = [r for r in losses(subject).repeated if set(r.fields) - {"mtime"}]
    yield from _repeats(rule, subject, repeats, "changes only metadata{fields} of {files}")


@rule(
    "IDENTICAL-REWRITE",
    "The same bytes are shipped twice",
    "low",
    "friends",
    "tooling",
    """A later step writes a file again with exactly the content that it had: a second COPY of the same tree, a package
    that is installed again, or touch.""",
    "leave out the second copy",
    codes="W35",
    sources="moby#17876, moby#22810",
)
def identical_rewrite(rule: Rule, subject: Subject) -> Iterator[Finding]:
    repeats = [r for r in losses(subject).repeated if not set(r.fields) - {"mtime"}]
    yield from _repeats(rule, subject, repeats, "writes {files} without a change")


@rule(
    "BUILD-DEBRIS",
    "Caches and repositories of the build are in the image",
    "low",
    "friends",
    "tooling",
    """Package lists, download caches and .git serve the build and nobody later.  They make every pull larger, and a
    cache or a .git directory may hold more than anybody meant to publish.""",
    "remove them in the RUN that makes them, use cache mounts, and keep .git out with .dockerignore",
    codes="W36",
)
def build_debris(rule: Rule, subject: Subject) -> Iterator[Finding]:
    wanted = {prefix: (what, fix) for prefix, what, fix in DEBRIS}
    sums: dict[bytes, list[Part]] = {}
    first: dict[bytes, tuple[int, int]] = {}
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
        for index, number in enumerate(table.columns()[0]):
            prefix = of_dir.get(number)
            if prefix is None or table.meta(index).type == DIRECTORY:
                continue
            layer_sums[prefix] = layer_sums.get(prefix, 0) + table[index].stored_size
            first.setdefault(prefix, (layer.index, index))
        for prefix, total in layer_sums.items():
            sums.setdefault(prefix, []).append(Part(label=f"in {layer.label}", value=total))
    for prefix, parts in sorted(sums.items()):
        total = sum(part.value for part in parts)
        git = prefix not in wanted
        if total < (1 if git else LEAST) or subject.node(b"/" + prefix) is None:
            continue
        what, fix = wanted.get(prefix, ("a git repository", "list .git in .dockerignore"))
        yield rule.found(
            f"/{text(prefix)} ships {size(total)}: {what}",
            subject.at(*first[prefix]),
            severity="low" if git else _scale(subject, total),
            fix=fix,
            figures=[figure(f"/{text(prefix)}", "bytes", parts)],
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
    """`useradd` with a high uid extends /var/log/lastlog to hundreds of gigabytes of nothing.  A tar stores it small or
    not at all, but the next tool that copies it without looking for holes fills the disk.""",
    "useradd --no-log-init, and truncate /var/log/lastlog and faillog",
    codes="W37",
    sources="moby#5419, moby#15585, hadolint DL3046",
)
def sparse_monster(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for layer in subject.layers:
        table = layer.table
        for index, extra in table.extras.items():
            if extra.sparse is not None and table.size(index) - max(0, extra.stored) >= _GiB:
                yield rule.found(
                    f"{text(table[index].path)} is {size(table.size(index))} long and holds {size(extra.stored)}",
                    subject.at(layer.index, index),
                )
    for hit in subject.names.named(b"lastlog", b"faillog"):
        entry = subject.layers[hit.layer].table[hit.entry]
        if entry.sparse is None and entry.size >= _GiB and _only_zeros(subject, hit.layer, hit.entry):
            yield rule.found(f"{text(hit.path)} is {size(entry.size)} of zeros", subject.place(hit))


def _only_zeros(subject: Subject, layer: int, entry: int) -> bool:
    """Whether three samples of the file hold nothing but zeros; the whole of it is too long to look at."""
    try:
        file = subject.layers[layer].open(entry)
        return not any(file.pread(at, 65536).strip(b"\0") for at in (0, file.size // 2, max(0, file.size - 65536)))
    except ImagepeelError:
        return False


RULES: tuple[Rule, ...] = (deleted_bytes, metadata_copy, identical_rewrite, build_debris, sparse_monster)
