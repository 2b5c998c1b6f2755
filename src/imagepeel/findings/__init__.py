"""Findings: what will surprise people about an image, each with the rule that knows it and the bytes that prove it.

Start with `examine.examine`.  A rule is a piece of data and one pure check in `rules/`; what layers do to each other is
told once, in `semantics/`.

Internal: what other programs may use is `imagepeel` and the packages that its docstring names.
"""
