# SPDX-License-Identifier: Apache-2.0
"""Waiting for something to become true, with a deadline. Nothing else sleeps."""

import time


class TooLate(AssertionError):
    pass


def until(condition, what, within=20.0, every=0.02):
    """Returns the first true value of condition(), or fails after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise TooLate(f"not within {within:g} s: {what}")
        time.sleep(every)
