"""What a prediction is asked and what it answers: options, the process of the image, the values of a trace.

Start with `values.Prediction`; `failure` has the judges, the stages and the names of all ways to fail.
"""
