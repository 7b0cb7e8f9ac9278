# SPDX-License-Identifier: Apache-2.0
"""What can be seen of a process, or kept from it, from outside."""

import ctypes
import errno
import os
import platform
import re
import struct
from pathlib import Path

LANDLOCK_CREATE_RULESET = 444
SECCOMP, PRCTL = {"x86_64": (317, 157), "aarch64": (277, 167)}.get(platform.machine(), (None, None))
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06        # BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K, BPF_RET|BPF_K
ALLOW, REFUSE = 0x7fff0000, 0x00050000 | errno.ENOSYS
NUMBER, FIRST_ARGUMENT = 0, 16                # offsets in struct seccomp_data


def _filter(steps):
    """Puts a seccomp filter on the calling process, as of an older kernel."""
    code = b"".join(struct.pack("HBBI", *step) for step in steps)
    held = ctypes.create_string_buffer(code, len(code))

    class Program(ctypes.Structure):
        _fields_ = [("count", ctypes.c_ushort), ("code", ctypes.c_void_p)]

    program = Program(len(steps), ctypes.addressof(held))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or \
            libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program)):
        raise OSError(ctypes.get_errno(), "seccomp")


def without_landlock():
    _filter([(LOAD, 0, 0, NUMBER), (EQUAL, 0, 1, LANDLOCK_CREATE_RULESET), (RETURN, 0, 0, REFUSE),
             (RETURN, 0, 0, ALLOW)])


def without_seccomp():
    _filter([(LOAD, 0, 0, NUMBER), (EQUAL, 4, 0, SECCOMP), (EQUAL, 0, 2, PRCTL),
             (LOAD, 0, 0, FIRST_ARGUMENT), (EQUAL, 1, 0, PR_SET_SECCOMP), (RETURN, 0, 0, ALLOW),
             (RETURN, 0, 0, REFUSE)])


def threads(process):
    """/proc/pid/task/*/status of each, as mappings."""
    for status in Path(f"/proc/{process.pid}/task").glob("*/status"):
        yield dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)


def places_in_memory(process, needle: bytes):
    """(how often what a core dump would hold has `needle`, how often the rest has it); "dd" in VmFlags is
    "do not include area into core dump" (proc(5))."""
    dumped = kept = 0
    region = None
    with open(f"/proc/{process.pid}/mem", "rb", buffering=0) as memory:
        for line in Path(f"/proc/{process.pid}/smaps").read_text().splitlines():
            if found := re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line):
                region = int(found[1], 16), int(found[2], 16), found[3]
            if not line.startswith("VmFlags:") or "r" not in region[2]:
                continue
            memory.seek(region[0])
            try:
                count = memory.read(region[1] - region[0]).count(needle)
            except OSError:       # of the kernel: [vvar]
                continue
            if " dd " in line + " ":
                kept += count
            else:
                dumped += count
    return dumped, kept


def open_files(process):
    return len(os.listdir(f"/proc/{process.pid}/fd"))
