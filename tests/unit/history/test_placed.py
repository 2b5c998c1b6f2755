"""At which lines of a Dockerfile a step stands: the right ones, or none."""

from __future__ import annotations

from imagepeel.history.attested import SourceLines
from imagepeel.history.placed import deciding_step, lines_of_steps
from imagepeel.oci.config import HistoryStep

DOCKERFILE = """\
# syntax=docker/dockerfile:1
FROM debian AS build
WORKDIR /app
RUN make

FROM debian
run apt-get update && \\
    # a comment does not end it

    apt-get install -y curl
WORKDIR /app
COPY --from=build --chown=1:1 /app/out /app/
RUN --mount=type=cache,target=/x <<EOF
USER root
EOF
USER  1000
ENTRYPOINT [ "/app/out", "a b" ]
RUN make
"""


def lines(*steps: str, source: str = DOCKERFILE) -> list[tuple[int, int] | None]:
    found = lines_of_steps(source, [HistoryStep(created_by=step) for step in steps])
    return [(one.first, one.last) if one is not None else None for one in found]


def test_instructions_are_found_over_continuations_flags_and_lists() -> None:
    assert lines(
        "/bin/sh -c #(nop) ADD file:0 in / ",
        "RUN /bin/sh -c apt-get update &&     apt-get install -y curl # buildkit",
        "COPY /app/out /app/ # buildkit",
        "USER 1000",
        'ENTRYPOINT ["/app/out" "a b"]',
    )[:4] == [None, (7, 10), (12, 12), (16, 16)]
    assert lines('/bin/sh -c #(nop)  ENTRYPOINT ["/app/out","a b"]') == [(17, 17)]


def test_what_stands_there_twice_or_in_a_heredoc_has_no_line() -> None:
    assert lines("RUN /bin/sh -c make # buildkit", "WORKDIR /app", "USER root") == [None, None, None]


def test_another_escape_and_no_history_have_no_lines() -> None:
    assert lines("USER 1000", source="# escape=`\nFROM x\nUSER 1000\n") == [None]
    assert lines("USER 1000", source="") == [None] and lines_of_steps(DOCKERFILE, ()) == ()
    assert lines("USER 1000", source="FROM x\r\nUSER 1000\r\n") == [(2, 2)]


def test_the_last_instruction_decides_a_field_of_the_config() -> None:
    history = [
        HistoryStep(created_by=step) for step in ("USER 1", "RUN /bin/sh -c x # buildkit", "USER 2", 'CMD ["x"]')
    ]
    assert (deciding_step("User", history), deciding_step("Cmd", history)) == (2, 3)
    assert deciding_step("Entrypoint", history) is None and deciding_step("Labels", history) is None
    assert lines_of_steps("FROM x\nUSER 1\nUSER 2\n", history)[2] == SourceLines(first=3, last=3)
