"""What all unit tests share."""

from __future__ import annotations

import gc


def pytest_collection_finish() -> None:
    """Keep the garbage collector away from what lives as long as the run: modules and collected tests.

    Each run of verify's suite is a pytest session of its own, which collects garbage twice.
    """
    gc.collect()
    gc.freeze()
