from __future__ import annotations

import hashlib

import pytest

from imagepeel.evidence import Anomaly, Location
from imagepeel.oci.descriptor import descriptor_of
from imagepeel.oci.digest import (
    EMPTY_GZIP_LAYER,
    EMPTY_JSON,
    Digest,
    blob_path,
    can_verify,
    digest_of,
    from_hex,
    is_digest,
    problem,
    short,
)
from imagepeel.oci.identity import chain_ids
from imagepeel.oci.json_document import Fields

HEX = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def described(digest: object) -> tuple[Digest | None, list[str | None]]:
    """The digest that a descriptor with this one has, and the documents where it is called invalid."""
    noticed: list[Anomaly] = []
    found = descriptor_of(Fields({"digest": digest}, Location(member="index.json"), noticed))
    return found.digest, [item.where.member for item in noticed if item.code == "descriptor-digest" and item.where]


def test_a_registered_digest_is_kept_as_it_is() -> None:
    assert problem(f"sha256:{HEX}") == "" and described(f"sha256:{HEX}") == (f"sha256:{HEX}", [])
    assert blob_path(Digest(f"sha256:{HEX}")) == f"blobs/sha256/{HEX}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256",
        "sha256:",
        f"sha256:{HEX[:-1]}",
        f"sha256:{HEX}0",
        f"sha256:{HEX.upper()}",
        f"sha512:{HEX}",
        f"SHA256:{HEX}",
        f"sha256:{HEX}\n",
        "sha256:../../../../etc/passwd",
        "../sha256:abc",
        "a/b:abc",
        "..:..",
        "md5:" + "a" * 300,
        "x" * 300 + ":a",
    ],
)
def test_a_digest_that_could_be_a_path_or_has_a_wrong_length_is_refused(text: str) -> None:
    assert not is_digest(text)
    assert described(text) == (None, ["index.json"])


@pytest.mark.parametrize("value", [None, 7, ["sha256:" + HEX], {}])
def test_a_digest_of_another_type_is_refused(value: object) -> None:
    assert problem(value)
    assert described(value) == (None, ["index.json"])


@pytest.mark.parametrize("text", ["blake3:" + HEX, "future+alg.2_x:Zm9v=_-", "md5:d41d8cd98f00b204e9800998ecf8427e"])
def test_an_algorithm_that_cannot_be_computed_is_no_error(text: str) -> None:
    assert described(text) == (text, [])
    assert not can_verify(Digest(text))


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_digests_agree_with_hashlib(algorithm: str) -> None:
    digest = digest_of(b"abc", algorithm)
    assert digest == f"{algorithm}:{hashlib.new(algorithm, b'abc').hexdigest()}"
    assert can_verify(digest)


def test_the_known_digests_are_what_their_names_say() -> None:
    import gzip
    import zlib

    assert digest_of(b"{}") == EMPTY_JSON
    # The schema 1 empty layer is one particular gzip stream of the same 1,024 zero bytes.
    stream = bytes.fromhex("1f8b080000096e8800ff621805a360148c5800080000ffff2eafb5ef00040000")
    assert gzip.decompress(stream) == bytes(1024)
    assert digest_of(stream) == EMPTY_GZIP_LAYER
    assert zlib.crc32(bytes(1024)) == int.from_bytes(stream[-8:-4], "little")


def test_hex_becomes_a_digest_only_with_the_right_length() -> None:
    assert from_hex(HEX) == f"sha256:{HEX}"
    assert from_hex("abc") is None
    assert from_hex(HEX, "sha512") is None
    assert short(f"sha256:{HEX}") == HEX[:12]


def test_chain_ids_follow_the_recurrence_of_the_spec() -> None:
    first, second, third = ("sha256:" + c * 64 for c in "abc")
    two = "sha256:" + hashlib.sha256(f"{first} {second}".encode()).hexdigest()
    three = "sha256:" + hashlib.sha256(f"{two} {third}".encode()).hexdigest()
    assert chain_ids([first, second, third]) == (first, two, three)
    assert chain_ids([]) == ()
    assert chain_ids([first]) == (Digest(first),)
