"""The only code that writes parts of an image to disk, always because it was asked to.

Internal: what other programs may use is `imagepeel` and the packages that its docstring names.
"""
