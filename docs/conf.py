"""How the pages of this folder become a site: `make docs`."""

from __future__ import annotations

import sys
from pathlib import Path

import imagepeel

sys.path.insert(0, str(Path(__file__).parent))
from screenshots import browser

project = "imagepeel"
author = "the imagepeel project"
copyright = "the imagepeel project, Apache-2.0"  # noqa: A001
version = release = imagepeel.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["README.md", "_site"]
html_theme = "furo"
html_title = "imagepeel"
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
# Pages refer to headings as GitHub does, and to files of the tree that are no pages.
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
# One backtick in a docstring is code.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
highlight_language = "text"

if browser() is not None:
    tags.add("screenshots")  # noqa: F821  Sphinx brings it; make docs takes the pictures right after the pages
