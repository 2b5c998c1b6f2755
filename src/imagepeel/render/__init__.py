"""Renderers: the same values for a terminal, HTML, JSON, Markdown and notebooks.

Text of an image is escaped here and nowhere else, by `escape`, once for each medium.  jinja2 is imported by
`render.html` only.

Internal: what other programs may use is `imagepeel` and the packages that its docstring names.
"""
