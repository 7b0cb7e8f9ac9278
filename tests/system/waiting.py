# SPDX-License-Identifier: Apache-2.0
"""Waiting for something to become true, with a deadline. Nothing else sleeps.

    VULNBUS_SLOW  how many times longer each deadline is; for programs that a tool slows down (1)
"""

import os
import time

SLOW = float(os.environ.get("VULNBUS_SLOW", "1"))


class TooLate(AssertionError):
    pass


def until(condition, what, within=20.0, every=0.02):
    """Returns the first true value of condition(), or fails after `within` seconds."""
    within *= SLOW
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise TooLate(f"not within {within:g} s: {what}")
        time.sleep(every)
