"""One family of errors: each has a stable code, an exit code, a place and a hint.

Every error that imagepeel raises on purpose is an `ImagepeelError`.  A person reads three lines: what is
wrong, where (member, layer, entry, byte offset or JSON pointer) and what to do about it.
Causes and remedies stand in `docs/reference/errors.md`.

    ImagepeelError          70
    +-- UsageError           2
    +-- NotAnImage          10
    +-- Unsupported         10
    +-- Malformed           11
    +-- DigestMismatch      12
    +-- LimitExceeded       13
    +-- NotFound            14
    |   +-- MissingBlob     14
    |   +-- PathNotFound    14
    |   +-- NotADirectory   14
    |   +-- IsADirectory    14
    +-- Ambiguous           15
    +-- FetchFailed         16
"""

from __future__ import annotations

import errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar

    from imagepeel.evidence import Location


EXIT_CODES = {
    0: "the result is complete; also when a reader closed the pipe early (`| head`)",
    1: "the answer is no: findings at or above `--fail-on`, differences (`diff --exit-code`), a start "
    "that does not succeed (`process --exit-code`), a text that nobody is known to write (`why`), "
    "wrong answers (`quiz`)",
    2: "the command line itself is wrong: an unknown option or view, a name that contradicts another option",
    10: "the bytes are no image archive, or one of a kind that cannot be read",
    11: "the bytes claim a format and break its rules: damaged or cut off",
    12: "bytes do not have the digest or size that a document states",
    13: "a bound was reached that protects this machine",
    14: "the reference, layer, path or blob that was asked for is not there",
    15: "several images could be meant",
    16: "a registry, an engine or a server was not reached, refused, or broke off",
    70: "imagepeel failed, or this machine did (disk full, I/O error): please report the former",
    130: "interrupted with Ctrl-C",
    143: "ended by SIGTERM",
}
"""Every exit code of the program and its meaning, as `docs/reference/exit-codes.md` has them.  None ever changes."""

COMPLETE, ANSWER_IS_NO, USAGE, INTERNAL, INTERRUPTED, TERMINATED = 0, 1, 2, 70, 130, 143
"""The exit codes that are not only those of an error class."""


class ImagepeelError(Exception):
    """Root of all errors raised on purpose.

    Arguments: `what` is one sentence without a final full stop; `where` the place it is about; `hint` one
    sentence that says what to do.  Neither may hold escaped text: escaping happens where it is printed.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = INTERNAL
    remedy: ClassVar[str] = ""
    """What to do about an error of this class that brings no hint of its own."""

    def __init__(self, what: str, where: Location | None = None, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint

    def __reduce__(self) -> tuple[type[ImagepeelError], tuple[str, Location | None, str]]:
        return type(self), (self.what, self.where, self.hint)

    def __str__(self) -> str:
        place = f" ({self.where})" if self.where is not None and str(self.where) else ""
        return f"{self.what}{place}"


class UsageError(ImagepeelError):
    """The call itself cannot be carried out: contradicting options, an unknown view, a bad pattern.

    `about` is the file of settings that is wrong, with its line where it is known; "" where it is the call.
    """

    code = "usage"
    remedy = "see imagepeel COMMAND --help"
    exit_code = USAGE

    def __init__(self, what: str, where: Location | None = None, hint: str = "", about: str = "") -> None:
        super().__init__(what, where, hint)
        self.about = about

    def __reduce__(self) -> tuple[type[UsageError], tuple[str, Location | None, str, str]]:  # type: ignore[override]
        return type(self), (self.what, self.where, self.hint, self.about)


class NotAnImage(ImagepeelError):
    """The bytes are no image archive of any known kind."""

    code = "not-an-image"
    remedy = "give a file made by docker save, podman save or skopeo copy, or an OCI layout directory"
    exit_code = 10


class Unsupported(ImagepeelError):
    """The bytes are recognised but cannot be read: SIF, squashfs layers, encrypted layers."""

    code = "unsupported"
    remedy = "copy the image again as docker-archive or oci-archive"
    exit_code = 10


class Malformed(ImagepeelError):
    """The bytes claim a format and break its rules."""

    code = "malformed"
    remedy = "fetch or save the image again"
    exit_code = 11


class DigestMismatch(ImagepeelError):
    """Bytes do not have the digest or size that a document states."""

    code = "digest-mismatch"
    remedy = "do not trust the file; fetch it again from where it came"
    exit_code = 12


class LimitExceeded(ImagepeelError):
    """A bound of `Limits` was reached; reading stopped to protect this machine."""

    code = "limit-exceeded"
    remedy = "leave out --limits strict, or use the Python API with larger Limits for a file that you trust"
    exit_code = 13


class NotFound(ImagepeelError):
    """The reference, layer or path that was asked for does not exist."""

    code = "not-found"
    remedy = "see what is there with imagepeel images and imagepeel ls"
    exit_code = 14


class PathNotFound(NotFound, FileNotFoundError):
    """There is nothing at a path, of an image or of this machine: also a `FileNotFoundError`, as for any file.

    `filename` is the path that is missing where it is known, `errno` is ENOENT.
    """

    def __init__(self, what: str, where: Location | None = None, hint: str = "") -> None:
        super().__init__(what, where, hint)
        _as_os_error(self, errno.ENOENT)


class NotADirectory(NotFound, NotADirectoryError):
    """A path goes through, or was listed as, a directory that is none: also a `NotADirectoryError`."""

    def __init__(self, what: str, where: Location | None = None, hint: str = "") -> None:
        super().__init__(what, where, hint)
        _as_os_error(self, errno.ENOTDIR)


class IsADirectory(NotFound, IsADirectoryError):
    """The content of a directory was asked for, which has none: also an `IsADirectoryError`."""

    def __init__(self, what: str, where: Location | None = None, hint: str = "") -> None:
        super().__init__(what, where, hint)
        _as_os_error(self, errno.EISDIR)


def _as_os_error(error: PathNotFound | NotADirectory | IsADirectory, number: int) -> None:
    """Fill in what code for files reads from an `OSError`."""
    error.errno = number
    error.strerror = error.what
    error.filename = error.where.path if error.where is not None else None


class Ambiguous(ImagepeelError):
    """Several images match; the message lists the candidates."""

    code = "ambiguous"
    remedy = "choose one with --image or --platform"
    exit_code = 15


class MissingBlob(NotFound):
    """The bytes were asked for and the archive does not carry that blob."""

    code = "missing-blob"
    remedy = "save or copy the image again with all its layers"


class FetchFailed(ImagepeelError):
    """A registry, an engine or a server was not reached, refused, or broke off; nothing is known of the image."""

    code = "fetch-failed"
    remedy = "try again, or copy the image to a file with skopeo copy or docker save"
    exit_code = 16


ALL_ERRORS: tuple[type[ImagepeelError], ...] = (
    UsageError,
    NotAnImage,
    Unsupported,
    Malformed,
    DigestMismatch,
    LimitExceeded,
    NotFound,
    MissingBlob,
    PathNotFound,
    NotADirectory,
    IsADirectory,
    Ambiguous,
    FetchFailed,
)
"""Every concrete error class, in the order of the reference page."""
