"""The environment of a prediction: made when it is asked for inside, a tuple for callers."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import msgspec
import pytest

import imagepeel
from imagepeel import forge
from imagepeel.forge import programs
from imagepeel.present.document import Document
from imagepeel.present.process import process_document
from imagepeel.process.engines.variables import Variables
from imagepeel.process.image_prediction import predict_image
from imagepeel.process.spec.options import ProcessOptions
from imagepeel.process.spec.values import EnvVar
from imagepeel.render.html import document_html
from imagepeel.render.json import dumps
from imagepeel.render.markdown import document_markdown
from imagepeel.render.terminal import document_text
from imagepeel.results.process import process_result

ENV = ["PATH=/bin", "A=1", "B=b=b", "A=2", "gone", "E="]
ENGINES = ["docker", "podman", "k8s", "containerd", "cri-o", "gvisor", "runc", "crun"]


@pytest.fixture(scope="module")
def image() -> imagepeel.Image:
    spec = forge.image(forge.layer(forge.file("x", programs.hello(), 0o755)), entrypoint=["/x"], env=ENV)
    return imagepeel.open(io.BytesIO(forge.to_bytes(spec, "oci-archive"))).image()


@pytest.mark.parametrize("engine", ENGINES)
def test_callers_get_a_tuple_of_what_is_kept(image: imagepeel.Image, engine: str) -> None:
    kept = predict_image(image, ProcessOptions(engine=engine))
    given = image.process(engine=engine)
    assert isinstance(kept.env, Variables) and type(given.env) is tuple
    assert kept == given and kept.env == given.env and given.env == kept.env
    assert hash(kept.env) == hash(given.env) and repr(kept.env) == repr(given.env)
    values = [(one.name, one.value) for one in given.env]
    assert [*kept.env.pairs()] == values and len(kept.env) == len(values)
    assert kept.env[-1] == given.env[-1] and kept.env[1:] == given.env[1:] and given.env[0] in kept.env
    assert dict(values).items() >= {"PATH": "/bin", "A": "2", "B": "b=b", "E": ""}.items()
    for one in given.env:
        assert kept.env.named(one.name) == one
        if one.origin == "image":
            assert one.where is not None and one.where.pointer is not None
            assert ENV[int(one.where.pointer.removeprefix("/config/Env/"))] == f"{one.name}={one.value}"
    assert kept.env.named("NONE") is None and kept.env != given.env[1:] and kept.env != list(given.env)


def test_predictions_share_what_the_image_sets(image: imagepeel.Image) -> None:
    first, second = (
        {one.name: one for one in image.process(engine=engine).env if one.origin == "image" and not one.overrides}
        for engine in ENGINES[:2]
    )
    assert {"A", "B", "E"} <= first.keys() & second.keys()
    assert all(first[name] is second[name] for name in ("A", "B", "E"))


def test_the_prediction_that_has_the_image_scanned_is_kept() -> None:
    spec = forge.image(forge.layer(forge.file("x", programs.hello(), 0o755)), entrypoint=["/x"], env=ENV)
    fresh = imagepeel.open(io.BytesIO(forge.to_bytes(spec, "oci-archive"))).image()
    first = predict_image(fresh)
    assert predict_image(fresh) is first and predict_image(fresh, ProcessOptions()) is first


def test_json_has_every_variable(image: imagepeel.Image) -> None:
    kept, given = (process_result(image, found) for found in (predict_image(image, ProcessOptions()), image.process()))
    said = dumps("process", kept)
    assert said == dumps("process", given)
    assert dumps("process", kept, indent=None) == dumps("process", given, indent=None)
    names = [one["name"] for one in json.loads(said)["result"]["prediction"]["env"]]
    assert sorted(names) == ["A", "B", "E", "HOME", "HOSTNAME", "PATH"]
    assert msgspec.json.decode(msgspec.json.encode(given), type=type(given)) == given


@pytest.mark.parametrize("form", [document_text, document_markdown, document_html])
def test_pages_show_every_variable(image: imagepeel.Image, form: Callable[[Document], str]) -> None:
    kept, given = (
        process_document(process_result(image, found))
        for found in (predict_image(image, ProcessOptions()), image.process())
    )
    said = form(kept)
    assert said == form(given)
    assert all(said.count(one) == 1 for one in ("A=2", "B=b=b", "HOME=/"))


def test_a_windows_image_tells_no_places() -> None:
    spec = forge.image(forge.layer(), entrypoint=["x.exe"], env=ENV, os="windows")
    env = imagepeel.open(io.BytesIO(forge.to_bytes(spec, "oci-archive"))).image().process().env
    assert env == tuple(
        EnvVar(name=name, value=value, origin="image")
        for name, value in [("PATH", "/bin"), ("A", "1"), ("B", "b=b"), ("A", "2"), ("E", "")]
    )
