"""Sizes, counts and history lines as people say them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagepeel.history.builders import instruction
from imagepeel.present import words


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (9_994, "9.99 kB"),
        (9_995, "10.0 kB"),
        (99_949, "99.9 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (61_300_000, "61.3 MB"),
        (2_000_000_000, "2.00 GB"),
    ],
)
def test_sizes(count: int, shown: str) -> None:
    assert words.size(count) == shown


@given(st.integers(0, 10**16))
def test_a_size_is_short_and_near(count: int) -> None:
    number, unit = words.size(count).split(" ")
    scale = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "PB": 10**15}[unit]
    assert abs(float(number.replace(",", "")) * scale - count) <= 0.0051 * max(count, 1)


def test_counts_and_lists() -> None:
    assert words.plural(1, "entry") == "1 entry"
    assert words.plural(2_120, "entry") == "2,120 entries"
    assert words.plural(2, "key") == "2 keys"
    assert words.few(5) == "five" and words.few(14) == "14" and words.few(0) == "no"
    assert words.joined(["a"]) == "a" and words.joined(["a", "b", "c"]) == "a, b and c" and words.joined([]) == ""
    assert words.exact(1) == "1 byte" and words.exact(4_301_312) == "4,301,312 bytes"


def test_programs_keep_their_small_letter() -> None:
    assert words.title("containerd refuses") == "containerd refuses"
    assert words.title("it refuses") == "It refuses"


def test_long_digests_are_cut() -> None:
    assert words.brief(f"blobs/sha256/{'ab' * 32}") == "blobs/sha256/abababababab..."
    assert words.brief(f"{'0' * 64}.json") == "000000000000...json"
    assert words.brief("deadbeef") == "deadbeef"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('/bin/sh -c #(nop) CMD ["sh"]', 'CMD ["sh"]'),
        ("/bin/sh -c #(nop)  ENV A=b", "ENV A=b"),
        ("/bin/sh -c apt-get update && \t apt-get install x", "RUN apt-get update && apt-get install x"),
        ("RUN /bin/sh -c rm .env # buildkit", "RUN rm .env"),
        ("COPY . . # buildkit", "COPY . ."),
        ("|1 VERSION=3 /bin/sh -c make", "RUN make"),
        ("RUN |2 A=1 B=x y /bin/sh -c make # buildkit", "RUN make"),
        ("/bin/bash -euo pipefail -c apt-get update", "RUN apt-get update"),
        ("/bin/ash -eo pipefail -c #(nop)  ENV A=b", "ENV A=b"),
        ('CMD ["sh" "-c" "x"]', 'CMD ["sh","-c","x"]'),
        ("EXPOSE map[80/tcp:{}]", "EXPOSE 80/tcp"),
        ("bazel build ...", "bazel build ..."),
        ("", ""),
    ],
)
def test_history_lines_read_like_a_dockerfile(line: str, shown: str) -> None:
    assert instruction(line) == shown


@given(st.text())
def test_any_history_line_is_read(line: str) -> None:
    assert "\n" not in instruction(line)


@pytest.mark.parametrize(
    ("part", "shown"), [(1.0, "100.0 %"), (0.99998, "99.9 %"), (0.432909, "43.3 %"), (0.0, "0.0 %")]
)
def test_a_hundred_percent_is_all_of_it(part: float, shown: str) -> None:
    """200,356,428 of 200,359,378 bytes are not everything."""
    assert words.percent(part) == shown
