"""Law: whatever the bytes are, examining an image ends in findings or in an ImagepeelError, and figures add up."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imagepeel import forge
from imagepeel.archive import open as open_archive
from imagepeel.errors import ImagepeelError
from imagepeel.findings import examine
from imagepeel.findings.recipes import archive_of, recipes
from imagepeel.limits import Limits
from imagepeel.store.source import MemorySource

ARCHIVES = {name: archive_of(recipe.bad()) for name, recipe in sorted(recipes().items()) if name != "TOO-MANY-LAYERS"}

names = st.lists(st.sampled_from("abcAB.wh-"), min_size=1, max_size=8).map("".join)
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
entries = st.lists(
    st.one_of(
        st.builds(forge.file, paths, st.binary(max_size=40), st.integers(0, 0o7777), st.integers(0, 1 << 33)),
        st.builds(forge.directory, paths, st.integers(0, 0o7777)),
        st.builds(forge.symlink, paths, paths),
        st.builds(forge.hardlink, paths, paths),
        st.builds(forge.whiteout, paths),
        st.builds(forge.opaque, paths),
        st.builds(forge.device, paths, st.integers(0, 300), st.integers(0, 300)),
        st.builds(forge.fifo, paths),
    ),
    max_size=8,
)
words = st.lists(st.text(max_size=12), max_size=4)


def survive(data: bytes) -> None:
    try:
        with open_archive(MemorySource(data), limits=Limits.strict()) as archive:
            for image in archive.images():
                for finding in examine(image):
                    assert finding.message
                    assert len(finding.show) == len(finding.locations)
                    assert all(figure.adds_up for figure in finding.figures)
    except ImagepeelError:
        pass


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(sorted(ARCHIVES)),
    changes=st.lists(st.tuples(st.integers(0, 1 << 30), st.integers(0, 255)), min_size=1, max_size=6),
    cut=st.one_of(st.none(), st.integers(0, 1 << 30)),
)
def test_damaged_archives_end_in_findings_or_an_error(
    name: str, changes: list[tuple[int, int]], cut: int | None
) -> None:
    data = bytearray(ARCHIVES[name])
    for at, value in changes:
        data[at % len(data)] = value
    survive(bytes(data if cut is None else data[: cut % len(data)]))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    layers=st.lists(entries, min_size=1, max_size=3), entrypoint=words, cmd=words, env=words, user=st.text(max_size=8)
)
def test_any_image_ends_in_findings(
    layers: list[list[forge.Entry]], entrypoint: list[str], cmd: list[str], env: list[str], user: str
) -> None:
    spec = forge.image(
        *[forge.layer(*each) for each in layers], entrypoint=entrypoint, cmd=cmd, env=env, user=user, names="x:1"
    )
    survive(forge.to_bytes(spec, "docker-archive"))
