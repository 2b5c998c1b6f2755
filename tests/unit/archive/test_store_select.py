from __future__ import annotations

import json

import pytest
from store_archives import (
    LAYER,
    LAYER2,
    OCI_INDEX,
    config,
    descriptor,
    docker_save,
    js,
    layout,
    manifest,
    one_image,
    opened,
    sha,
)

from imagepeel.archive.opened import OpenArchive
from imagepeel.archive.select import Choice, familiar, host_platform, normalise_reference, parse_platform, select
from imagepeel.errors import Ambiguous, NotFound, UsageError

NAME = "org.opencontainers.image.ref.name"
FULL = "io.containerd.image.name"
PLATFORMS = [
    ("linux", "amd64", ""),
    ("linux", "arm", "v6"),
    ("linux", "arm", "v7"),
    ("linux", "arm64", ""),
    ("windows", "amd64", ""),
]


def multi(*platforms: tuple[str, str, str], present: int | None = None, complete: int | None = None) -> OpenArchive:
    """Return an archive with one image per platform under the name app:1; only some have their blobs."""
    blobs, listed = [LAYER], []
    for number, (os, architecture, variant) in enumerate(platforms or PLATFORMS):
        configuration = config(LAYER, os=os, architecture=architecture, variant=variant)
        document = manifest(configuration, LAYER)
        if present is None or number < present:
            blobs.append(document)
            if complete is None or number < complete:
                blobs.append(configuration)
        platform = {"os": os, "architecture": architecture, **({"variant": variant} if variant else {})}
        listed.append(descriptor(document, platform=platform))
    index = js({"mediaType": OCI_INDEX, "manifests": listed})
    names = {FULL: "docker.io/library/app:1", NAME: "1"}
    return opened(layout(*blobs, index, manifests=[descriptor(index, OCI_INDEX, annotations=names)]))


def named(*names: str) -> OpenArchive:
    """Return an archive with one image per name, each another one, all for one platform."""
    blobs, listed = [LAYER], []
    for number, name in enumerate(names):
        configuration = config(LAYER, author=str(number))
        document = manifest(configuration, LAYER)
        blobs += [configuration, document]
        listed.append(descriptor(document, annotations={NAME: name}))
    return opened(layout(*blobs, manifests=listed))


def choose(
    container: OpenArchive, reference: str | None = None, platform: str | None = None, host: str = "linux/amd64"
) -> Choice:
    return select(container.records, reference, platform, indexes=container.indexes, host=host)


def test_the_only_image_is_chosen_and_the_reason_said() -> None:
    choice = choose(opened(one_image()))
    assert (choice.record.number, choice.reason) == (1, "it is the only image")


def test_attestations_are_no_candidates() -> None:
    configuration = config(LAYER)
    image = manifest(configuration, LAYER)
    other = manifest(configuration, LAYER2)
    marks = {"vnd.docker.reference.type": "attestation-manifest"}
    container = opened(
        layout(LAYER, LAYER2, configuration, image, other,
               manifests=[descriptor(other, annotations=marks), descriptor(image)])
    )  # fmt: skip
    assert choose(container).record.number == 2
    assert choose(container, "#1").record.kind == "attestation"


def test_the_only_present_then_the_only_complete_image_is_chosen() -> None:
    choice = choose(multi(present=1))
    assert (choice.record.number, "manifest is in the archive" in choice.reason) == (1, True)
    choice = choose(multi(present=3, complete=1), host="linux/arm64")
    assert (choice.record.number, "only complete" in choice.reason) == (1, True)


def test_the_platform_of_this_machine_decides_last() -> None:
    choice = choose(multi(), host="linux/arm64")
    assert str(choice.record.platform) == "linux/arm64"
    assert "this machine" in choice.reason
    with pytest.raises(Ambiguous) as caught:
        choose(multi(), host="linux/s390x")
    assert "#1" in caught.value.hint
    assert "linux/arm/v7" in caught.value.hint


def test_two_images_for_one_platform_are_ambiguous_and_listed() -> None:
    container = named("a:1", "b:2")
    with pytest.raises(Ambiguous) as caught:
        choose(container)
    assert "#1 a:1" in caught.value.hint
    assert "#2 b:2" in caught.value.hint
    assert choose(container, "b:2").record.number == 2


