"""Say what to do so that nothing is shipped in vain, the largest saving first.

python examples/plan_a_smaller_image.py ARCHIVE
"""

import sys

import imagepeel


def main(path: str) -> None:
    with imagepeel.open(path) as archive:
        plan = archive.image().slim()
    for step in plan.steps:
        print(f"{step.content} bytes: {step.what}: {step.do}")
        for line in step.dockerfile:
            print(f"    {line}")
    print(f"{plan.content} become {plan.content_after} bytes")


if __name__ == "__main__":
    main(sys.argv[1])
