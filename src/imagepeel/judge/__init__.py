"""Programs that unpack layers or start bundles, held against what real ones do: `imagepeel judge`.

`command` runs any program in an empty folder; `layers` and `starts` hold the two kinds of cases, `verdict` what comes
out, `document` how it is shown.  Each case is a recipe of the forge with answers of real tools
(`cases/*.json`).

Internal: what other programs may use is `imagepeel` and the packages that its docstring names.
"""
