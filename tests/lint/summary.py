# SPDX-License-Identifier: Apache-2.0
"""Sums up a meson testlog.json: "passed failed skipped" on the first line, then a line for each
failure (with the end of its output) and each skip (with its reason)."""
import json
import sys

passed = failed = skipped = 0
lines = []
with open(sys.argv[1], encoding="utf-8", errors="replace") as log:
    for line in log:
        test = json.loads(line)
        output = (test.get("stdout") or "") + (test.get("stderr") or "")
        tail = [text for text in output.splitlines() if text.strip()]
        if test["result"] in ("OK", "EXPECTEDFAIL"):
            passed += 1
        elif test["result"] == "SKIP":
            skipped += 1
            lines.append(f"skipped: {test['name']}: {tail[-1] if tail else 'no reason given'}")
        else:
            failed += 1
            lines.append(f"{test['result']}: {test['name']} ({test.get('duration', 0):.1f} s)")
            lines.extend("    " + text[:300] for text in tail[-40:])
print(passed, failed, skipped)
print("\n".join(lines)) if lines else None
