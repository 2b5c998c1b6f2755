"""What a prediction is asked and what it answers: options, engine profiles, the wanted process, the values of a trace.

Start with `values.Prediction`.
"""
