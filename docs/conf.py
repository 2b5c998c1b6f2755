"""How the pages of this folder become a site: `make docs`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from sphinx.pycode import ModuleAnalyzer

import imagepeel

sys.path.insert(0, str(Path(__file__).parent))
from screenshots import browser

project = "imagepeel"
author = "the imagepeel project"
copyright = "the imagepeel project, Apache-2.0"
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


def _words_of_data(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:  # noqa: PLR0917
    """Describe a public constant where it is made: autodoc looks only where it is named."""
    package, _, member = name.rpartition(".")
    if what == "data":
        lines.clear()
        for module in [module for module in sys.modules if module.startswith(f"{package}.")]:
            lines += ModuleAnalyzer.for_module(module).find_attr_docs().get(("", member), [])


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _words_of_data)
