"""`imagepeel version`: what a bug report needs."""

from __future__ import annotations

import click

from imagepeel.cli import common
from imagepeel.cli.settings import Settings

LIBRARIES = ("click", "jinja2", "msgspec", "pyelftools", "python-magic", "rich", "zlib-ng", "zstandard", "pylibmagic")


@click.command()
@common.output
@common.json
@common.settings
def command(settings: Settings) -> None:
    """Show the versions that a bug report needs."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    from imagepeel._version import __version__
    from imagepeel.interop.magic_label import libmagic
    from imagepeel.results.version import VersionResult

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
    if settings.json:
        from imagepeel.render.json import dumps

        click.echo(dumps("version", result))
        return
    click.echo(f"imagepeel {result.imagepeel}")
    click.echo(f"Python {result.python} on {result.system}")
    for name, known in result.libraries.items():
        click.echo(f"  {name} {known or 'absent'}")
    click.echo(f"  libmagic {result.libmagic or 'absent: own signatures label contents'}")
