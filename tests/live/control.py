#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The control socket under abuse: `status` stays quick, memory stays flat, rights are kept."""

import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time

from wire import DAEMON, PACKS, ROOT, check, skip, wait_for

CAPTURE = os.path.join(ROOT, "tests/cases/real-clients/input.pcap")
AS_NOBODY = """
import os, socket, sys, json
os.setgroups([]); os.setgid(65534); os.setuid(65534)
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.settimeout(5)
out = []
for m in sys.argv[2:]:
    s.sendall((json.dumps({"jsonrpc": "2.0", "id": 1, "method": m}) + "\\n").encode())
    r = json.loads(s.makefile().readline()); out.append(r.get("error", {}).get("code", 0))
print(out)
"""


def connect(path):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(5)
    s.connect(path)
    return s


def ask(path, method, params=None):
    s = connect(path)
    s.sendall((json.dumps({"jsonrpc": "2.0", "id": 7, "method": method, "params": params or {}}) + "\n").encode())
    line = s.makefile().readline()
    s.close()
    return json.loads(line)


def reply(path, data):
    """What comes back for these bytes until the daemon closes, or nothing more for a while."""
    s = connect(path)
    s.settimeout(1)
    out = b""
    try:
        s.sendall(data)
        while part := s.recv(65536):
            out += part
    except (TimeoutError, ConnectionResetError, BrokenPipeError):
        pass
    s.close()
    return out


def memory_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(x.split()[1]) for x in f if x.startswith("VmRSS"))


def quick(path, times):
    t = time.monotonic()
    check("result" in ask(path, "status"), "status")
    times.append(time.monotonic() - t)


def main():
    if os.geteuid() != 0:
        skip("needs root")
    with tempfile.TemporaryDirectory() as work:
        os.chmod(work, 0o755)
        path, conf = f"{work}/sock", f"{work}/c.yaml"
        with open(conf, "w", encoding="ascii") as f:
            f.write(f"control: {{socket: {path}, read_for_all: true}}\nstore: {{url: {work}/db}}\npacks: {PACKS}\n"
                    "sensor: abused\n")
        p = subprocess.Popen([DAEMON, "-c", conf, "--no-huge", "--mirror", f"net_pcap0,rx_pcap={CAPTURE}",
                              "--exit-when-drained", "--linger"], stderr=subprocess.DEVNULL)
        try:
            wait_for("the replay's end", lambda: os.path.exists(path) and ask(path, "status")["result"]["drained"], 15)
            abuse(path, p.pid)
            check("result" in ask(path, "stop"), "stop")
            check(p.wait(timeout=8) == 0, "a clean stop")
        finally:
            if p.poll() is None:
                p.kill()


def abuse(path, pid):
    times = []
    for _ in range(20):
        quick(path, times)
    before = memory_kb(pid)

    for data, code in (  # what the standard and ctl/README.md say to each
            (b"{\n", -32700), (b"[]\n", -32600), (b'{"jsonrpc":"2.0","id":1}\n', -32600),
            (b'{"jsonrpc":"2.0","id":1,"method":"nope"}\n', -32601),
            (b'{"jsonrpc":"2.0","id":1,"method":"flows","params":{"bogus":1}}\n', -32602),
            (b'{"jsonrpc":"2.0","id":1,"method":"flows","params":{"cursor":"x"}}\n', -32602),
            (b'{"jsonrpc":"2.0","id":1,"method":"bypass","params":{"on":"yes"}}\n', -32602),
            (b'{"jsonrpc":"2.0","id":1,"method":"version","params":{"a":1}}\n', -32602),
            (b'{"jsonrpc":"2.0","id":1,"method":"version","x":"' + b"a" * 65536 + b'"}\n', -32003)):
        got = reply(path, data)
        check(json.loads(got.splitlines()[0])["error"]["code"] == code, f"{data[:60]!r}: {got[:200]!r}")
    check(reply(path, b'{"jsonrpc":"2.0","method":"version"}\n') == b"", "a notification has no reply")
    two = reply(path, b'{"jsonrpc":"2.0","id":1,"method":"version"}\n{"jsonrpc":"2.0","id":2,"method":"version"}\n')
    check([json.loads(x)["id"] for x in two.splitlines()] == [1, 2], "two requests at once, answered in order")

    # paging gives every record once
    cursor, seen = None, 0
    while True:
        page = ask(path, "flows", {"page": 7, **({"cursor": cursor} if cursor else {})})["result"]
        seen += len(page["records"])
        cursor = page["cursor"]
        if not page["more"]:
            break
    check(seen == ask(path, "status")["result"]["recorder"]["records"], f"{seen} records over pages")
    rows, cursor = 0, None
    while True:
        page = ask(path, "report", {"page": 2, **({"cursor": cursor} if cursor else {})})["result"]
        rows, cursor = rows + len(page["rows"]), page["cursor"]
        if cursor is None:
            break
    check(rows == len(ask(path, "report")["result"]["rows"]), "rows over pages")

    # others may read where the config says so, and change nothing
    r = subprocess.run([sys.executable, "-c", AS_NOBODY, path, "status", "bypass", "reload", "stop"],
                       capture_output=True, text=True, check=False)
    check(r.stdout.strip() == "[0, -32001, -32001, -32001]", f"rights: {r.stdout}{r.stderr}")

    # slow ones, half requests, readers that never read, floods of connections, noise
    held = [connect(path) for _ in range(40)]
    for i, s in enumerate(held):
        s.setblocking(False)
        try:
            if i % 2:
                s.send(b'{"jsonrpc"')
            else:
                for _ in range(50):
                    s.send(b'{"jsonrpc":"2.0","id":1,"method":"flows","params":{"page":1000}}\n')
        except (BlockingIOError, BrokenPipeError):
            pass
    for _ in range(150):
        quick(path, times)
    for i in range(3000):
        connect(path).close()
        if i % 100 == 0:
            quick(path, times)
    rnd = random.Random(3)
    for _ in range(200):
        s = connect(path)
        try:
            s.send(bytes(rnd.randrange(256) for _ in range(rnd.randrange(300))) + b"\n")
        except BrokenPipeError:
            pass
        s.close()
    for _ in range(150):
        quick(path, times)
    wait_for("half requests to be hung up on", lambda: gone(held[1]), 8)
    times.sort()
    p99 = times[int(len(times) * 0.99)]
    print(f"status: median {times[len(times) // 2] * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms; "
          f"{memory_kb(pid) - before} KB more")
    check(p99 <= 0.1, f"status took {p99:.3f} s")
    check(memory_kb(pid) - before <= 8192, "memory")


def gone(s):
    try:
        return s.recv(100) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


if __name__ == "__main__":
    sys.exit(main())
