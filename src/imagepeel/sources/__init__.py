"""Images where they are: what a word names that is no file, and how its bytes come here.

Loaded only for a word that is no file.  `words.py` says what a word means, `table.py` which module answers,
`request.py` what it may cost.  Everything else in imagepeel works without network.

Internal: what other programs may use is `imagepeel` and the packages that its docstring names.
"""
