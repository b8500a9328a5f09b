#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Real mix: CPU seconds (user + system) of `phonehome scan` beside ndpiReader and Suricata on one large capture.

    tests/bench/bench_mix.py BUILD CAPTURE [ROUNDS]

The programs run in turn, ROUNDS times (default 5), so that a noisy minute hits all of them; medians and ratios are
printed as a Markdown table. A peer that is not installed is left out, and said to be. Suricata runs without rules and outputs.
"""
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile


def cpu_seconds(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done.returncode, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    if len(sys.argv) not in (3, 4):
        print(__doc__, file=sys.stderr)
        return 2
    build, capture = sys.argv[1], sys.argv[2]
    rounds = int(sys.argv[3]) if len(sys.argv) == 4 else 5
    work = tempfile.mkdtemp()
    scan = [os.path.join(build, "ctl", "phonehome"), "scan", "--packs", "signatures/packs"]
    commands = {
        "phonehome scan": scan + [capture],
        "phonehome scan --flows --json": scan + ["--flows", "--json", capture],
        "phonehome scan --ndpi all": scan + ["--ndpi", "all", capture],
        "ndpiReader -q": ["ndpiReader", "-q", "-i", capture],
        "suricata": ["suricata", "-r", capture, "-l", work, "-S", "/dev/null", "--runmode", "single",
                     "--set", "outputs="],
    }
    times = {name: [] for name in commands if shutil.which(commands[name][0])}
    for name in commands:
        if name not in times:
            print(f"{name}: not installed here, left out\n")
    for _ in range(rounds):
        for name in times:
            code, seconds = cpu_seconds(commands[name])
            if code not in (0, 1):
                print(f"{name}: exit {code}", file=sys.stderr)
            times[name].append(seconds)
    base = statistics.median(times.get("ndpiReader -q") or times["phonehome scan"])
    print(f"| program | CPU seconds, median of {rounds} | range | of ndpiReader |\n|---|---|---|---|")
    for name, took in times.items():
        middle = statistics.median(took)
        print(f"| `{name}` | {middle:.2f} | {min(took):.2f}–{max(took):.2f} | {100 * middle / base:.0f} % |")
    for name in times:
        print(f"\n    {' '.join(commands[name])}", end="")
    print()
    shutil.rmtree(work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
