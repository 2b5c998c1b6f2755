"""Say what happens to an image on several engines; exit code 1 where it does not start on one of them.

python examples/predict_start.py ARCHIVE ENGINE...
"""

import sys

import imagepeel


def main(path: str, *engines: str) -> int:
    with imagepeel.open(path) as archive:
        image = archive.image()
        predictions = [image.process(engine=engine) for engine in engines or ("docker", "podman", "k8s")]
    for prediction in predictions:
        verdict = prediction.verdict
        print(f"{prediction.engine}: {verdict.kind} {verdict.text or prediction.execve}")
    return 0 if all(prediction.verdict for prediction in predictions) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
