"""Which process an image becomes: a prediction with proof, per engine, that executes nothing.

Start with `predict.predict`.  A start passes four judges, and each has its folder: `engines` (engine and runtime),
`kernel`, `loader`; `shell` and `wrappers` follow programs that start another one; `spec` holds the values.

Internal: what other programs may use is `imagepeel` and the packages that its docstring names.
"""
