"""What an engine adds to an image that declares volumes: made when it is asked for inside, a tuple for callers."""

from __future__ import annotations

import io
import tracemalloc

import msgspec
import pytest

import imagepeel
from imagepeel import forge
from imagepeel.forge import programs
from imagepeel.process.engines.declared import Additions
from imagepeel.process.image_prediction import predict_image
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.render.json import dumps
from imagepeel.results.process import process_result

VOLUMES = ["/", "/d", "/d/e", "/none", "relative"]
ENGINES = ["docker", "podman", "k8s", "containerd", "cri-o", "gvisor", "runc", "crun"]


def image_of(volumes: list[str]) -> imagepeel.Image:
    files = (
        forge.file("x", programs.hello(), 0o755),
        *(forge.file(f"d/{name}", b"") for name in ("a", "b", "c", "e/f")),
    )
    spec = forge.image(forge.layer(*files), entrypoint=["/x"], volumes=volumes)
    return imagepeel.open(io.BytesIO(forge.to_bytes(spec, "oci-archive"))).image()


@pytest.mark.parametrize("engine", ENGINES)
def test_callers_get_a_tuple_of_what_is_kept(engine: str) -> None:
    image = image_of(VOLUMES)
    options = ProcessOptions(engine=engine, volumes=("/mine",), init=engine == "docker")
    kept, given = predict_image(image, options), image.process(options=options)
    assert isinstance(kept.additions, Additions) and type(given.additions) is tuple
    assert kept == given and hash(kept.additions) == hash(given.additions)
    assert repr(kept.additions) == repr(given.additions) and len(kept.additions) == len(given.additions)
    assert [kept.additions[index] for index in range(-len(given.additions), 0)] == list(given.additions)
    assert kept.additions[2:] == given.additions[2:] and kept.additions != given.additions[1:]
    with pytest.raises(IndexError):
        kept.additions[len(given.additions)]
    said, whole = (process_result(image, found) for found in (kept, given))
    assert dumps("process", said) == dumps("process", whole)
    assert msgspec.json.decode(msgspec.json.encode(whole), type=type(whole)) == whole


@pytest.mark.parametrize("engine", ENGINES)
def test_each_declared_volume_is_there_once_in_order_and_with_some_of_what_it_takes_over(engine: str) -> None:
    declared = [one for one in image_of(VOLUMES).process(engine=engine).additions if one.origin.startswith("Volumes")]
    assert [(one.kind, one.path, one.hides) for one in declared] == [("volume", path, 0) for path in sorted(VOLUMES)]
    examples = {one.path: one.examples for one in declared}
    assert examples["/d"] == ("/d/a", "/d/b", "/d/c") and examples["/d/e"] == ("/d/e/f",) and len(examples["/"]) == 3
    assert examples["/none"] == examples["relative"] == ()


def test_an_image_without_volumes_has_a_tuple() -> None:
    assert type(predict_image(image_of([]), ProcessOptions()).additions) is tuple


def test_another_engine_keeps_a_few_bytes_for_each_volume() -> None:
    n = 3_000
    image = image_of([f"/v{k:07}" for k in range(n)])
    for engine in ENGINES:
        predict_image(image, ProcessOptions(engine=engine))
    tracemalloc.start()
    try:
        kept = [predict_image(image, ProcessOptions(engine=engine, hostname="other")) for engine in ENGINES]
        each = tracemalloc.get_traced_memory()[0] / (n * len(kept))
    finally:
        tracemalloc.stop()
    assert all(len(one.additions) > n for one in kept)
    assert each < 60, f"{each:.0f} bytes stay for each"
