"""Shell scripts as a tree: `lexer` makes words, `parser` commands, `tree` holds both.

Nothing is run; what a script does is told by `process.shell`.
"""
