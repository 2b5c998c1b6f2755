"""The terminal to walk in: `imagepeel browse`.

`tree`, `search`, `looks`, `lines` and `out` know no terminal: which rows are open, what matches, what is shown of a
path, how a line looks, and what is written.  `rows` is the one widget, a list of lines that may be a million long;
`screens` are what lies over the panes, and `app` joins all.  Needs the extra `imagepeel[tui]` (Textual).

Internal: what other programs may use is `imagepeel` and the packages that its docstring names.
"""
