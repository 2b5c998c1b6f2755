"""Every byte of an archive and of a layer accounted for, and the opening bytes of a file field by field.

Internal: what other programs may use is `imagepeel` and the packages that its docstring names.
"""
