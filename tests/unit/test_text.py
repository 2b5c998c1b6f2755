"""Sizes, counts and history lines as people say them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagepeel import text
from imagepeel.history.builders import instruction


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
    assert text.size(count) == shown


@given(st.integers(0, 10**16))
def test_a_size_is_short_and_near(count: int) -> None:
    number, unit = text.size(count).split(" ")
    scale = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "PB": 10**15}[unit]
    assert abs(float(number.replace(",", "")) * scale - count) <= 0.0051 * max(count, 1)


def test_counts_and_lists() -> None:
    assert text.plural(1, "entry") == "1 entry"
    assert text.plural(2_120, "entry") == "2,120 entries"
    assert text.plural(2, "key") == "2 keys"
    assert text.few(5) == "five" and text.few(14) == "14" and text.few(0) == "no"
    assert text.joined(["a"]) == "a" and text.joined(["a", "b", "c"]) == "a, b and c" and text.joined([]) == ""
    assert text.exact(1) == "1 byte" and text.exact(4_301_312) == "4,301,312 bytes"


def test_a_long_list_counts_what_it_leaves_out() -> None:
    assert text.listed(["a", "b"]) == "a and b" and text.listed([]) == ""
    assert text.listed(["a", "b", "c"], 2) == "a, b and 1 more"
    assert text.listed([str(n) for n in range(2_000)], 1) == "0 and 1,999 more"


@given(st.text(), st.integers(21, 200))
def test_a_cut_text_fits_and_begins_as_the_whole_does(words: str, width: int) -> None:
    for cut in (text.shortened(words, width), text.without_middle(words, width)):
        assert len(cut) <= width
        assert cut == words or (len(words) > width and words.startswith(cut.partition("...")[0]))
    if len(words) > width:
        assert text.without_middle(words, width).endswith(words[-17:])


def test_programs_keep_their_small_letter() -> None:
    assert text.title("containerd refuses") == "containerd refuses"
    assert text.title("it refuses") == "It refuses"


def test_long_digests_are_cut() -> None:
    assert text.short_digests(f"blobs/sha256/{'ab' * 32}") == "blobs/sha256/abababababab..."
    assert text.short_digests(f"{'0' * 64}.json") == "000000000000...json"
    assert text.short_digests("deadbeef") == "deadbeef"


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
    assert text.percent(part) == shown


def test_a_decimal_is_digits_of_ascii() -> None:
    assert [text.decimal(word) for word in ("0", "007", b"12", "9" * 18)] == [0, 7, 12, 10**18 - 1]
    assert [text.decimal(word) for word in ("", "-1", "¹", "٣", "1 ", "9" * 19, "9" * 5000, b"x")] == [None] * 8
