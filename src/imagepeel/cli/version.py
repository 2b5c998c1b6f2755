"""`imagepeel version`: what a bug report needs."""

from __future__ import annotations

import click

from imagepeel.cli import common, documents
from imagepeel.cli.settings import Settings

LIBRARIES = ("click", "jinja2", "msgspec", "pyelftools", "python-magic", "rich", "zlib-ng", "zstandard", "pylibmagic")


@click.command()
@common.output
@documents.forms
@common.settings
def command(settings: Settings) -> None:
    """Show the versions that a bug report needs."""
    import platform  # start time
    from importlib.metadata import PackageNotFoundError, version  # start time

    from imagepeel._version import __version__  # start time
    from imagepeel.interop.magic_label import libmagic  # start time
    from imagepeel.present.version import version_document  # start time
    from imagepeel.results.version import VersionResult  # start time

    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    result = VersionResult(
        imagepeel=__version__,
        python=platform.python_version(),
        system=platform.platform(),
        libraries=found,
        libmagic="present" if libmagic() is not None else "",
    )
    documents.show(settings, "version", result, version_document)