@pytest.mark.parametrize(
    ("platform", "chosen"),
    [
        ("linux/amd64", "linux/amd64"),
        ("amd64", "linux/amd64"),
        ("x86_64", "linux/amd64"),
        ("linux/arm64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("aarch64", "linux/arm64"),
        ("linux/arm/v7", "linux/arm/v7"),
        ("linux/arm", "linux/arm/v7"),
        ("linux/arm/v6", "linux/arm/v6"),
        ("armhf", "linux/arm/v7"),
        ("windows/amd64", "windows/amd64"),
        ("LINUX/AMD64", "linux/amd64"),
    ],
)
def test_a_platform_chooses_the_nearest_variant_that_runs(platform: str, chosen: str) -> None:
    assert str(choose(multi(), platform=platform).record.platform) == chosen


def test_a_newer_machine_runs_older_variants_and_not_the_reverse() -> None:
    only_v6 = multi(("linux", "arm", "v6"))
    assert choose(only_v6, platform="linux/arm/v7").record.number == 1
    with pytest.raises(NotFound, match="linux/arm/v5"):
        choose(only_v6, platform="linux/arm/v5")
    levels = multi(("linux", "amd64", "v1"), ("linux", "amd64", "v3"))
    assert str(choose(levels, platform="linux/amd64/v2").record.platform) == "linux/amd64/v1"
    assert str(choose(levels, platform="linux/amd64/v4").record.platform) == "linux/amd64/v3"


def test_a_platform_that_is_not_there_lists_those_that_are() -> None:
    with pytest.raises(NotFound) as caught:
        choose(multi(), platform="linux/s390x")
    assert "linux/arm/v6" in caught.value.hint
    for text in ("", "a//b", "a/b/c/d", "/"):
        with pytest.raises(UsageError):
            parse_platform(text)


@pytest.mark.parametrize(
    "reference", ["app:1", "docker.io/library/app:1", "library/app:1", "1", "app", "index.docker.io/library/app:1"]
)
def test_a_name_is_found_in_full_in_short_and_by_its_tag(reference: str) -> None:
    choice = choose(multi(), reference, "linux/arm64")
    assert str(choice.record.platform) == "linux/arm64"


@pytest.mark.parametrize("reference", ["app:2", "other", "quay.io/library/app:1", "#9", "deadbeef", "@", "sha256:"])
def test_what_is_not_there_is_not_found_and_the_offer_listed(reference: str) -> None:
    with pytest.raises(NotFound) as caught:
        choose(multi(), reference)
    assert "#1" in caught.value.hint


def test_podman_and_docker_spellings_of_one_name_meet() -> None:
    for stored in ("alpine:3.14", "docker.io/library/alpine:3.14", "index.docker.io/library/alpine:3.14"):
        container = opened(docker_save(tags=[stored]))
        for asked in ("alpine:3.14", "docker.io/alpine:3.14", "docker.io/library/alpine:3.14", "3.14"):
            assert choose(container, asked).record.number == 1


def test_a_number_a_digest_or_the_start_of_one_chooses() -> None:
    container = named("a:1", "b:2")
    second = container.records[1]
    digest, identity = second.digest or "", second.image_id or ""
    for reference in (
        "#2",
        "2",
        digest,
        digest[7:],
        digest[:20],
        digest[7:15],
        identity,
        identity[7:19],
        f"b@{digest}",
        f"b:2@{digest}",
    ):
        assert choose(container, reference).record.number == 2, reference
    assert "number 2" in choose(container, "#2").reason


def test_a_start_that_two_digests_share_is_ambiguous() -> None:
    records = {}
    for number in range(400):
        configuration = config(LAYER, author=str(number))
        document = manifest(configuration, LAYER)
        records.setdefault(sha(document)[7:11], []).append((configuration, document))
        if len(records[sha(document)[7:11]]) == 2:
            break
    prefix, pair = next(((k, v) for k, v in records.items() if len(v) == 2), ("", []))
    if not pair:
        pytest.skip("no two of these digests share their first digits")
    container = opened(layout(LAYER, *pair[0], *pair[1], manifests=[descriptor(d) for _, d in pair]))
    with pytest.raises(Ambiguous):
        choose(container, prefix)


def test_the_digest_of_an_index_stands_for_its_images() -> None:
    container = multi()
    index = container.indexes[1].digest
    assert str(choose(container, index, "windows/amd64").record.platform) == "windows/amd64"


def test_the_same_name_twice_is_ambiguous() -> None:
    with pytest.raises(Ambiguous, match="2 images"):
        choose(named("1.0.0", "1.0.0"), "1.0.0")


def test_one_image_that_is_listed_twice_is_one_choice() -> None:
    files = docker_save(tags=["a:1"])
    (item,) = json.loads(files["manifest.json"])
    container = opened({**files, "manifest.json": js([item, {**item, "RepoTags": ["b:1"]}])})
    assert len(container.records) == 2
    assert choose(container).record.number == 1
    assert choose(container, "b:1").record.number == 2


def test_an_archive_without_images_says_so() -> None:
    with pytest.raises(NotFound, match="names no image"):
        choose(opened(layout(manifests=[])))


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("alpine", "docker.io/library/alpine:latest"),
        ("alpine:3", "docker.io/library/alpine:3"),
        ("user/app", "docker.io/user/app:latest"),
        ("localhost/app:1", "localhost/app:1"),
        ("localhost:5000/app", "localhost:5000/app:latest"),
        ("ghcr.io/a/b/c:1", "ghcr.io/a/b/c:1"),
        ("index.docker.io/app:1", "docker.io/library/app:1"),
        ("app@sha256:" + "0" * 64, "docker.io/library/app@sha256:" + "0" * 64),
        ("Reg/app:1", "Reg/app:1"),
    ],
)
def test_names_are_completed_as_docker_does(name: str, full: str) -> None:
    assert normalise_reference(name) == full
    assert normalise_reference(full) == full


def test_names_are_shown_short() -> None:
    assert familiar("docker.io/library/alpine:3") == "alpine:3"
    assert familiar("docker.io/user/app:1") == "user/app:1"
    assert familiar("quay.io/a/b:1") == "quay.io/a/b:1"
    assert familiar("latest") == "latest"


def test_the_platform_of_this_machine_is_always_linux() -> None:
    assert parse_platform(host_platform()).os == "linux"
