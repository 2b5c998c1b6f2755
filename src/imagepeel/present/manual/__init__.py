"""The Container Operator's Manual of an image: strengths, weaknesses, friends, people."""
