"""The reverse of `imagepeel.process`: from what an operator reads to the failures that print it.

`texts.json` has the words of every judge, taken from predictions of the scenarios of the tests; the words that engines
and runtimes put around them are asked of `process.engines` itself.

Internal: `imagepeel.why` and `image.why` hand out what it finds.
"""
