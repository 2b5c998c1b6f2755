"""`python -m imagepeel`: the same as the `imagepeel` command."""

from __future__ import annotations

from imagepeel.cli import main

if __name__ == "__main__":
    main()
