"""Decode for the first time in several threads at once, in one fresh process after the other, and count the dead.

    python tests/soak/first_decode.py SECONDS

A process that has imported the library and decoded nothing yet forks; each child lets four threads do the same first
decode, conversion or schema, while the interpreter switches threads as often as it can.  Prints one line of JSON:
children started, and how many ended other than well, by exit status.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
import time
import traceback
from collections import Counter

MAKE_INDEX = """
import sys, tempfile, imagepeel
from imagepeel import forge
from imagepeel.layers.index_codec import encode
from imagepeel.limits import DEFAULT
spec = forge.image(forge.layer(*(forge.file(f"f{n}", "x") for n in range(50))))
file = tempfile.NamedTemporaryFile()
forge.write(spec, file.name)
with imagepeel.open(file.name) as archive:
    image = archive.image()
    image.scan()
    sys.stdout.buffer.writelines(encode(image.layers[0].facts, DEFAULT))
"""


def main(seconds: float) -> int:
    index = subprocess.run([sys.executable, "-c", MAKE_INDEX], capture_output=True, check=True).stdout

    from imagepeel.findings import gate
    from imagepeel.layers.index_codec import decode
    from imagepeel.limits import DEFAULT
    from imagepeel.present.document import schema as story_schema
    from imagepeel.render.schemas import schema_of

    firsts = (
        lambda: decode(io.BytesIO(index), DEFAULT),
        lambda: decode(io.BytesIO(index), DEFAULT),
        lambda: gate.read_baseline(b'{"schema":"imagepeel/baseline/1","findings":[]}', "baseline"),
        lambda: gate.read_options({"fail-on": "high"}),
        lambda: schema_of("layers"),
        story_schema,
    )

    def child(number: int) -> None:
        sys.setswitchinterval(1e-6)
        barrier = threading.Barrier(4)

        def run() -> None:
            barrier.wait()
            try:
                firsts[number % len(firsts)]()
            except BaseException:
                traceback.print_exc()
                os._exit(1)

        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    ended: Counter[int] = Counter()
    deadline = time.monotonic() + seconds
    number = 0
    while time.monotonic() < deadline:
        pid = os.fork()
        if not pid:
            try:
                child(number)
            finally:
                os._exit(0)
        number += 1
        ended[os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])] += 1
    ended.pop(0, None)
    print(json.dumps({"started": number, "died": {str(status): count for status, count in ended.items()}}))
    return 1 if ended else 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1])))
