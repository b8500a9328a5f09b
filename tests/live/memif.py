# SPDX-License-Identifier: Apache-2.0
"""The bench whose cables lose nothing: shared memory (net_memif) instead of namespaces and sockets.

The daemon serves two memif sockets; wire_load.c, a DPDK program of its own, sits at the other ends, keeps fewer frames
under way than a ring holds, and holds every frame that comes out against what went in. Whatever is missing then was
lost by the daemon, however busy the machine is.
"""

import json
import os
import subprocess
import tempfile

from wire import DAEMON, PACKS, Wire, check, wait_for

WINDOW = 448


class Memif(Wire):
    """with Memif(workers) as w: a daemon that is ready; w.load(tool, seconds) sends through it."""

    def __init__(self, workers, *more, packs=PACKS, policy=None, config=None, queues=1):  # pylint: disable=super-init-not-called
        self.dir = tempfile.TemporaryDirectory(prefix="phonehome-memif-")
        self.work, self.workers = self.dir.name, workers
        self.socket = f"{self.work}/control.sock"
        self.policy_file = f"{self.work}/policy.yaml"
        self.policy("monitor" if policy is None else "enforce", policy or ())
        self.queues = queues
        pair = ["--pair", " ".join(self.memif("server"))]
        if queues > 1:
            config = (config or "") + "links:\n  - {pair: [\"%s\", \"%s\"], queues: %u}\n" % (*self.memif("server"), queues)
            pair = []
        self.args = ["--no-huge", *pair, "--workers", str(workers), "--packs", packs,
                     "--policy", self.policy_file, "--store", f"{self.work}/db", "--socket", self.socket, *more]
        if config:
            with open(f"{self.work}/phonehomed.yaml", "w", encoding="ascii") as f:
                f.write(config)
            self.args += ["-c", f.name]
        self.daemon, self.sender = None, None

    def memif(self, role):
        return [f"net_memif{i},role={role},id={i},socket={self.work}/m{i},socket-abstract=no" for i in (0, 1)]

    def __enter__(self):
        with open(f"{self.work}/daemon.log", "wb") as log:
            self.daemon = subprocess.Popen([DAEMON, *self.args], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for("the daemon's ready line", lambda: "ready" in self.said() or self.died(), 60)
        return self

    def __exit__(self, *_):
        for p in (self.daemon, self.sender):  # in this order: see sent()
            if p and p.poll() is None:
                if p is self.sender:
                    p.stdin.close()
                p.terminate()
                try:
                    p.wait(timeout=30)
                except subprocess.TimeoutExpired:
                    p.kill()
                    p.wait()
        self.dir.cleanup()

    def send(self, tool, seconds, window=WINDOW):
        """Starts to send; ends by itself after so many seconds, or earlier by sent(). window 0: as much as goes."""
        cpus = ",".join(str(c) for c in sorted(os.sched_getaffinity(0)))
        args = [tool, "--no-huge", "-m", "96", "--no-pci", "--no-telemetry", "--log-level=*:4", "--lcores", f"0@({cpus})",
                "--file-prefix", os.path.basename(self.work)]
        for dev in self.memif("client"):
            args += ["--vdev", dev]
        self.sender = subprocess.Popen(args + ["--", str(seconds), str(window), str(self.queues)], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def sent(self, stop=True):
        """What the sender found, after its last frame has come back. It keeps the cables plugged until the daemon has ended:
        when one end goes, the driver at the other (DPDK 22.11) unmaps the rings, also under a worker that reads them."""
        if stop:
            self.sender.terminate()
        said = []
        for line in self.sender.stdout:
            if line.startswith("{"):
                return json.loads(line)
            said.append(line)
        check(False, f"wire_load: {self.sender.wait()} {said}")

    def whole(self, got):
        """None of the frames is lost, changed or out of order, and every counter agrees. Frames sent, both ways."""
        ways, frames, status = got["ways"], self.identity(), self.status()
        for way in ways:
            check(way["sent"] > 1000 and way["received"] == way["sent"], f"frames are missing: {got} {frames}")
            check(way["changed"] == 0, f"bytes changed: {got}")
            check(way["missing"] == way["reordered"] == 0 or status["watchdog"]["takeovers"] != 0, f"order: {got} {frames}")
        sent = sum(way["sent"] for way in ways)
        check(frames["rx"] == frames["forwarded"] == sent and frames["dropped_total"] == 0 and frames["in_flight"] == 0 and
              frames["rx_bytes"] == sum(way["bytes"] for way in ways), f"counters of {sent} frames: {frames}")
        for i, port in enumerate(status["ports"]):
            check(port["rx"] == ways[i]["sent"] and port["tx"] == ways[1 - i]["sent"], f"the port's: {port}")
            check(port["nic_missed"] == port["rx_nombuf"] == port["errors"] == 0, f"the port's losses: {port}")
        check(status["engine"]["frames"] + frames["uninspected"] == sent, f"counted once: {frames} {status['engine']}")
        check(frames["uninspected"] == 0 or status["watchdog"]["takeovers"] != 0, f"all were looked at: {frames}")
        check(status["mbufs"]["in_use"] == 0, f"all buffers came back: {status['mbufs']}")
        return sent
