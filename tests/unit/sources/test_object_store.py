"""Archives in object stores: s3:// with s3fs against moto's S3 server, which is no code of ours."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import imagepeel
from imagepeel.errors import FetchFailed, LimitExceeded, NotFound, Unsupported, UsageError
from imagepeel.limits import Limits
from imagepeel.sources.fetched import Fetched

pytest.importorskip("s3fs")
pytest.importorskip("moto")


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """A client of the store; the environment has what s3fs reads: an endpoint, a region, a key."""
    import boto3
    import fsspec
    from moto.server import ThreadedMotoServer

    with pytest.MonkeyPatch.context() as patch:
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        for name in [name for name in os.environ if name.startswith("AWS_") or name.lower().endswith("_proxy")]:
            patch.delenv(name)
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="images")
        yield s3
        fsspec.get_filesystem_class("s3").clear_instance_cache()
        server.stop()


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A directory for temporary files that nothing may be left in, and no memory of what the store had."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    yield
    assert os.listdir(place) == []


@pytest.fixture(scope="module")
def shop(forge_archive, client) -> bytes:
    data = forge_archive("shop").read_bytes()
    client.put_object(Bucket="images", Key="a/shop.tar", Body=data)
    client.put_object(Bucket="images", Key="text", Body=b"no archive")
    return data


def test_an_object_gives_what_the_file_gives(shop: bytes, forge_archive) -> None:
    with imagepeel.open("s3://images/a/shop.tar") as archive, imagepeel.open(forge_archive("shop")) as there:
        (image,), (same,) = archive.images(), there.images()
        image.scan()
        same.scan()
        assert archive.name == "s3://images/a/shop.tar"
        assert [one.diff_id for one in image.layers] == [one.diff_id for one in same.layers]
        assert all(check.ok for one in image.layers for check in one.checks)
        source = archive.file
        assert source is not None and source.pread(0, source.size) == shop
    with pytest.raises(UsageError, match="is closed"):
        source.pread(0, 1)


def test_a_look_at_the_documents_fetches_little(large: bytes, client) -> None:
    client.put_object(Bucket="images", Key="large.tar", Body=large)
    with imagepeel.open("s3://images/large.tar") as archive:
        assert archive.images()
        assert isinstance(archive.file, Fetched)
        assert os.fstat(archive.file._file.fileno()).st_size < 2_000_000


@pytest.mark.parametrize("key", ["images/none.tar", "images/a/none", "no-such-bucket/x"])
def test_what_is_not_there(key: str, shop: bytes) -> None:
    with pytest.raises(NotFound, match=f"^s3://{key} is not there") as raised:
        imagepeel.open(f"s3://{key}")
    assert raised.value.hint == "check the bucket and the key"


@pytest.mark.parametrize("key", ["images/a", "images"])
def test_a_folder_is_no_archive(key: str, shop: bytes) -> None:
    with pytest.raises(NotFound, match="is a folder of objects, not an archive"):
        imagepeel.open(f"s3://{key}")


def test_an_object_that_is_no_archive(shop: bytes) -> None:
    with pytest.raises(imagepeel.NotAnImage):
        imagepeel.open("s3://images/text")


def test_an_object_that_changes_while_it_is_read(large: bytes, client) -> None:
    client.put_object(Bucket="images", Key="moving.tar", Body=large)
    with imagepeel.open("s3://images/moving.tar") as archive:
        client.put_object(Bucket="images", Key="moving.tar", Body=bytes(len(large)))
        with pytest.raises(FetchFailed, match=r"^s3://images/moving.tar changed while it was read$"):
            archive.images()[0].scan()


def test_an_object_is_bounded(shop: bytes) -> None:
    with (
        pytest.raises(LimitExceeded, match=r"more than 100,000 bytes of s3://images/a/shop.tar are needed"),
        imagepeel.open("s3://images/a/shop.tar", limits=Limits(spool_bytes=100_000)) as archive,
    ):
        archive.images()[0].scan()


def test_a_package_that_is_not_installed() -> None:
    for name in ("gs://bucket/x.tar", "abfs://container/x.tar"):
        with pytest.raises(Unsupported) as raised:
            imagepeel.open(name)
        assert "is read by a package that is not installed" in raised.value.what
        assert raised.value.hint.startswith("pip install 'imagepeel[fsspec]' ")


def test_without_s3fs_the_extra_is_named() -> None:
    code = """
import sys
sys.modules["s3fs"] = None
import imagepeel
try:
    imagepeel.open("s3://images/x.tar")
except imagepeel.Unsupported as error:
    print(error.hint)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout == "pip install 'imagepeel[s3]'\n", done.stderr


def test_a_chain_of_addresses_is_none() -> None:
    with pytest.raises(UsageError, match="is a chain of addresses"):
        imagepeel.open("s3://images/x.tar::file:///etc/passwd")


def run(address: str, **environment: str) -> str:
    """What another process says of an object: fsspec keeps what it knows of a store in its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    code = f"""
import imagepeel
try:
    imagepeel.open({address!r})
except imagepeel.ImagepeelError as error:
    print(type(error).__name__, error.what, "|", error.hint)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env={**kept, **environment}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_credentials(shop: bytes, tmp_path: Path) -> None:
    said = run(
        "s3://images/a/shop.tar", HOME=str(tmp_path), AWS_EC2_METADATA_DISABLED="true",
        AWS_ENDPOINT_URL=os.environ["AWS_ENDPOINT_URL"],
    )  # fmt: skip
    assert said.startswith("FetchFailed there are no credentials for s3://images/a/shop.tar"), said
    assert "aws configure" in said and "aws s3 cp" in said


def test_a_store_that_does_not_answer(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
    said = run(
        "s3://images/a/shop.tar",
        AWS_ENDPOINT_URL=address,
        AWS_ACCESS_KEY_ID="a",
        AWS_SECRET_ACCESS_KEY="sesame",
        AWS_MAX_ATTEMPTS="1",
    )
    assert said.startswith("FetchFailed cannot read s3://images/a/shop.tar: ") and "sesame" not in said, said
