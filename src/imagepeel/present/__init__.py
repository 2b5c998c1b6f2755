"""Values and results become documents without style: sections of claims, lists and tables, each with its evidence.

`document` is the form.  Each command that shows something has one module here with one function from its result to a
`Document`; `story/` holds the six chapters of explain and `manual/` the operator's manual, whose document is their
result.  Terminal, HTML, Markdown and the card in a notebook are made from the document by one renderer each
(`render/`), so nothing here knows a width, a colour or an escape.

How to add one, with `waste` and `views` as patterns:

1. `results/<command>.py`: the type that `--json` writes, and the function that fills it.
2. `present/<command>.py`: `<command>_document(result)`.  Begin with `about(result.image, ...)` from `heading`, give it
   a `section(...)` for each group of lines, and build blocks with `say` (a sentence), `items` (lines with labels, and
   what belongs to them below) and `Table` (a `Column` says what a narrow terminal may do to it).  What can be proved
   carries its `Evidence`: `--receipts` prints it below the block and HTML folds it.
3. `cli/<command>.py`: `@documents.forms` adds --json, --html and --markdown; `documents.show` writes the form.

Internal: what other programs may use is `imagepeel` and the packages that its docstring names.
"""
