"""The archive and its documents: what is missing, contradicts itself, or is no image at all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from imagepeel.archive.kinds.kind import INDEX, MANIFEST
from imagepeel.archive.knowledge import ImagePart
from imagepeel.archive.opened import CUT
from imagepeel.archive.records import ConfigState, Description
from imagepeel.archive.select import familiar, not_examined
from imagepeel.evidence import AnomalyCode, Location
from imagepeel.findings.finding import Finding
from imagepeel.findings.rule import Rule, by_notes, rule
from imagepeel.findings.rules.archive.attestation import attestation_disagrees
from imagepeel.findings.rules.archive.framing import NO_YEAR, archive_framing, packer_named, seconds_of
from imagepeel.loading.docker import MOST_LAYERS
from imagepeel.oci.json_document import escaped
from imagepeel.process.engines.registry import CONTAINERD, DOCKER, PODMAN
from imagepeel.text import joined, listed, plural, shortened, stated_and_there

if TYPE_CHECKING:
    from imagepeel.findings.subject import Subject

_TOLD_ELSEWHERE: frozenset[AnomalyCode] = frozenset(
    [
        "TWO-IMAGES",
        "repositories-differ",
        "manifest-shape",
        "layer-count",
        "history-count",
        "layer-size",
        "layer-name",
        "document-damaged",
        "media-type-shape",
        "media-type-conflict",
        "two-copies",
        "oci-manifest-missing",
        "save-cut",
    ]
)
"""Anomalies of documents that have a rule of their own; those of layers are not among these lists."""
_LABELS_ONLY: frozenset[AnomalyCode] = frozenset({"layout-marker", "outer-duplicate", "json-bom"})
"""Noticed by readers and of no consequence."""


@rule(
    "TWO-IMAGES",
    "Two loaders, two images",
    "high",
    "headcount",
    "infosec",
    why="""An archive can hold two descriptions: index.json for OCI tools and manifest.json for Docker.  Docker's
    classic store, crane and dive read only manifest.json, containerd only index.json, podman whichever succeeds first.
    Here the two describe different images: what was scanned is not what starts.  Docker before 1.10 read a third one,
    `repositories`: a script that changes one of them and not the other leaves a stale name behind.""",
    fix="do not load this archive; ask its maker for one that agrees with itself",
    codes="TWOLOADERS",
    lesser={"only the old `repositories` differs": "medium"},
    sources="moby daemon load.go, containerd importer.go, podman libimage/load.go",
    decides="which of the two images is the one that was meant",
)
def two_images(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for note in subject.image.archive.anomalies:
        if note.code == "TWO-IMAGES":
            yield rule.report(note.message, note.where, profiles=(DOCKER, CONTAINERD))
        elif note.code == "repositories-differ":
            yield rule.report(
                note.message, note.where, severity="medium", profiles=(DOCKER, PODMAN),
                fix="write both from the same build, or leave `repositories` out: nobody reads it any more",
            )  # fmt: skip


def _gone(subject: Subject) -> tuple[str, ...]:
    """What is missing, without the layers that only the config counts: of these LAYER-COUNT tells."""
    record = subject.image.record
    counted = any(note.code == "layer-count" for note in (*record.anomalies, *subject.image.archive.anomalies))
    gaps = [gap for gap in record.knowledge.gaps if not (counted and gap.part is ImagePart.LAYER and gap.layer is None)]
    return tuple(gap.name for gap in gaps if gap.name)


def _listed_at(subject: Subject) -> Location:
    """Where the archive names the manifest that it does not hold."""
    descriptor = subject.image.record.descriptor
    member = INDEX if subject.image.archive.members.file(INDEX) is not None else MANIFEST
    return Location(member=member, blob=str(descriptor.digest) if descriptor is not None else None)


@rule(
    "MISSING-PARTS",
    "Parts of the image are not in the archive",
    "high",
    "strengths",
    "deployments",
    why="""The documents list layers whose bytes are elsewhere: a sparse `docker save`, a foreign layer, or a copy that
    broke off.  Loading fails or starts a download, and nothing can be said about the files in them.""",
    fix="save or copy the image again with all its layers",
    codes="MISSINGBLOB",
    sources="moby#49473, kind#3795, image-spec image-layout.md",
)
def missing_parts(rule: Rule, subject: Subject) -> Iterator[Finding]:
    record = subject.image.record
    gone = _gone(subject)
    if not gone and record.lacks_manifest:
        yield rule.report(
            "not in the archive: the manifest that index.json lists; the image is read from manifest.json, and who "
            "reads index.json refuses it",
            _listed_at(subject), fix="save or copy the image again with its manifest", profiles=(CONTAINERD,),
        )  # fmt: skip
        return
    if not gone or subject.image.record.is_described_by(Description.CUT):
        return
    absent = [layer for layer in subject.layers if layer.state == "missing"]
    elsewhere = [layer for layer in subject.layers if layer.state in ("foreign", "encrypted", "unsupported")]
    if subject.image.record.config_state is ConfigState.NONE and gone == ("config",):
        listing = Location(member=subject.image.record.manifest_member or None, blob=subject.image.record.digest)
        message = "nothing names a config, which says what to start"
        yield rule.report(message, listing, fix="build the image again, with a config", profiles=(DOCKER, CONTAINERD))
        return
    documents = [f"its {part}" for part in ("manifest", "config") if part in gone]
    parts = [*documents, *(["all its layers"] if any(part not in ("manifest", "config") for part in gone) else [])]
    only_elsewhere = bool(elsewhere) and not absent and not any(what in gone for what in ("manifest", "config"))
    yield rule.report(
        f"not in the archive: {listed(list(gone))}",
        *[layer.location for layer in (*absent, *elsewhere)][:10],
        *([Location(pointer="/config")] if "config" in gone and not absent else []),
        *([_listed_at(subject)] if "manifest" in gone else []),
        severity="medium" if only_elsewhere else "high",
        fix=f"save or copy the image again with {joined(parts)}" if documents else "",
        profiles=(DOCKER, CONTAINERD),
    )


@rule(
    "SPARSE-SAVE",
    "The archive lists platforms that it does not carry",
    "info",
    "friends",
    "deployments",
    why="""With the containerd store `docker save` copies the whole index and only the platforms that are present on the
    machine.  The others are listed and missing, and tools that want all of them fail.""",
    fix="docker save --platform, or copy with skopeo --all",
    codes="SPARSESAVE",
    sources="moby#49473, kind#3795, diffoci#247",
    decides="which platforms the archive shall carry",
)
def sparse_save(rule: Rule, subject: Subject) -> Iterator[Finding]:
    records = subject.image.archive.records
    gone = [record for record in records if record.kind in ("image", "unknown") and not record.available]
    if not gone or subject.image.record in gone:
        return
    counts = Counter(str(record.platform or f"image {record.number}") for record in gone)
    names = [name if count == 1 else f"{name} ({count} times)" for name, count in counts.items()]
    yield rule.report(
        f"{plural(len(gone), 'listed image')} {'is' if len(gone) == 1 else 'are'} not in the archive: "
        f"{listed(names, 8)}",
        Location(member="index.json", pointer="/manifests"),
    )


@rule(
    "OTHER-PLATFORMS",
    "Other images of the archive were not examined",
    "info",
    "friends",
    "deployments",
    why="""An archive may hold an image for each platform, and a report is about one of them.  What is wrong with
    another one, such as a program for the wrong machine, stays unseen until somebody pulls it there.""",
    fix="imagepeel check without --image and --platform examines all of them",
    sources="image-spec image-index.md",
    decides="which of the images are delivered",
)
def other_platforms(rule: Rule, subject: Subject) -> Iterator[Finding]:
    mine, others = subject.image.record, subject.image.beside
    # That two descriptions differ is a finding of its own.
    two = any(note.code == "TWO-IMAGES" for note in subject.image.archive.anomalies)
    if others and not two:
        yield rule.report(
            not_examined(mine.number, [record.numbered for record in others]),
            Location(member=mine.format.start),
            fix=f"imagepeel check examines all of them; one alone: imagepeel wtf --image '#{others[0].number}'",
        )


@rule(
    "PLATFORM-DISAGREES",
    "The index and the config name different platforms",
    "medium",
    "strengths",
    "deployments",
    why="""Engines choose an image by the platform in the index, and start it by what the config says.  Where the two
    differ, a machine gets an image that was made for another one.""",
    fix="build the index again from the images",
    sources="image-spec image-index.md, config.md",
)
def platform_disagrees(rule: Rule, subject: Subject) -> Iterator[Finding]:
    descriptor = subject.image.record.descriptor
    stated = descriptor.platform if descriptor is not None else None
    config = subject.config
    if stated is None or not subject.paperwork:
        return
    pairs = (
        (stated.os, config.os),
        (stated.architecture, config.architecture),
        (stated.variant, config.variant),
        (stated.os_version, config.os_version),
    )
    if any(one and other and one.lower() != other.lower() for one, other in pairs):
        yield rule.report(
            f"the index says {stated} {stated.os_version}".rstrip()
            + f", the config {config.platform} {config.os_version}".rstrip(),
            Location(member="index.json", pointer=descriptor.pointer if descriptor is not None else None)
            if not subject.image.record.parent
            else Location(blob=subject.image.record.parent),
            subject.pointer("/architecture"),
        )


@rule(
    "DOCUMENTS-DISAGREE",
    "Two documents of the archive say different things of one image",
    "low",
    "friends",
    "deployments",
    why="""Names stand in manifest.json and in annotations of the index, and facts such as the version in annotations of
    the manifest and in labels of the config.  Each tool reads one of them: where they differ, what one person sees is
    not what another one gets.""",
    fix="write both from one source",
    sources="image-spec annotations.md, moby image/tarexport",
    decides="which of the two is right",
)
def documents_disagree(rule: Rule, subject: Subject) -> Iterator[Finding]:
    record = subject.image.record
    listed_names, noted = (
        {familiar(name.text): name for name in record.names if (name.origin == "RepoTags") is of_list}
        for of_list in (True, False)
    )
    # An annotation may have the tag alone.
    known = {*listed_names, *(name.rpartition(":")[2] for name in listed_names)}
    if listed_names and noted and not known & noted.keys():
        one, other = next(iter(listed_names.values())), next(iter(noted.values()))
        yield rule.report(
            f"manifest.json names it {listed(list(listed_names), 3)}, {other.origin} {listed(list(noted), 3)}",
            one.where,
            other.where,
        )
    labels = subject.config.labels or {}
    notes = {**record.annotations, **(getattr(record.manifest, "annotations", None) or {})}
    for key in sorted(labels.keys() & notes.keys()):
        if labels[key] != notes[key]:
            yield rule.report(
                f"{key} is {shortened(notes[key], 60)} in an annotation and {shortened(labels[key], 60)} in a label",
                subject.pointer(f"/config/Labels{escaped(key)}"),
            )


@rule(
    "WRONG-DIGEST",
    "Bytes do not have the digest that names them",
    "high",
    "headcount",
    "infosec",
    why="""A digest is a promise about bytes.  Here the bytes are others: damaged on the way, or exchanged.  containerd
    and podman refuse to load such an image.""",
    fix="fetch the image again, and find out which of the two is right",
    codes="DIGESTMISMATCH",
    sources="image-spec descriptor.md, config.md",
)
def wrong_digest(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for layer in subject.layers:
        wrong = [check for check in layer.checks if check.ok is False and check.what != "size"]
        if wrong:
            said = listed([f"{check.what} {check.stated} is {check.actual}" for check in wrong])
            place = layer.location
            if [check.what for check in wrong] == ["diff_id"]:
                place = subject.pointer(f"/rootfs/diff_ids/{layer.index}")
            yield rule.report(
                f"layer {layer.label} is not what the documents say: {said}",
                place,
                layer.location,
                profiles=(CONTAINERD,),
            )
    for check in subject.image.record.checks:
        if check.wrong_digest:
            sizes = stated_and_there(check.size or 0, check.actual_size or 0) if check.wrong_size else ""
            yield rule.report(
                f"the {check.role} {check.digest or check.member} does not fit its descriptor: {check.actual_digest}"
                + (f"; {sizes}" if sizes else ""),
                check.stated_at,
                profiles=(CONTAINERD,),
            )


@rule(
    "WRONG-SIZE",
    "There are more or fewer bytes than are stated",
    "high",
    "headcount",
    "infosec",
    why="""A descriptor states the size of a blob beside its digest.  Here the digest is right, or cannot be told, and
    the size is not: somebody wrote the descriptor by hand, or the blob was cut.  podman, skopeo and buildah refuse to
    load a config of another size than is stated; of a layer they do not ask, and neither does containerd's import.""",
    fix="state the size that is there, or fetch the image again",
    codes="SIZEMISMATCH",
    sources="image-spec descriptor.md",
)
def wrong_size(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for layer in subject.layers:
        if any(check.what == "digest" and check.ok is False for check in layer.checks):
            continue  # other bytes have another size: WRONG-DIGEST says so
        for check in layer.checks:
            if check.what == "size" and check.ok is False:
                yield rule.report(
                    f"layer {layer.label}: {stated_and_there(int(check.stated), int(check.actual))}",
                    layer.location,
                )
    for document in subject.image.record.checks:
        if document.wrong_size and not document.wrong_digest:
            right = "; its digest is right" if document.actual_digest else ""
            yield rule.report(
                f"the {document.role} {document.digest or document.member}: "
                f"{stated_and_there(document.size or 0, document.actual_size or 0)}{right}",
                document.stated_at,
                profiles=(PODMAN,) if document.role == "config" else (),
            )


@rule(
    "LAYER-COUNT",
    "The config and the manifest list different numbers of layers",
    "high",
    "strengths",
    "deployments",
    why="""Each layer has one DiffID in the config.  Docker and containerd compare the counts and refuse the image.
    podman, skopeo and buildah compare them in an archive of docker save, and take an OCI layout that differs.""",
    fix="build or copy the image again",
    codes="LAYERCOUNT, F61",
    sources="image-spec config.md rootfs",
)
def layer_count(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for note in subject.image.anomalies:
        if note.code == "layer-count":
            places = (note.where, subject.pointer("/rootfs/diff_ids"))
            layout = (note.where.pointer or "").startswith("/layers")
            yield rule.report(
                note.message, *places, profiles=(DOCKER, CONTAINERD) if layout else (DOCKER, CONTAINERD, PODMAN)
            )
            return


@rule(
    "TOO-MANY-LAYERS",
    "The image has more layers than an engine takes",
    "high",
    "strengths",
    "tooling",
    why="""Docker stops at 125 layers, the kernel's overlay at about as many mounts that fit into one page: max depth
    exceeded.""",
    fix="squash layers, or join RUN instructions",
    codes="W39, F41",
    sources="docker/for-linux#414, moby daemon/internal/layer",
)
def too_many_layers(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if len(subject.layers) > MOST_LAYERS:
        yield rule.report(
            f"{plural(len(subject.layers), 'layer')}: Docker takes {MOST_LAYERS} and answers `max depth exceeded`",
            subject.pointer("/rootfs/diff_ids"),
            profiles=(DOCKER,),
        )


@rule(
    "MEDIA-TYPE-LIE",
    "The media type says another compression than the bytes have",
    "high",
    "strengths",
    "tooling",
    why="""Docker, podman and containerd look at the bytes in most cases, umoci trusts the label, and containerd never
    decompresses the plain OCI type.  The same layer unpacks here and fails there.""",
    fix="push the image again with a tool that writes honest media types",
    of="MEDIATYPE",
    sources="image-spec media-types.md, containerd core/images/mediatypes.go",
)
def media_type_lie(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for noted in subject.surprises.of("MEDIATYPE"):
        layer = subject.layers[noted.layer or 0]
        # containerd takes the plain OCI type at its word and fails at the first header.
        fails = layer.media_type == "application/vnd.oci.image.layer.v1.tar"
        for each in noted.notes:
            yield rule.report(
                f"layer {layer.label}: {each.message}",
                each.where,
                severity="high" if fails else "medium",
                profiles=(CONTAINERD,) if fails else (),
            )
    for note in subject.image.record.anomalies:
        if note.code in ("media-type-shape", "media-type-conflict"):
            yield rule.report(note.message, note.where, severity="low")


@rule(
    "COMPRESSED-TAIL",
    "Bytes follow the compressed stream",
    "medium",
    "strengths",
    "tooling",
    why="""Engines that call igzip or unpigz accept bytes behind the last gzip member, Go's own decompressor refuses
    them: whether the image loads depends on what is installed on the host.  Behind other compressions they are
    refused.""",
    fix="build the layer again",
    codes="STREAMTAIL",
    sources="RFC 1952, containerd pkg/archive/compression",
)
def compressed_tail(rule: Rule, subject: Subject) -> Iterator[Finding]:
    for layer in subject.layers:
        for note in layer.anomalies:
            if note.code == "stream-tail":
                yield rule.report(f"layer {layer.label}: {note.message}", note.where)


COMPRESSOR_FILES = rule(
    "COMPRESSOR-FILES",
    "The compressor added files to the image",
    "info",
    "friends",
    "tooling",
    why="""eStargz keeps its table of contents as a file in the tar.  Lazy pullers hide it, ordinary runtimes unpack it
    into the root directory of the container.""",
    fix="harmless; convert to gzip or zstd:chunked to lose it",
    of="STARGZ",
    sources="stargz-snapshotter docs/estargz.md",
    decides="whether lazy pulling is worth the files",
)(by_notes())

CONTENTS_DISAGREE = rule(
    "CONTENTS-DISAGREE",
    "A layer's table of contents tells another story than its tar",
    "medium",
    "headcount",
    "infosec",
    why="""eStargz and zstd:chunked layers carry a second list of their files.  Lazy pullers build the filesystem from
    that list, ordinary engines and scanners from the tar: where the two differ, one layer is two filesystems.""",
    fix="build the layer again with a current tool; do not pull it lazily",
    of="TOCDIFF",
    sources="containers/storage#2014, stargz-snapshotter docs/estargz.md",
    advisories="containers/storage#2014",
)(by_notes())


@rule(
    "SUITCASE",
    "The filesystem of the image is an image archive",
    "medium",
    "friends",
    "deployments",
    why="""`docker import` takes a filesystem, `docker load` an image.  Importing the output of `docker save` makes an
    image whose files are manifest.json, blobs and layer tars: the suitcase was packed into a suitcase.""",
    fix="docker load instead of docker import",
    codes="W65",
    sources="moby#38174, moby#34921, moby#47235",
    decides="whether the archive inside was meant; then that is the file to load",
)
def suitcase(rule: Rule, subject: Subject) -> Iterator[Finding]:
    top = {
        hit.path: hit
        for hit in subject.names.named(b"manifest.json", b"repositories", b"oci-layout", b"index.json")
        if hit.path.count(b"/") == 1
    }
    docker = b"/manifest.json" in top and (b"/repositories" in top or subject.node("/blobs/sha256") is not None)
    layout = b"/oci-layout" in top and b"/index.json" in top
    if docker or layout:
        shown = subject.shown(list(top.values()))
        if shown:
            names = listed([hit.path.decode() for hit in shown])
            yield rule.report(
                f"the root of the filesystem holds {names}: an image archive was imported as a filesystem",
                *[subject.place(hit) for hit in shown],
            )


@rule(
    "NO-PAPERWORK",
    "A filesystem without a config",
    "low",
    "strengths",
    "deployments",
    why="""`docker export` and root filesystem downloads are files only: entrypoint, environment, user and history are
    gone.  Nothing says what to run.""",
    fix="use docker save to keep the config, or docker import --change to set one",
    codes="W66",
    sources="moby#34150, moby#20923",
)
def no_paperwork(rule: Rule, subject: Subject) -> Iterator[Finding]:
    record = subject.image.record
    if record.kind == "rootfs":
        yield rule.report(
            "this is a filesystem and no image: entrypoint, command, environment, user and history were not exported",
            Location(archive_offset=0),
        )


@rule(
    "HISTORY-SILENT",
    "History does not tell which step made which layer",
    "info",
    "friends",
    "tooling",
    why="""History is a text that the builder wrote; the layers are facts.  Here it is missing or names another number
    of layers, so no layer can be traced to a step.""",
    fix="keep history when squashing or importing",
    codes="W73",
    sources="image-spec config.md history",
)
def history_silent(rule: Rule, subject: Subject) -> Iterator[Finding]:
    if not subject.paperwork or _gone(subject):
        return
    if not subject.image.history:
        if subject.layers:
            yield rule.report("the config has no history: no step can be named for any layer", subject.pointer(""))
        return
    for note in subject.image.anomalies:
        if note.code == "history-count":
            yield rule.report(note.message, subject.pointer("/history"))
            return


@rule(
    "ODD-TIME",
    "Times that say nothing, or lie in the future",
    "info",
    "friends",
    "tooling",
    why="""Reproducible builds stamp everything with 1970, or with no time at all, so `docker images` says "54 years
    ago".  Files that are newer than their image come from a wrong clock.""",
    fix="set SOURCE_DATE_EPOCH to the time of the commit",
    codes="W68",
    sources="reproducible-builds.org SOURCE_DATE_EPOCH",
)
def odd_time(rule: Rule, subject: Subject) -> Iterator[Finding]:
    created = subject.config.created
    if not subject.paperwork:
        return
    if created and NO_YEAR.match(created):
        yield rule.report(f"the image says it was made at {created}", subject.pointer("/created"))
        return
    limit = seconds_of(created)
    if limit is None:
        return
    for layer in subject.layers:
        times = layer.table.mtime_seconds
        if times and max(times) > limit + 2 * 86_400 and max(times) < 1 << 33:
            index = times.index(max(times))
            days = (times[index] - limit) // 86_400
            yield rule.report(
                f"{layer.table[index].path.decode('utf-8', 'surrogateescape')} is {days} days newer than the image",
                subject.at(layer.index, index),
                subject.pointer("/created"),
            )


@rule(
    "ODD-DOCUMENTS",
    "A document or the archive breaks a rule",
    "medium",
    "friends",
    "tooling",
    why="""Manifests, configs and the outer tar have rules of their own: one key once, digests that are digests, names
    that stay inside.  Readers differ in what they make of a break, and some refuse.""",
    fix="save the image again with a current tool",
    codes="DOCUMENTS",
    sources="image-spec, RFC 8259",
)
def odd_documents(rule: Rule, subject: Subject) -> Iterator[Finding]:
    notes = dict.fromkeys([*subject.image.record.anomalies, *subject.image.archive.anomalies])
    cut_save = any(note.code == "save-cut" for note in notes)
    for note in notes:
        if note.code in _TOLD_ELSEWHERE or note.code in _LABELS_ONLY or (cut_save and note.code in CUT):
            continue
        fix = "save or fetch the archive again, and compare its size with the original" if note.code in CUT else ""
        if note.code == "outer-trailing-data":
            fix = "cut them off, and keep other output out of the file: docker save -o FILE IMAGE"
        yield rule.report(note.message, note.where, severity="medium" if note.fatal else "low", fix=fix)


RULES: tuple[Rule, ...] = (
    two_images,
    missing_parts,
    sparse_save,
    other_platforms,
    platform_disagrees,
    documents_disagree,
    attestation_disagrees,
    wrong_digest,
    wrong_size,
    layer_count,
    too_many_layers,
    media_type_lie,
    compressed_tail,
    COMPRESSOR_FILES,
    CONTENTS_DISAGREE,
    suitcase,
    no_paperwork,
    history_silent,
    odd_time,
    packer_named,
    archive_framing,
    odd_documents,
)
