"""What hashes of passwords took is given back to the system."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

LEFT_MIB = 10
"""Less than one hash takes, more than all else that the process does meanwhile."""

WORK = """
from concurrent.futures import ThreadPoolExecutor
from argon2 import PasswordHasher
from adapters import allocator

def resident():
    with open("/proc/self/statm") as facts:
        return int(facts.read().split()[1]) * 4096 / 2**20

allocator.use_one_arena()
hasher = PasswordHasher(time_cost=1, memory_cost=19456, parallelism=1)
with ThreadPoolExecutor(1) as pool:
    before = resident()
    for _ in range(4):
        pool.submit(hasher.hash, "x").result()
    kept = resident()
    allocator.give_back()
    print(kept - before, resident() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other libraries keep nothing")
def test_memory_of_hashes_is_given_back() -> None:
    """The threads that hash live on, and yet the process is as small as it was."""
    done = subprocess.run(
        [sys.executable, "-c", WORK], check=True, capture_output=True, text=True, timeout=60
    )
    kept, left = map(float, done.stdout.split())
    assert kept > LEFT_MIB, "nothing was kept, so this proves nothing"
    assert left < LEFT_MIB
