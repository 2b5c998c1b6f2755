"""ld.so of glibc and musl: which libraries a program needs, where they are found, which symbols are missing.

`closure` chooses between the two; `common` holds what they share.
"""
