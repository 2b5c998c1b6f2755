"""The course that `imagepeel workshop` writes: ten levels, each with a page, an exercise, a checker and a solution.

`course` is the list of levels and writes the folder, `level` what a level is made of, `levels/` one module a level.
The pages are Markdown files in `pages/`, what learners start from lies in `files/`.

Internal: what other programs may use is `imagepeel` and the packages that its docstring names.
"""
