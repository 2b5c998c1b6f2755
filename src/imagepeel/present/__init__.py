"""Values become documents without style: chapters, claims, tables, each with its evidence.

`document` is the form; `story/` holds the six chapters of explain and `manual/` the operator's manual.
"""
