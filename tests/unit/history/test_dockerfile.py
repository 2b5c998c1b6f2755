"""Every builder's words for a step, written down from their sources and real images, and what they must become."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import imagepeel
from effort import steps
from imagepeel.history.builders import go_list, read_step
from imagepeel.history.dockerfile import LayerFacts, RebuiltDockerfile, rebuild_dockerfile, render
from imagepeel.history.pairing import pair_history
from imagepeel.oci.config import Healthcheck, HistoryStep, ImageConfig, RunConfig

IMAGES = Path(__file__).parents[3].parent / "shared" / "images"
BUILDKIT = "buildkit.dockerfile.v0"
D = "file:139c3708fb6261126453e34483abd8bf7b26ed16d952fd976994d68e72d93be2"


def step(created_by: str, comment: str = "", author: str = "", empty: bool = False) -> HistoryStep:
    return HistoryStep(created_by=created_by, comment=comment, author=author, empty_layer=empty)


@pytest.mark.parametrize(
    ("created_by", "keyword", "text", "confidence", "shell", "arguments"),
    [
        ("/bin/sh -c apk add  curl", "RUN", "apk add  curl", "exact", ("/bin/sh", "-c"), ()),
        ("|1 A=b /bin/sh -c make", "RUN", "make", "exact", ("/bin/sh", "-c"), ("A=b",)),
        ("|2 A=b c C=d e f /bin/sh -c x", "RUN", "x", "exact", ("/bin/sh", "-c"), ("A=b c", "C=d e f")),
        ("|0 /bin/sh -c x", "RUN", "x", "exact", ("/bin/sh", "-c"), ()),
        ("|1 A=/bin/sh -c x /bin/sh -c y", "RUN", "y", "exact", ("/bin/sh", "-c"), ("A=/bin/sh -c x",)),
        ("/bin/bash -o pipefail -c a | b", "RUN", "a | b", "likely", ("/bin/bash", "-o", "pipefail", "-c"), ()),
        ("|1 V=1.2 /bin/busybox ln -s a b", "RUN", "/bin/busybox ln -s a b", "likely", (), ("V=1.2",)),
        ("|1 V=1 /bin/busybox sh -c x", "RUN", "/bin/busybox sh -c x", "likely", (), ("V=1",)),
        ('|1 V=1 /bin/sh -c ["/bin/x", "y"]', "RUN", '["/bin/x", "y"]', "exact", (), ("V=1",)),
        ("cmd /S /C dir", "RUN", "dir", "likely", ("cmd", "/S", "/C"), ()),
        ("powershell -Command ls", "RUN", "ls", "likely", ("powershell", "-Command"), ()),
        ('/bin/sh -c #(nop)  CMD ["sh"]', "CMD", '["sh"]', "exact", None, ()),
        ('/bin/sh -c #(nop)  CMD ["a b" "c\\"d" "\\t"]', "CMD", '["a b","c\\"d","\\t"]', "exact", None, ()),
        ('/bin/bash -o pipefail -c #(nop)  CMD ["sh"]', "CMD", '["sh"]', "exact", None, ()),
        ('/bin/sh -c #(nop) ENTRYPOINT &{["/pause"]}', "ENTRYPOINT", '["/pause"]', "exact", None, ()),
        ("/bin/sh -c #(nop) WORKDIR /data", "WORKDIR", "/data", "exact", None, ()),
        (f"/bin/sh -c #(nop) ADD {D} in / ", "ADD", f"{D} in /", "likely", None, ()),
        (f"/bin/sh -c #(nop) COPY multi:{D[5:]} in /a b/", "COPY", f"multi:{D[5:]} in /a b/", "likely", None, ()),
        ("/bin/sh -c #(nop)  EXPOSE 80/tcp 443", "EXPOSE", "80/tcp 443", "exact", None, ()),
        ("/bin/sh -c #(nop)  ARG VERSION", "ARG", "VERSION", "exact", None, ()),
        ("/bin/sh -c #(nop)  ONBUILD RUN make", "ONBUILD", "RUN make", "exact", None, ()),
        ("/bin/sh -c #(nop)  MAINTAINER Me", "MAINTAINER", "Me", "exact", None, ()),
        ("/bin/sh -c #(nop)  ENV A=1", "ENV", "A=1", "exact", None, ()),
        ("/bin/sh -c #(nop)  ENV A=1 2 B=3", "ENV", 'A="1 2" B=3', "likely", None, ()),
        ('/bin/sh -c #(nop) ENV A="1 2" B=3', "ENV", 'A="1 2" B=3', "exact", None, ()),
        ("/bin/sh -c #(nop)  VOLUME [/data]", "VOLUME", '["/data"]', "exact", None, ()),
        ("/bin/sh -c # a comment in a RUN", "RUN", "# a comment in a RUN", "exact", ("/bin/sh", "-c"), ()),
        ("bash", "", "bash", "unknown", None, ()),
        ("/app/server --flag", "", "/app/server --flag", "unknown", None, ()),
        ("USER of something", "USER", "of something", "likely", None, ()),
        ("", "", "", "unknown", None, ()),
    ],
)
def test_the_classic_builder(
    created_by: str, keyword: str, text: str, confidence: str, shell: object, arguments: object
) -> None:
    read = read_step(step(created_by))
    assert (read.keyword, read.text, read.confidence) == (keyword, text, confidence)
    assert read.arguments == arguments
    if keyword == "RUN":
        assert read.shell == shell


@pytest.mark.parametrize(
    ("created_by", "keyword", "text", "confidence"),
    [
        ("RUN /bin/sh -c apk add curl # buildkit", "RUN", "apk add curl", "exact"),
        ("RUN |1 A=b /bin/sh -c x # y # buildkit", "RUN", "x # y", "exact"),
        ("RUN /bin/bash -euo pipefail -c x # buildkit", "RUN", "x", "likely"),
        ("RUN /bin/tool a b # buildkit", "RUN", "/bin/tool a b", "likely"),
        ("COPY a b /c/ # buildkit", "COPY", "a b /c/", "exact"),
        ("COPY /out/app /app # buildkit", "COPY", "/out/app /app", "exact"),
        ("ADD rootfs.tar.xz / # buildkit", "ADD", "rootfs.tar.xz /", "exact"),
        ("WORKDIR /app", "WORKDIR", "/app", "exact"),
        ('CMD ["a" "b c"]', "CMD", '["a","b c"]', "exact"),
        ("EXPOSE map[443/tcp:{} 80/tcp:{}]", "EXPOSE", "443/tcp 80/tcp", "exact"),
        ("EXPOSE [443/tcp 80/tcp]", "EXPOSE", "443/tcp 80/tcp", "exact"),
        ("VOLUME [/volume]", "VOLUME", '["/volume"]', "exact"),
        ("SHELL [/bin/bash -o pipefail -c]", "SHELL", '["/bin/bash","-o","pipefail","-c"]', "likely"),
        ("ENV A=b", "ENV", "A=b", "exact"),
        ("ARG TARGETPLATFORM=linux/arm64", "ARG", "TARGETPLATFORM=linux/arm64", "exact"),
        (
            'HEALTHCHECK &{["CMD-SHELL" "curl x"] "30s" "0s" "0s" \'\\x00\'}',
            "HEALTHCHECK",
            "--interval=30s CMD curl x",
            "exact",
        ),
        ('HEALTHCHECK &{["CMD-SHELL" "curl x"]}', "HEALTHCHECK", "CMD curl x", "likely"),
        ('HEALTHCHECK &{["NONE"] "0s" "0s" "0s" \'\\x00\'}', "HEALTHCHECK", "NONE", "exact"),
    ],
)
def test_buildkit(created_by: str, keyword: str, text: str, confidence: str) -> None:
    read = read_step(step(created_by, BUILDKIT))
    assert (read.keyword, read.text, read.confidence, read.origin) == (keyword, text, confidence, "buildkit")


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        (step("", "store paths: ['/nix/store/x-hello']"), "nix"),
        (step("jib-maven-plugin:3.4.0", "classes", "Jib"), "jib"),
        (step("bazel build ...", "", "Bazel"), "bazel"),
        (step("ko build ko://example.com/cmd", "go build output, at /ko-app/cmd", "ko"), "ko"),
        (step("apko", "This is an apko single-layer image", "apko"), "apko"),
        (step("Layer: 'jre', Created by buildpack: paketo-buildpacks/x@1"), "buildpacks"),
        (step("# debian.sh --arch 'amd64' out/ 'bookworm'", "debuerreotype 0.15"), "debuerreotype"),
        (step("", "Imported from -"), "import"),
        (step("", f"merge sha256:{'a' * 64} to sha256:{'b' * 64}"), "squash"),
    ],
)
def test_what_no_dockerfile_made_is_no_instruction(given: HistoryStep, origin: str) -> None:
    read = read_step(given)
    assert (read.keyword, read.confidence, read.origin) == ("", "unknown", origin)
    assert read.notes


def test_kaniko_and_buildah_are_known_by_their_marks() -> None:
    read = read_step(step("RUN mkdir -p /root/x", "", "kaniko"))
    assert (read.keyword, read.text, read.confidence, read.origin) == ("RUN", "mkdir -p /root/x", "exact", "kaniko")
    read = read_step(step('/bin/sh -c #(nop) CMD ["x"]', "FROM docker.io/library/alpine:3"))
    assert (read.keyword, read.text, read.origin) == ("CMD", '["x"]', "buildah")


def test_the_final_config_restores_quotes() -> None:
    run = RunConfig(
        env=("GREETING=hello A=b world", "B=c"),
        labels={"a": "x y", "b": "z=1 c=2"},
        volumes=("/my data",),
        shell=("/bin/my shell", "-c"),
        healthcheck=Healthcheck(test=("CMD", "/c", "x"), interval=30_000_000_000, retries=3),
    )
    texts = [
        ("ENV GREETING=hello A=b world B=c", 'GREETING="hello A=b world" B=c'),
        ("LABEL a=x y b=z=1 c=2", 'a="x y" b="z=1 c=2"'),
        ("VOLUME [/my data]", '["/my data"]'),
        ("SHELL [/bin/my shell -c]", '["/bin/my shell","-c"]'),
        ('HEALTHCHECK &{["CMD" "/c" "x"] "30s" "0s" "0s" \'\\x03\'}', '--interval=30s --retries=3 CMD ["/c","x"]'),
    ]
    for given, expected in texts:
        read = read_step(step(given, BUILDKIT), run=run)
        assert (read.text, read.confidence) == (expected, "exact"), given


def test_lists_as_go_prints_them() -> None:
    assert go_list('["a" "b c" "\\u00e9\\x41"]') == ["a", "b c", "éA"]
    assert go_list('["a", "b"]') == ["a", "b"]
    assert go_list("[]") == []
    for broken in ("", "[", "[a b]", '["a', '["a\\"]', '["\\q"]', '["\\Uffffffff"]', '"a"'):
        assert go_list(broken) is None


def rebuilt(history: list[HistoryStep], layers: int, **config: object) -> RebuiltDockerfile:
    config_ = ImageConfig(history=tuple(history), config=RunConfig(**config))  # type: ignore[arg-type]
    facts = [
        LayerFacts(index=i, steps=steps, bytes=10 * i, stored=i)
        for i, steps in enumerate(pair_history(config_, layers))
    ]
    return rebuild_dockerfile(config_, facts)


def test_steps_meet_their_layers() -> None:
    found = rebuilt([step("RUN a", "", "kaniko"), step("/bin/sh -c #(nop)  ENV A=b", empty=True), step("x")], 2)
    assert [(i.step, i.layer, i.bytes) for i in found.instructions] == [(0, 0, 0), (1, None, None), (2, 1, 10)]


def test_a_layer_is_never_given_to_a_step_when_the_counts_differ() -> None:
    found = rebuilt([step("/bin/sh -c a"), step("/bin/sh -c b")], 3)
    assert [(i.keyword, i.layer, i.step) for i in found.instructions] == [
        ("RUN", None, 0),
        ("RUN", None, 1),
        ("", 0, None),
        ("", 1, None),
        ("", 2, None),
    ]
    assert all(i.notes for i in found.instructions)
    assert "no line is attributed" in found.notes[0]


def test_no_history_at_all() -> None:
    found = rebuilt([], 2)
    assert [(i.keyword, i.layer, i.confidence) for i in found.instructions] == [("", 0, "unknown"), ("", 1, "unknown")]
    assert "no history" in found.notes[0]


def test_a_squashed_layer_is_not_given_to_one_of_its_steps() -> None:
    squash = step("", f"merge sha256:{'a' * 64} to sha256:{'b' * 64}")
    found = rebuilt([step("/bin/sh -c a", empty=True), step("/bin/sh -c b", empty=True), squash], 1)
    assert [(i.keyword, i.layer, i.confidence) for i in found.instructions] == [
        ("RUN", None, "likely"),
        ("RUN", None, "likely"),
        ("", 0, "unknown"),
    ]
    assert "steps 1, 2" in found.instructions[2].notes[-1]


def test_one_layer_hung_on_the_last_step_is_given_to_those_that_write_files() -> None:
    steps = [step("/bin/sh -c a", empty=True), step("/bin/sh -c #(nop) USER x", empty=True)]
    command = step('/bin/sh -c #(nop) CMD ["b"]')
    found = rebuilt([*steps, command], 1, cmd=("b",)).instructions
    assert [(i.keyword, i.step, i.layer, i.confidence) for i in found] == [
        ("RUN", 0, 0, "likely"),
        ("USER", 1, None, "exact"),
        ("CMD", 2, None, "exact"),
    ]
    found = rebuilt([*steps, step("/bin/sh -c b", empty=True), command], 1, cmd=("b",)).instructions
    assert [(i.keyword, i.step, i.layer, i.confidence) for i in found] == [
        ("RUN", 0, None, "likely"),
        ("USER", 1, None, "exact"),
        ("RUN", 2, None, "likely"),
        ("CMD", 3, None, "exact"),
        ("", None, 0, "unknown"),
    ]
    assert "one layer for steps 1, 3 together" in found[-1].notes[0]


@pytest.mark.parametrize(
    ("history", "wrote"),
    [
        ([("ADD a /", True), ('CMD ["b"]', False)], ((0,),)),
        ([("ADD a /", True), ("ENV A=1", True), ("RUN b", True), ('CMD ["b"]', False)], ((0, 2),)),
        ([("COPY a /", False), ("ENV A=1", True), ('CMD ["b"]', False)], ((0,), (2,))),
        ([("RUN true", True), ("RUN b", False)], ((1,),)),
        ([("RUN true", True), ("WORKDIR /a", False)], ((0, 1),)),
        ([("RUN true", True), ("something else", False)], ((1,),)),
        ([("RUN true", True), ('CMD ["b"]', True)], ((),)),
    ],
)
def test_the_steps_of_a_layer(history: list[tuple[str, bool]], wrote: tuple[tuple[int, ...], ...]) -> None:
    steps = tuple(step(words, "buildkit.dockerfile.v0", empty=empty) for words, empty in history)
    assert pair_history(ImageConfig(history=steps), len(wrote)) == wrote


def test_the_shell_in_force_is_followed() -> None:
    steps = [step("SHELL [/bin/my sh -c]", BUILDKIT, empty=True), step("RUN /bin/my sh -c make # buildkit", BUILDKIT)]
    found = rebuilt(steps, 1, shell=("/bin/my sh", "-c"))
    assert (found.instructions[1].text, found.instructions[1].shell) == ("make", ("/bin/my sh", "-c"))
    assert found.instructions[1].confidence == "exact"


def test_a_config_that_says_otherwise_is_told() -> None:
    history = [step("USER app", BUILDKIT, empty=True), step('CMD ["a"]', BUILDKIT, empty=True)]
    notes = " ".join(rebuilt(history, 0, user="root", cmd=("b",), entrypoint=("e",)).notes)
    for words in ("the last USER in the history is 'app'", "the last CMD", 'ENTRYPOINT ["e"], no step says so'):
        assert words in notes
    assert len(rebuilt(history, 0, user="app", cmd=("a",)).notes) == 1


def test_a_comment_cannot_be_left() -> None:
    hostile = [step("x\nRUN evil", empty=True), step("|1 A=b\nRUN evil /bin/sh -c ls", empty=True)]
    lines = render(rebuilt(hostile, 0)).splitlines()
    assert "RUN ls" in lines
    assert not [line for line in lines if "evil" in line and not line.startswith("#")]


@pytest.mark.parametrize(
    "text",
    [
        "|200 A=b" + " /bin/sh -c" * 20_000,
        "ENV " + "A= " * 80_000,
        "LABEL " + "a=b c" * 50_000,
        "sh" + " -x" * 80_000,
        "powershell" + " -a b" * 50_000,
        'CMD ["' + "\\" * 200_000,
        "VOLUME [" + " " * 200_000,
        "|1 " + "sh -o a " * 30_000,
        " #(nop) " * 30_000,
        "x" * 10_000_000,
    ],
)
def test_hostile_steps_cost_little(text: str) -> None:
    """A pattern that backtracks would not come to an end on texts of this length; what is left to count is calls."""
    for comment in ("", BUILDKIT):
        steps(read_step, step(text, comment), limit=700_000)


# ---- real images, Dockerfiles written by hand from their histories ------------------------------------------------

REAL = {
    "wagoodman+dive/.data/test-kaniko-image.tar": [
        ("ADD", "file:", "likely"),
        ("CMD", '["sh"]', "exact"),
        ("ADD", "README.md /somefile.txt", "exact"),
        ("RUN", "mkdir -p /root/example/really/nested", "exact"),
        ("RUN", "cp /somefile.txt /root/example/somefile1.txt", "exact"),
        ("RUN", "chmod 444 /root/example/somefile1.txt", "exact"),
    ],
    "bazelbuild+rules_docker/testdata/pause.tar": [
        ("ADD", "file:870e8e21db431e544feafe5b874731cd65592a843caf04053f2d1dbe3196966b in /", "likely"),
        ("ENTRYPOINT", '["/pause"]', "exact"),
    ],
    "nexB+container-inspector/tests/data/cli/hello-world.tar": [
        ("COPY", "file:", "likely"),
        ("CMD", '["/hello"]', "exact"),
    ],
    "GoogleContainerTools+jib/jib-core/src/test/resources/core/extraction/jib-image.tar": [
        ("", "jib-gradle-plugin:1.4.1-SNAPSHOT (classes)", "unknown"),
        ("", "jib-gradle-plugin:1.4.1-SNAPSHOT (extra files)", "unknown"),
    ],
    "nexB+container-inspector/tests/data/cli/she-image_from_scratch-1.0.tar": [
        ("MAINTAINER", "You Myself and I.", "exact"),
        ("ADD", "file:bc85f38b0c798897406a4c35fe08d06599df3831fca6db0cbd279e5d71bf9514 in /", "likely"),
        ("COPY", "dir:dce95f07b795ec49ef6ddbcc12f24aaad9af237726904837c77b5ed2967e349e in /additions", "likely"),
        ("CMD", '["/bin/sh","-c","rm /additions/foo"]', "exact"),
        ("COPY", "dir:dce95f07b795ec49ef6ddbcc12f24aaad9af237726904837c77b5ed2967e349e in /additions", "likely"),
        ("CMD", '["/bin/sh","-c","rm -rf /additions/baz"]', "exact"),
        ("ADD", "file:bc85f38b0c798897406a4c35fe08d06599df3831fca6db0cbd279e5d71bf9514 in /additions/hello", "likely"),
        ("LABEL", "Some other label=", "likely"),
    ],
}


@pytest.mark.shared
@pytest.mark.skipif(not IMAGES.is_dir(), reason="the shared images are not beside the checkout")
@pytest.mark.parametrize("name", REAL)
def test_real_histories(name: str) -> None:
    with imagepeel.open(IMAGES / name) as archive:
        image = archive.image()
        facts = [LayerFacts(index=layer.index, steps=layer.steps) for layer in image.layers]
        found = rebuild_dockerfile(image.config, facts).instructions
    for line, (keyword, text, confidence) in zip(found, REAL[name], strict=False):
        assert (line.keyword, line.confidence) == (keyword, confidence)
        assert line.text.startswith(text)
    assert len(found) >= len(REAL[name])


@pytest.mark.shared
@pytest.mark.skipif(not IMAGES.is_dir(), reason="the shared images are not beside the checkout")
def test_every_real_layer_has_one_line_at_most_and_none_is_lost() -> None:
    images = 0
    with open(IMAGES / "index.tsv", newline="") as file:
        paths = [row["path"] for row in csv.DictReader(file, delimiter="\t") if row["class"].startswith("image")]
    for path in paths:
        try:
            archive = imagepeel.open(IMAGES / path)
        except imagepeel.ImagepeelError:
            continue
        with archive:
            for image in archive.images():
                facts = [LayerFacts(index=layer.index, steps=layer.steps) for layer in image.layers]
                found = rebuild_dockerfile(image.config, facts)
                assert sorted(i.layer for i in found.instructions if i.layer is not None) == list(range(len(facts)))
                assert [i.step for i in found.instructions if i.step is not None] == list(range(len(image.history)))
                images += 1
    assert images > 100


@pytest.mark.parametrize(
    ("created_by", "text"),
    [
        ('CMD ["\\ud800\\udc00"]', '["\U00010000"]'),
        ('CMD ["a\ud800"]', '["a\ufffd"]'),
        ("SHELL [\udcff -c]", '["\ufffd","-c"]'),
    ],
)
def test_halves_of_a_character_end_in_text(created_by: str, text: str) -> None:
    assert read_step(step(created_by, BUILDKIT)).text == text
    rebuilt = rebuild_dockerfile(ImageConfig(history=(step(created_by),), config=RunConfig(cmd=("\ud800",))), ())
    assert render(rebuilt).encode("utf-8", "replace")
