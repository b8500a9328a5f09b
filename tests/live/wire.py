# SPDX-License-Identifier: Apache-2.0
"""The bench of the live tests: client - phonehomed - server, each in a network namespace of its own.

    client (10.77.0.2, fd77::2) -- veth -- [phonehomed, inline] -- veth -- server (10.77.0.1, fd77::1 ...)

The server side has real servers (caddy for TLS, HTTP and QUIC, dnsmasq, iperf3); the clients are real ones
too. Nothing leaves the machine. A test is a program that ends with 0, or 77 for "not possible here".
"""

import atexit
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
BUILD = os.environ.get("PHONEHOME_BUILD", os.path.join(ROOT, "build"))
DAEMON = os.path.join(BUILD, "dataplane/phonehomed")
PACKS = os.path.join(ROOT, "signatures/packs")

# Names that packs know: Falcon's sensor (telemetry) and its updates, and two ordinary ones.
TELEMETRY = "ts01-b.cloudsink.net"
UPDATE = "lfodown01-b.cloudsink.net"
PLAIN = "www.example.org"
ZONES = ["cloudsink.net", "example.org", "360.cn"]


def skip(why):
    print(f"SKIP: {why}")
    sys.exit(77)


def need(*tools):
    if os.geteuid() != 0:
        skip("needs root")
    for tool in ("ip", "ethtool", *tools):
        if not shutil.which(tool):
            skip(f"needs {tool}")
    probe = subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False)
    if probe.returncode != 0:
        skip("network namespaces are not allowed here")


def sh(*args, check=True, timeout=60):
    r = subprocess.run(args, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=timeout)
    if check and r.returncode != 0:
        raise SystemExit(f"failed ({r.returncode}): {' '.join(args)}\n{r.stdout}{r.stderr}")
    return r


def check(ok, what):
    if not ok:
        raise SystemExit(f"FAILED: {what}")


def wait_for(what, fn, seconds=30.0):
    """Waits are as long as a busy machine may need, and end as soon as what is waited for is there."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        got = fn()
        if got:
            return got
        time.sleep(0.02)
    raise SystemExit(f"FAILED: waited {seconds} s for {what}")


LIMITS = "flows: 65536, inspecting: 4096, stream_mb: 16, tcp_closed_s: 1"


def own_memory_kb(pid):
    """What is its own: packet buffers are shared with other processes, and touched one after the other."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("RssAnon"))


