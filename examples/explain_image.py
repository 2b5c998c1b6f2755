"""Print the story of an image, or one chapter of it with the commands that prove it.

python examples/explain_image.py ARCHIVE [CHAPTER]
"""

import sys

import imagepeel


def main(path: str, chapter: str = "") -> None:
    with imagepeel.open(path) as archive:
        story = archive.image().explain()
    if not chapter:
        print(story)
        return
    for evidence in story.chapter(chapter).evidence():
        for receipt in evidence.receipts:
            print(receipt.command)


if __name__ == "__main__":
    main(*sys.argv[1:3])
