"""Which of the 155 recorded layer cases real stores refuse to load, beside what their extractors made of them.

`refused_by_stores.json` names for each case, packed as a docker-archive, who refused it: dockerd 20.10.24 and podman
4.3.1 on overlay, ctr 1.6.20.  Where such a load and a recorded extractor differ, the load is right.
"""

from __future__ import annotations

import pytest
from recorded import PRESENT, REFUSED, RESULTS, load

from imagepeel.rootfs.engines.tar_split import SENTENCE
from imagepeel.rootfs.view import build

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not PRESENT, reason="../shared/conformance/layers is not beside the checkout"),
]

VIEWS = {"docker@20.10": "docker@20.10", "podman@4.3": "podman", "containerd@1.6": "runtime"}
NEWER = {("T25_dev_range", "containerd@1.6"): "the runtime view is a later containerd, which checks device numbers"}


@pytest.mark.parametrize("case", sorted(RESULTS))
def test_the_views_refuse_what_the_stores_refused(case: str) -> None:
    layers = load(case)
    ours = [store for store, view in VIEWS.items() if build(layers, view).refusal is not None]
    assert [store for store in ours if (case, store) not in NEWER] == REFUSED[case]


def test_extractors_alone_take_a_path_twice_and_stores_do_not() -> None:
    twice = [case for case in RESULTS if (found := build(load(case), "podman").refusal) and found.reason == SENTENCE]
    assert len(twice) >= 7
    for case in twice:
        assert "podman@4.3" in REFUSED[case] and "docker@20.10" in REFUSED[case]
