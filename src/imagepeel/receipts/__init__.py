"""Plain shell commands that show the same fact without imagepeel, one for each kind of place.

Internal: what other programs may use is `imagepeel` and the packages that its docstring names.
"""
