from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagepeel.errors import ImagepeelError, Malformed
from imagepeel.evidence import Location
from imagepeel.oci.config import Healthcheck, HistoryStep, ImageConfig, parse_config
from imagepeel.oci.digest import digest_of

D1, D2 = ("sha256:" + c * 64 for c in "12")

FULL = {
    "created": "2024-01-02T03:04:05Z",
    "author": "someone",
    "architecture": "arm64",
    "variant": "v8",
    "os": "linux",
    "os.version": "1.2",
    "os.features": ["f"],
    "config": {
        "User": "app:app",
        "ExposedPorts": {"80/tcp": {}},
        "Env": ["PATH=/bin", "EMPTY="],
        "Entrypoint": ["/entry"],
        "Cmd": ["serve"],
        "Volumes": {"/data": {}},
        "WorkingDir": "/srv",
        "Labels": {"a": "b"},
        "StopSignal": "SIGQUIT",
        "StopTimeout": 3,
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 5, "Retries": 2},
        "Shell": ["/bin/bash", "-c"],
        "OnBuild": ["RUN x"],
        "ArgsEscaped": True,
    },
    "rootfs": {"type": "layers", "diff_ids": [D1, D2]},
    "history": [
        {"created": "2024-01-01T00:00:00Z", "created_by": "ADD a", "comment": "c"},
        {"created_by": "ENV x", "empty_layer": True},
        {"created_by": "RUN y", "author": "z"},
    ],
    "unknown": {"kept": [1]},
}


def test_a_full_config_is_read_field_by_field() -> None:
    data = json.dumps(FULL).encode()
    config, anomalies = parse_config(data)
    assert anomalies == ()
    assert (config.os, config.architecture, config.variant, config.platform) == (
        "linux",
        "arm64",
        "v8",
        "linux/arm64/v8",
    )
    assert (config.os_version, config.os_features) == ("1.2", ("f",))
    assert (config.entrypoint, config.cmd, config.user, config.working_dir) == (
        ("/entry",),
        ("serve",),
        "app:app",
        "/srv",
    )
    assert config.env == ("PATH=/bin", "EMPTY=")
    assert config.labels == {"a": "b"}
    run = config.config
    assert (run.volumes, run.exposed_ports, run.stop_signal, run.stop_timeout) == (
        ("/data",),
        ("80/tcp",),
        "SIGQUIT",
        3,
    )
    assert run.healthcheck == Healthcheck(test=("CMD", "true"), interval=5, retries=2)
    assert (run.shell, run.on_build, run.args_escaped) == (("/bin/bash", "-c"), ("RUN x",), True)
    assert config.diff_ids == (D1, D2)
    assert config.history is not None
    assert config.history[1] == HistoryStep(created_by="ENV x", empty_layer=True)
    assert config.layer_steps == (0, 2)
    assert config.raw["unknown"] == {"kept": [1]}
    assert config.raw_bytes == data
    assert config.image_id == digest_of(data)


def test_everything_may_be_absent_or_null() -> None:
    for document in (b"{}", b'{"config": null, "rootfs": null, "history": null, "created": null, "os": null}'):
        config, anomalies = parse_config(document)
        assert anomalies == ()
        assert config.entrypoint is None
        assert config.env == ()
        assert config.diff_ids == ()
        assert config.history is None
        assert config.layer_steps == ()
        assert config.platform == ""


def test_an_empty_entrypoint_is_not_an_absent_one() -> None:
    config, _ = parse_config(b'{"config": {"Entrypoint": [], "Cmd": null}}')
    assert config.entrypoint == ()
    assert config.cmd is None


def test_a_string_entrypoint_is_one_word_as_docker_reads_it_and_fatal_for_containerd() -> None:
    config, anomalies = parse_config(b'{"config": {"Entrypoint": "/bin/sh -c x"}}', Location(blob=D1))
    assert config.entrypoint == ("/bin/sh -c x",)
    (anomaly,) = anomalies
    assert (anomaly.code, anomaly.fatal) == ("config-command-string", True)
    assert anomaly.where == Location(blob=D1, pointer="/config/Entrypoint")


def test_keys_match_in_any_case() -> None:
    config, anomalies = parse_config(json.dumps({"OS": "linux", "Rootfs": {"Diff_IDs": [D1]}}).encode())
    assert (config.os, config.diff_ids, anomalies) == ("linux", (D1,), ())


def test_a_diff_id_that_is_no_digest_is_recorded() -> None:
    config, anomalies = parse_config(b'{"rootfs": {"diff_ids": ["../../etc/passwd"]}}')
    assert config.diff_ids == ("../../etc/passwd",)
    assert [a.code for a in anomalies] == ["config-diff-id"]


def test_a_list_is_no_config_and_text_is_malformed() -> None:
    config, anomalies = parse_config(b"[]")
    assert config.config == ImageConfig().config
    assert [a.code for a in anomalies] == ["json-type"]
    with pytest.raises(Malformed):
        parse_config(b"hello")


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.data())
def test_a_config_with_any_field_replaced_by_anything_is_read(data: st.DataObject) -> None:
    document = json.loads(json.dumps(FULL))
    target = data.draw(st.sampled_from([document, document["config"], document["rootfs"], document["history"][0]]))
    target[data.draw(st.sampled_from(sorted(target)))] = data.draw(_ANY)
    try:
        config, _ = parse_config(json.dumps(document).encode())
    except ImagepeelError:
        return
    assert isinstance(config.env, tuple)
