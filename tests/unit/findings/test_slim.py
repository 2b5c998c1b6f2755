"""The plan of slim: each kind of step by its own image, and sums that are those of waste."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import imagepeel
from imagepeel import forge
from imagepeel.findings.slim import Slim, SlimStep
from imagepeel.findings.waste import UNREACHABLE

Make = Callable[..., Path]
F, D = forge.file, forge.directory


def planned(archive: Path, **given: int | str) -> Slim:
    with imagepeel.open(archive) as opened:
        return opened.image().slim(**given)


def one(archive: Path, **given: int | str) -> SlimStep:
    (step,) = planned(archive, **given).steps
    return step


def made(*layers: forge.LayerSpec) -> forge.ImageSpec:
    return forge.image(*layers, names="s:1", entrypoint=["/a"])


def run(command: str) -> str:
    return f"RUN /bin/sh -c {command} # buildkit"


def test_a_change_of_owner_is_made_where_the_file_is_copied(forge_archive: Make) -> None:
    spec = made(
        forge.layer(F("srv/a", b"x" * 5000, uid=0), created_by="COPY . /srv # buildkit"),
        forge.layer(F("srv/a", b"x" * 5000, uid=7, gid=8), created_by=run("chown 7:8 /srv/a")),
    )
    step = one(forge_archive(spec, name="own.tar"))
    assert (step.way, step.cause, step.content, step.files, step.layer, step.by) == ("own", "metadata", 5000, 1, 0, 1)
    assert step.dockerfile == ("COPY --chown=7:8 . /srv",)


def test_what_is_made_and_removed_is_one_run(forge_archive: Make) -> None:
    spec = made(
        forge.layer(F("big", b"x" * 7000), created_by=run("make big")),
        forge.layer(forge.whiteout("big"), created_by=run("rm big")),
    )
    step = one(forge_archive(spec, name="join.tar"))
    assert (step.way, step.cause, step.content) == ("join", "removed", 7000)
    assert step.dockerfile == ("RUN make big && rm big",)


@pytest.mark.parametrize("target", ["/srv", "/srv/", "."])
def test_what_is_copied_and_removed_is_not_copied(target: str, forge_archive: Make) -> None:
    spec = made(
        forge.layer(F("srv/keep", b"k"), F("srv/sub/.env", b"x" * 300), created_by=f"COPY . {target} # buildkit"),
        forge.layer(forge.whiteout("srv/sub/.env"), created_by=run("rm .env")),
    )
    spec = forge.image(*spec.layers, names="s:1", entrypoint=["/a"]) if target != "." else forge.image(
        forge.layer(D("srv"), created_by="WORKDIR /srv"), *spec.layers, names="s:1", entrypoint=["/a"]
    )  # fmt: skip
    step = one(forge_archive(spec, name="exclude.tar"))
    assert (step.way, step.content) == ("exclude", 300)
    assert step.dockerfile == ("# syntax=docker/dockerfile:1", f"COPY --exclude=sub/.env . {target}")


def test_leftovers_go_in_the_step_that_makes_them(forge_archive: Make) -> None:
    spec = made(forge.layer(F("var/lib/apt/lists/x", b"x" * 900), created_by=run("apt-get update")))
    step = one(forge_archive(spec, name="clean.tar"))
    assert (step.way, step.cause, step.content) == ("clean", "debris", 900)
    assert step.dockerfile == ("RUN apt-get update && rm -rf /var/lib/apt/lists",)


def test_equal_files_are_linked_and_a_hard_link_stays_in_its_layer(forge_archive: Make) -> None:
    same = made(forge.layer(F("a", b"x" * 400), F("b", b"x" * 400), created_by=run("make both")))
    assert one(forge_archive(same, name="link.tar")).dockerfile == ("RUN make both && ln -f /a /b",)
    two = made(
        forge.layer(F("a", b"x" * 400), created_by=run("make a")),
        forge.layer(F("b", b"x" * 400), created_by=run("make b")),
    )
    assert one(forge_archive(two, name="links.tar")).dockerfile == ("RUN make b && ln -sf /a /b",)


def test_a_file_of_the_base_is_no_step_of_ones_own(forge_archive: Make) -> None:
    spec = made(
        forge.layer(F("big", b"x" * 7000), created_by=run("make big")),
        forge.layer(forge.whiteout("big"), created_by=run("rm big")),
    )
    step = one(forge_archive(spec, name="base.tar"), base=1)
    assert (step.way, step.base, step.content) == ("rebase", True, 7000)
    assert step.dockerfile == ("FROM scratch", "COPY --from=build / /")


def test_nothing_to_do_is_said_of_a_whole_image_only(forge_archive: Make, run_cli: Callable[..., Any]) -> None:
    whole = forge_archive(made(forge.layer(F("a", b"x"))), name="whole.tar")
    assert planned(whole).steps == () and planned(whole).complete
    assert "there is nothing to do" in run_cli("slim", whole).stdout
    told = run_cli("slim", forge_archive("missing-blob")).stdout
    assert "there is nothing to do" not in told and "In the layers that are here" in told


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
@pytest.mark.parametrize("name", ["shop", "zoo", "resurrect"])
def test_the_steps_add_up_to_waste(name: str, compression: str, forge_archive: Make) -> None:
    archive = forge_archive(name, kind="oci-archive", compression=compression)
    with imagepeel.open(archive) as opened:
        image = opened.image()
        found, waste = image.slim(), image.waste()
    causes = (*UNREACHABLE, "identical", "debris")
    assert found.saves == sum(waste.content(cause) for cause in causes)
    assert found.saves_stored == sum(waste.stored(cause) for cause in causes)
    assert [step.content for step in found.steps] == sorted((step.content for step in found.steps), reverse=True)


PATHS = ["a", "b", "d/a", "d/b", "var/cache/apt/x"]
MEMBERS = st.lists(st.tuples(st.sampled_from(PATHS), st.sampled_from([b"1" * 600, b"2" * 50, None])), max_size=5)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(layers=st.lists(MEMBERS, min_size=1, max_size=4))
def test_a_rebuild_without_the_files_of_a_step_is_smaller_by_its_saving(
    layers: list[list[tuple[str, bytes | None]]], tmp_path: Path
) -> None:
    """Taking the files of all steps out of their layers leaves what the filesystem needs, measured by tarfile."""
    kept = [dict(members) for members in layers]
    specs = [
        forge.layer(*(forge.whiteout(path) if data is None else F(path, data) for path, data in members.items()))
        for members in kept
    ]
    archive = forge.write(made(*specs), tmp_path / "r.tar")
    with imagepeel.open(archive) as opened:
        image = opened.image()
        items, found = image.waste().items, image.slim()
    size = sum(_shipped(archive))
    for item in items:
        del kept[item.layer][item.path.lstrip("/")]
    rest = [
        forge.layer(*(forge.whiteout(path) if data is None else F(path, data) for path, data in members.items()))
        for members in kept
    ]
    smaller = forge.write(made(*rest), tmp_path / "s.tar")
    assert size - sum(_shipped(smaller)) == found.saves


def _shipped(archive: Path) -> list[int]:
    """Bytes of file content in each layer, as Python's tarfile sees them."""
    sizes = []
    with tarfile.open(archive) as outer:
        for member in outer.getmembers():
            if member.name.endswith("layer.tar"):
                data = outer.extractfile(member)
                assert data is not None
                with tarfile.open(fileobj=io.BytesIO(data.read())) as layer:
                    sizes.append(sum(each.size for each in layer.getmembers() if each.isreg()))
    return sizes