class Wire:
    """One bench. driver: af_packet, af_xdp or tap."""

    def __init__(self, driver="af_packet", workers=1, mirror=False, mtu=1500, memory="no-huge"):
        self.driver, self.workers, self.mirror, self.mtu = driver, workers, mirror, mtu
        self.memory = memory
        self.p = f"phw{os.getpid()}"
        self.work = tempfile.mkdtemp(prefix="phonehome-live-")
        self.socket = os.path.join(self.work, "control.sock")
        self.policy_file = os.path.join(self.work, "policy.yaml")
        self.procs, self.daemon, self.log = [], None, None
        atexit.register(self.close)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        for ns in ("cl", "mid", "sv"):
            sh("ip", "netns", "add", self.ns(ns))
            sh("ip", "-n", self.ns(ns), "link", "set", "lo", "up")
            self.on(ns, "sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0",
                    "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.default.router_solicitations=0")
        os.makedirs(f"/etc/netns/{self.ns('cl')}", exist_ok=True)
        with open(f"/etc/netns/{self.ns('cl')}/resolv.conf", "w", encoding="ascii") as f:
            f.write("nameserver 10.77.0.53\noptions timeout:1 attempts:1\n")
        if driver != "tap":
            for ns, port in (("cl", "p0"), ("sv", "p1")):
                sh("ip", "-n", self.ns("mid"), "link", "add", port, "type", "veth", "peer", "name", "eth0",
                   "netns", self.ns(ns))
                sh("ip", "-n", self.ns("mid"), "link", "set", port, "mtu", str(mtu), "up")
                self.on("mid", "ethtool", "-K", port, "tso", "off", "gso", "off", "gro", "off", "tx", "off",
                        check=False)
                self.on("mid", "sysctl", "-qw", f"net.ipv6.conf.{port}.disable_ipv6=1")
            self.addresses()

    def ns(self, name):
        return f"{self.p}-{name}"

    def addresses(self):
        for ns, four, six in (("cl", ["10.77.0.2/24"], ["fd77::2/64"]),
                              ("sv", ["10.77.0.1/24", "10.77.0.53/24"], ["fd77::1/64"])):
            n = self.ns(ns)
            sh("ip", "-n", n, "link", "set", "eth0", "mtu", str(self.mtu), "up")
            # Segments as they are on a wire: lengths and checksums are real.
            self.on(ns, "ethtool", "-K", "eth0", "tso", "off", "gso", "off", "gro", "off", "tx", "off",
                    check=False)
            for a in four:
                sh("ip", "-n", n, "addr", "add", a, "dev", "eth0")
            for a in six:
                sh("ip", "-n", n, "addr", "add", a, "dev", "eth0", "nodad")

    def on(self, ns, *args, check=True, timeout=60):
        return sh("ip", "netns", "exec", self.ns(ns), *args, check=check, timeout=timeout)

    def spawn(self, ns, *args, **kw):
        log = open(os.path.join(self.work, f"{os.path.basename(args[0])}.log"), "ab")
        kw.setdefault("stdout", log)
        kw.setdefault("stderr", log)
        p = subprocess.Popen(["ip", "netns", "exec", self.ns(ns), *args], stdin=subprocess.DEVNULL, **kw)
        log.close()
        self.procs.append(p)
        return p

    # --- the daemon ---

    def devices(self):
        if self.driver == "af_packet":
            # Rings that outlast a CPU that stalls for some ms; the driver's own are of 512 frames.
            size = "" if self.mtu <= 1500 else ",framesz=16384,blocksz=16384"
            return [f"net_af_packet{i},iface=p{i},framecnt={1024 if size else 4096}{size}" for i in (0, 1)]
        if self.driver == "af_xdp":
            return [f"net_af_xdp{i},iface=p{i}" for i in (0, 1)]
        return [f"net_tap{i},iface={self.p}t{i}" for i in (0, 1)]

    def policy(self, mode="monitor", rules=()):
        """rules: (name, match, action) with the match as YAML flow text."""
        text = f"format: 1\nmode: {mode}\n"
        if rules:
            text += "rules:\n"
        for name, match, action in rules:
            text += f"  - {{name: {name}, match: {{{match}}}, action: {action}, state: enforce}}\n"
        with open(self.policy_file, "w", encoding="utf-8") as f:
            f.write(text)

    def start(self, *more, config="", limits=LIMITS, spool=20000, expect_ready=True):
        a, b = self.devices()
        conf = os.path.join(self.work, "phonehomed.yaml")
        port = f"mirror: \"{a}\"" if self.mirror else f"pair: [\"{a}\", \"{b}\"]"
        link = f"  - {{{port}}}\n" if self.mtu == 1500 else f"  - {{{port}, mtu: {self.mtu}}}\n"
        with open(conf, "w", encoding="utf-8") as f:
            f.write(f"sensor: live\nmemory: {self.memory}\nworkers: {self.workers}\nidle: sleep\nlinks:\n{link}"
                    f"packs: {PACKS}\ncontrol: {{socket: {self.socket}}}\n"
                    f"store: {{url: {self.work}/store.db, spool_events: {spool}}}\n"
                    f"limits: {{{limits}}}\n" + config)
        if not os.path.exists(self.policy_file):
            self.policy()
        self.log = open(os.path.join(self.work, "daemon.log"), "w+b")
        self.daemon = subprocess.Popen(
            ["ip", "netns", "exec", self.ns("mid"), DAEMON, "-c", conf, "--policy", self.policy_file, *more],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.procs.append(self.daemon)
        if expect_ready:
            wait_for("the daemon's ready line", lambda: "ready" in self.said() or self.died(), 60)
            if self.driver == "tap":
                self.move_taps()
        return self.daemon

    def move_taps(self):
        for i, ns in ((0, "cl"), (1, "sv")):
            name = f"{self.p}t{i}"
            sh("ip", "-n", self.ns("mid"), "link", "set", name, "netns", self.ns(ns), "name", "eth0")
        self.addresses()

    def said(self):
        with open(os.path.join(self.work, "daemon.log"), encoding="utf-8", errors="replace") as f:
            return f.read()

    def died(self):
        if self.daemon.poll() is not None:
            raise SystemExit(f"FAILED: the daemon ended with {self.daemon.returncode}:\n{self.said()}")
        return False

    def daemon_pid(self):
        """`ip netns exec` becomes the daemon: same process."""
        return self.daemon.pid

    def daemon_signal(self, sig):
        os.kill(self.daemon_pid(), sig)

    def stall(self, worker, ms):
        """The worker's engine hangs for so long (a test hook)."""
        libc = ctypes.CDLL(None, use_errno=True)
        check(libc.sigqueue(self.daemon.pid, int(signal.SIGUSR1), ctypes.c_void_p(worker | ms << 8)) == 0, "sigqueue")

    def stop(self, sig=signal.SIGTERM, seconds=30):
        self.daemon.send_signal(sig)
        rc = self.daemon.wait(timeout=seconds)
        self.procs.remove(self.daemon)
        return rc

    def rpc(self, method, params=None, timeout=60):
        req = {"jsonrpc": "2.0", "id": 1, "method": method}
        if params is not None:
            req["params"] = params
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.settimeout(timeout)
        try:
            s.connect(self.socket)
            s.sendall((json.dumps(req) + "\n").encode())
            data = b""
            while not data.endswith(b"\n"):
                part = s.recv(1 << 20)
                if not part:
                    break
                data += part
        finally:
            s.close()
        return json.loads(data)

    def call(self, method, params=None):
        r = self.rpc(method, params)
        check("result" in r, f"{method}: {r}")
        return r["result"]

    def status(self):
        return self.call("status")

    def records(self, **match):
        """Finished and running flows that the daemon knows, filtered by members."""
        out, cursor = [], None
        while True:
            params = {"page": 500}
            if cursor:
                params["cursor"] = cursor
            page = self.call("flows", params)
            out += page["records"]
            cursor = page["cursor"]
            if not page["more"]:
                break
        return [r for r in out if all(r.get(k) == v for k, v in match.items())]

    def identity(self):
        """rx = forwarded + observed + dropped + in flight, exactly, in every reply; and what is in flight is there soon."""
        def landed():
            f = self.status()["frames"]
            check(f["rx"] == f["forwarded"] + f["observed"] + f["dropped_total"] + f["in_flight"], f"the counters' identity: {f}")
            check(f["dropped_total"] == sum(f["dropped"].values()) and f["in_flight"] >= 0, f"of one piece: {f}")
            return f if f["in_flight"] == 0 else None
        return wait_for("frames in flight to land", landed)

    # --- real servers and clients ---

    def serve(self):
        """caddy for TLS, QUIC and HTTP; dnsmasq."""
        hosts = [TELEMETRY, UPDATE, PLAIN, "qup.f.360.cn"]
        with open(os.path.join(self.work, "Caddyfile"), "w", encoding="ascii") as f:
            f.write("{\n admin off\n skip_install_trust\n local_certs\n auto_https disable_redirects\n"
                    " servers :443 {\n  protocols h1 h2 h3\n }\n}\n:80 {\n respond \"plain {host}\"\n}\n"
                    + ", ".join("https://" + h for h in hosts) + " {\n tls internal\n respond \"hello {host}\"\n}\n")
        self.spawn("sv", "env", f"HOME={self.work}", f"XDG_DATA_HOME={self.work}", "caddy", "run", "--config",
                   os.path.join(self.work, "Caddyfile"), "--adapter", "caddyfile")
        self.spawn("sv", "dnsmasq", "--keep-in-foreground", "--no-hosts", "--no-resolv", "--no-daemon",
                   "--listen-address=10.77.0.53", "--bind-interfaces", "--pid-file=", "--user=root",
                   "--log-facility=/dev/null",
                   *[f"--address=/{z}/10.77.0.1" for z in ZONES], *[f"--address=/{z}/fd77::1" for z in ZONES])

        def up():
            r = self.on("sv", "curl", "-sk", "--max-time", "2", "--resolve", f"{PLAIN}:443:10.77.0.1",
                        f"https://{PLAIN}/", check=False)
            d = self.on("sv", "dig", "+short", "+time=1", "+tries=1", "@10.77.0.53", PLAIN, "A", check=False)
            return "hello" in r.stdout and "10.77.0.1" in d.stdout

        wait_for("the servers", up, 60)

    def iperf3_server(self):
        """For one run; returns when it listens."""
        self.spawn("sv", "iperf3", "-s", "-1")
        wait_for("iperf3 to listen", lambda: ":5201" in self.on("sv", "ss", "-Htln").stdout, 30)

    def get(self, host, *more, scheme="https", six=False, seconds=15):
        """curl: (exit code, body, seconds it took). seconds: how long an answer may take; 1 where none is to come."""
        at = "[fd77::1]" if six else "10.77.0.1"
        port = 443 if scheme == "https" else 80
        t = time.monotonic()
        r = self.on("cl", "curl", "-sk", "--max-time", str(seconds), "--resolve", f"{host}:{port}:{at}", *more,
                    f"{scheme}://{host}/", check=False)
        return r.returncode, r.stdout, time.monotonic() - t

    def quic(self, host, seconds=15):
        """gtlsclient: whether the HTTP/3 exchange ended well."""
        r = self.on("cl", "timeout", str(seconds), "gtlsclient", "--exit-on-all-streams-close", host, "443",
                    f"https://{host}/", check=False, timeout=seconds + 30)
        return "HTTP stream 0 closed with error code 256" in r.stdout + r.stderr  # H3_NO_ERROR

    def dig(self, host, *more, seconds=5):
        r = self.on("cl", "dig", "+short", f"+time={seconds}", "+tries=2", "@10.77.0.53", host, "A", *more, check=False)
        return "10.77.0.1" in r.stdout

    def close(self):
        for p in self.procs:
            if p.poll() is None:
                p.terminate()
        for p in self.procs:
            try:
                p.wait(timeout=15)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
        self.procs = []
        for ns in ("cl", "mid", "sv"):
            subprocess.run(["ip", "netns", "del", self.ns(ns)], capture_output=True, check=False)
        shutil.rmtree(f"/etc/netns/{self.ns('cl')}", ignore_errors=True)
        if os.environ.get("PHONEHOME_KEEP"):
            print(f"kept: {self.work}")
        else:
            shutil.rmtree(self.work, ignore_errors=True)
