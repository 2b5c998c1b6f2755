"""The line that makes a file of an image that is elsewhere, as the tools of each place take it."""

from __future__ import annotations

import shlex

import pytest

from imagepeel.receipts.copying import copying


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("docker:shop:1.4", "docker save shop:1.4 -o image.tar"),
        ("docker-daemon:h:5000/shop", "docker save h:5000/shop -o image.tar"),
        ("podman:localhost/shop:1.4", "podman save localhost/shop:1.4 -o image.tar"),
        ("https://host/a/image.tar.gz", "curl -fLo image.tar https://host/a/image.tar.gz"),
        ("s3://bucket/a/image.tar", "aws s3 cp s3://bucket/a/image.tar image.tar"),
        ("gs://bucket/image.tar", "gcloud storage cp gs://bucket/image.tar image.tar"),
        ("abfs://container/image.tar", ""),
    ],
)
def test_the_line_for_each_place(word: str, line: str) -> None:
    assert copying(word) == line


def test_a_name_without_a_tag_is_saved_with_the_one_that_came() -> None:
    """docker save of a name alone writes all its tags."""
    assert copying("docker:shop", ["shop:latest"]) == "docker save shop:latest -o image.tar"
    assert copying("docker:shop:1.4", ["shop:1.4"]) == "docker save shop:1.4 -o image.tar"
    assert copying("docker:4bb46517cac3") == "docker save 4bb46517cac3 -o image.tar"


@pytest.mark.parametrize("rest", ["$(touch x)", "a;b", "'", "`id`", "a\nb"])
def test_no_line_runs_anything_else(rest: str) -> None:
    for word in (f"https://host/{rest}", f"s3://b/{rest}", f"docker:{rest}"):
        line = copying(word)
        if "\n" not in rest:
            assert rest in " ".join(shlex.split(line)) and len(shlex.split(line)) <= 5
        else:
            assert "\n" not in line
