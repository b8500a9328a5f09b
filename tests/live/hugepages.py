# SPDX-License-Identifier: Apache-2.0
"""Hugepages for the length of a test: reserved, and given back."""

import atexit
import os
import subprocess
import tempfile

PATH = "/proc/sys/vm/nr_hugepages"


class HugePages:
    """mount: a hugetlbfs of our own too, as DPDK's secondary processes need one."""

    def __init__(self, megabytes, mount=False):
        self.before, self.mounted = None, None
        want = megabytes // 2
        try:
            with open(PATH, encoding="ascii") as f:
                self.before = int(f.read())
            self.write(self.before + want)
            atexit.register(self.close)
            with open(PATH, encoding="ascii") as f:
                self.ok = int(f.read()) >= self.before + want
        except OSError:
            self.ok = False
        if self.ok and mount:
            self.mounted = tempfile.mkdtemp(prefix="phonehome-huge-")
            r = subprocess.run(["mount", "-t", "hugetlbfs", "none", self.mounted], check=False)
            self.ok = r.returncode == 0

    @staticmethod
    def write(n):
        with open(PATH, "w", encoding="ascii") as f:
            f.write(str(n))

    def close(self):
        if self.mounted:
            subprocess.run(["umount", self.mounted], check=False)
            os.rmdir(self.mounted)
            self.mounted = None
        if self.before is not None:
            self.write(self.before)
            self.before = None