def twice() -> forge.ImageSpec:
    """A layer that stores a path twice, a layer that writes it again unchanged, and one that hides a file of both."""
    first = forge.layer(F("a", b"1" * 900), F("a", b"2" * 800), F("b", b"3" * 700), created_by=run("make"))
    return made(
        first,
        forge.layer(F("b", b"3" * 700), created_by=run("make b")),
        forge.layer(forge.whiteout("a"), created_by=run("rm a")),
    )


@pytest.mark.parametrize("name", ["shop", "pantry", "twice"])
def test_each_step_of_an_image_saves_what_it_says(name: str, tmp_path: Path) -> None:
    """Each kind of step on its own: the image is made again without the files of that step."""
    spec = twice() if name == "twice" else forge.build(name)
    archive = forge.write(spec, tmp_path / "before.tar", kind="docker-archive")
    with imagepeel.open(archive) as opened:
        image = opened.image()
        found, items = image.slim(), image.waste().items
    assert found.steps
    for number, step in enumerate(found.steps):
        mine = [
            item for item in items
            if (item.layer, item.cause, item.by) == (step.layer, step.cause, step.by)
        ]  # fmt: skip
        assert sum(item.size for item in mine) == step.content and len(mine) == step.files
        layers = list(spec.layers)
        gone = {item.entry for item in mine}
        kept = [entry for at, entry in enumerate(layers[step.layer].entries) if at not in gone]
        layers[step.layer] = msgspec.structs.replace(layers[step.layer], entries=tuple(kept))
        smaller = msgspec.structs.replace(spec, layers=tuple(layers))
        after = forge.write(smaller, tmp_path / f"{number}.tar", kind="docker-archive")
        assert sum(_shipped(archive)) - sum(_shipped(after)) == step.content


def test_ways_of_what_no_line_can_join(forge_archive: Make) -> None:
    steps = planned(forge_archive(twice(), name="twice.tar")).steps
    assert [(step.way, step.cause, step.content) for step in steps] == [
        ("once", "repeated", 900), ("join", "removed", 800), ("leave-out", "rewritten", 700),
    ]  # fmt: skip
    assert steps[0].dockerfile == ("RUN make",)
    assert steps[1].dockerfile == ("RUN make && rm a",)
    assert steps[2].dockerfile == ("RUN make && make b",)


def test_a_link_leads_to_a_layer_that_is_there_already(forge_archive: Make) -> None:
    """The name that comes first by path may be of a later layer: then it is the link."""
    spec = made(
        forge.layer(F("z", b"x" * 400), created_by=run("make z")),
        forge.layer(F("a", b"x" * 400), F("m", b"x" * 400), created_by=run("make a")),
    )
    step = one(forge_archive(spec, name="later.tar"))
    assert (step.way, step.layer, step.content, step.files) == ("link", 1, 800, 2)
    assert step.dockerfile == ("RUN make a && ln -sf /z /a && ln -sf /z /m",)
