"""What a deployment asks of an image: pods, compose files, quadlets and command lines of docker, judged.

Internal: `imagepeel.start` is the way in.
"""
