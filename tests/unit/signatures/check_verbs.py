#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_verbs.py PHONEHOME: the `signatures` verbs as a script or an operator meets them."""
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile

PHONEHOME = os.path.abspath(sys.argv[1])
PACK = """format: 1
pack: acme
version: 2.1
vendor: {name: Acme, owner: Acme Holding, country: CH, owner_country: US, as_of: 2026-01-01, source: x}
products: [{id: guard, name: Acme Guard, category: edr}]
signatures:
  - {id: cloud, product: guard, function: telemetry, confidence: high, match: [{host: .acme.ch}],
     source: https://acme.ch/doc, reviewed: 2026-01-01, except: [{host: shop.acme.ch}]}
  - {id: web, product: guard, function: portal, confidence: high, match: [{host: www.acme.ch}],
     source: https://acme.ch/, reviewed: 2026-01-01, note: people read it}
  - {id: pull, product: guard, function: update, confidence: low, match: [{host: dl.acme.ch, path: /d/}],
     source: https://acme.ch/doc, reviewed: 2026-01-01}
examples:
  match:
    - {host: a.acme.ch, signature: cloud}
  no_match:
    - {host: notacme.ch}
"""
failures = 0


def check(what, got, want):
    global failures
    if got != want:
        failures += 1
        print(f"{what}: got {got!r}\n  expected {want!r}")


def run(*args, stdin=""):
    done = subprocess.run([PHONEHOME, "signatures", *args], input=stdin.encode("latin-1"),
                          capture_output=True, timeout=300, check=False)
    return done.returncode, done.stdout.decode("ascii"), done.stderr.decode()


def reader_gone(*args):
    """Exit code and stderr of a verb whose stdout was closed by its reader."""
    r, w = os.pipe()
    os.close(r)
    done = subprocess.run([PHONEHOME, "signatures", *args], stdout=w, stderr=subprocess.PIPE, timeout=60, check=False)
    os.close(w)
    return done.returncode, done.stderr.decode()


def endless_line():
    """Whether a line that memory cannot hold is told as a failure."""
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))
    with subprocess.Popen(["head", "-c", "300000000", "/dev/zero"], stdout=subprocess.PIPE) as zeros:
        done = subprocess.run([PHONEHOME, "signatures", "match", "-"], stdin=zeros.stdout, capture_output=True,
                              timeout=300, check=False, preexec_fn=limit)
        zeros.stdout.close()
    return done.returncode != 0 and done.stdout == b""


def main():
    with tempfile.TemporaryDirectory() as top:
        packs = os.path.join(top, "packs")
        os.mkdir(packs)
        with open(os.path.join(packs, "acme.yaml"), "w") as f:
            f.write(PACK)
        os.environ["PHONEHOME_PACKS"] = packs
        names(packs)
        about(packs)
        updates(top, packs)
    print(f"{failures} failures")
    return 1 if failures else 0


def names(packs):
    stdin = "WWW.acme.ch.\nnotacme.ch\n\nbad name\x1b[2J\r\nx.acme.ch"
    code, out, err = run("match", "-", stdin=stdin)
    check("match -", (code, out, err), (0,
        "WWW.acme.ch.\tAcme\tCH\tAcme Guard\tportal\tacme/web\n"
        "notacme.ch\t\t\t\t\t\n"
        "\t\t\t\t\t\n"
        "bad name\\x1b[2J\t\t\t\t\t\n"
        "x.acme.ch\tAcme\tCH\tAcme Guard\ttelemetry\tacme/cloud\n", ""))
    code, out, _ = run("match", "--json", "-", "shop.acme.ch", stdin=stdin)
    rows = [json.loads(line) for line in out.splitlines()]
    check("match --json: names", [r["name"] for r in rows],
          ["WWW.acme.ch.", "notacme.ch", "", "bad name\\x1b[2J", "x.acme.ch", "shop.acme.ch"])
    check("match --json: none", rows[1], {"name": "notacme.ch", "vendor": None})
    check("match --json: excepted", rows[5], {"name": "shop.acme.ch", "vendor": None})
    check("match --json: illegal", rows[3]["illegal"], True)
    check("match --json: row", rows[0], {
        "name": "WWW.acme.ch.", "vendor": "Acme", "owner": "Acme Holding", "country": "CH",
        "owner_country": "US", "product": "Acme Guard", "category": "edr", "function": "portal",
        "signature": "acme/web", "confidence": "certain", "pack_version": "2.1",
        "also": ["acme/cloud"]})
    check("match -, a line without end", endless_line(), True)
    check("match, no folder", run("match", "--packs", packs + "/none", "x")[0], 2)
    check("match, no name", run("match")[0], 2)
    check("no verb", run()[0], 2)
    check("bad verb", run("mach"), (2, "", "phonehome signatures: unknown verb mach: did you mean match? "
                                    "(see phonehome signatures --help)\n"))
    check("bad option", run("list", "--key", "x")[0], 2)
    check("near option", run("list", "--jsn")[2], "phonehome signatures list: unknown option --jsn: did you mean "
          "--json? (see phonehome signatures list --help)\n")
    check("options after arguments", run("match", "x.acme.ch", "--json")[1][:20], '{"name":"x.acme.ch",')
    check("hostile argument", run("show", "a\x1b[2J")[2].count("\\x1b"), 1)
    check("a reader that goes away", reader_gone("list"), (0, ""))
    check("no name for a key", run("keygen", "")[0], 2)
    check("no key left behind", (run("keygen", packs + "/none/k")[0], os.path.exists(packs + "/none")), (1, False))
    for verb in ("match", "list", "lint", "test", "show", "why", "diff", "install", "bundle", "keygen"):
        code, out, err = run(verb, "--help")
        check(f"{verb} --help", (code, "examples:" in out, err), (0, True, ""))


def about(packs):
    code, out, _ = run("list", "--json")
    o = json.loads(out)
    check("list", (code, o["vendors"], o["signatures"], o["packs"][0]["vendor"], o["origin"]),
          (0, 1, 3, "Acme", "folder"))
    check("list as text", run("list")[1].splitlines()[-1],
          "1 vendors, 1 products, 3 signatures (folder)")
    o = json.loads(run("why", "--json", "dl.acme.ch")[1])
    check("why", [(r["signature"], r["outcome"], r.get("reason")) for r in o["rules"]],
          [("acme/cloud", "won", "no other rule matches"),
           ("acme/pull", "out", "needs more than the name: path")])
    o = json.loads(run("why", "--json", "www.acme.ch")[1])
    check("why, two", [(r["signature"], r["outcome"], r.get("reason")) for r in o["rules"]],
          [("acme/web", "won", "1: a more exact host pattern wins"),
           ("acme/cloud", "lost", "1: a more exact host pattern wins")])
    o = json.loads(run("why", "--json", "shop.acme.ch")[1])
    check("why, excepted", [(r["outcome"], r["reason"]) for r in o["rules"]],
          [("out", "an exception excludes it")])
    http = os.path.join(os.path.dirname(packs), "http")
    os.mkdir(http)
    with open(os.path.join(http, "acme.yaml"), "w") as f:
        f.write(PACK.replace("{host: dl.acme.ch, path: /d/}", "{http_host: dl.acme.ch, path: /d/}"))
    o = json.loads(run("why", "--json", "--packs", http, "dl.acme.ch")[1])
    check("why, another sight of the name", [(r["outcome"], r.get("reason")) for r in o["rules"]],
          [("won", "no other rule matches"), ("out", "needs more than the name: http_host, path")])
    shutil.rmtree(http)
    site = os.path.join(os.path.dirname(packs), "site")
    os.mkdir(site)
    with open(os.path.join(site, "acme.yaml"), "w", encoding="utf-8") as f:
        f.write(PACK.replace("id: cloud,", "id: cloud, by_label: true,").replace("function: telemetry", "function: portal"))
    told = {n: json.loads(run("why", "--json", "--packs", site, n)[1])["rules"][0]
            for n in ("stats.acme.ch", "eu.acme.ch", "pod1.eu.acme.ch", "docs.eu.acme.ch")}
    check("why, labels", {n: (r["signature"], r.get("label")) for n, r in told.items()},
          {"stats.acme.ch": ("acme/cloud", None), "eu.acme.ch": ("acme/cloud", None),
           "pod1.eu.acme.ch": ("acme/cloud-label-management", "pod1.eu"), "docs.eu.acme.ch": ("acme/cloud", None)})
    check("why, labels in words", "labels    pod1.eu: no page's word" in run("why", "--packs", site, "pod1.eu.acme.ch")[1], True)
    shutil.rmtree(site)
    check("why, no name", run("why", "a b")[0], 2)
    o = json.loads(run("show", "--json", "acme/pull")[1])
    check("show", (o["match"], o["confidence"]), ([{"host": ["dl.acme.ch"], "path": ["/d/"]}], "inferred"))
    check("show a pack", len(json.loads(run("show", "--json", "acme")[1])), 3)
    check("show nothing", run("show", "acme/none")[0], 2)
    check("test", run("test")[:2], (0, "1 examples that match, 1 near misses: 0 failed\n"))
    check("lint", run("lint", "--days", "36500")[:2], (0, ""))
    check("lint, notes", len(run("lint", "--days", "36500", "--notes")[1].splitlines()), 2)
    check("lint, old", run("lint", "--days", "1")[0], 1)


def updates(top, packs):
    new = os.path.join(top, "new")
    os.mkdir(new)
    with open(os.path.join(new, "acme.yaml"), "w") as f:
        f.write(PACK.replace("function: telemetry", "function: mixed").replace("id: web", "id: site")
                .replace("host: .acme.ch}", "host: .acme.ch}, {host: new.acme.ch}"))
    code, out, _ = run("diff", "--json", packs, new)
    o = json.loads(out)
    check("diff", (code, o["added"], o["removed"], o["changed"]), (0, 1, 1, 1))
    changed = [s for s in o["signatures"] if s["change"] == "changed"][0]
    check("diff, what", (changed["removed"], changed["added"]),
          (["function: telemetry"], ["function: mixed", "host: new.acme.ch"]))
    # What changes what matches, though no value is new: AND becomes OR, dates, labels.
    apart = os.path.join(top, "apart")
    os.mkdir(apart)
    with open(os.path.join(apart, "acme.yaml"), "w") as f:
        f.write(PACK.replace("{host: dl.acme.ch, path: /d/}", "{host: dl.acme.ch}, {path: /d/}")
                .replace("id: cloud,", "id: cloud, by_label: true,").replace("edr", "av")
                .replace("id: web,", "id: web, valid: {until: 2026-06-30},"))
    o = json.loads(run("diff", "--json", packs, apart)[1])
    check("diff, no new value", {s["signature"]: (s["removed"], s["added"]) for s in o["signatures"]}, {
        "acme/cloud": (["category: edr"], ["by_label: true", "category: av"]),
        "acme/pull": (["category: edr", "together: host dl.acme.ch; path /d/"],
                      ["category: av", "host: dl.acme.ch", "path: /d/"]),
        "acme/web": (["category: edr"], ["category: av", "valid until: 2026-06-30"])})
    shutil.rmtree(apart)
    # Notes that found no room are no warnings.
    os.mkdir(apart)
    with open(os.path.join(apart, "acme.yaml"), "w") as f:
        f.write(PACK.replace("[{host: .acme.ch}]", "[{host: [.acme.ch" + "".join(f", a{i}.acme.ch" for i in range(150))
                             + "]}]").replace("reviewed: 2026-01-01, note", "reviewed: 1990-01-01, note"))
    check("lint, a warning beside notes", len(run("lint", "--days", "10000", "--packs", apart)[1].splitlines()), 1)
    shutil.rmtree(apart)
    check("diff, same", run("diff", packs, packs)[1], "0 added, 0 removed, 0 changed\n")
    os.chdir(top)
    check("keygen", run("keygen", "k")[0], 0)
    check("the private key is private", os.stat("k.key").st_mode & 0o777, 0o600)
    check("keygen, again", run("keygen", "k")[0], 1)
    check("bundle", run("bundle", new, "-o", "b.tar", "--key", "k.key")[0], 0)
    for version in ("", ".5", "1" * 33, "1x"):
        check("bundle, no version", run("bundle", new, "-o", "b.tar", "--version", version)[0], 2)
    check("install, no key", run("install", "b.tar")[0], 2)
    check("install", run("install", "b.tar", "--key", "k.pub")[0], 0)
    check("installed", json.loads(run("list", "--json")[1])["origin"], "signed:2.1")
    check("no litter", sorted(os.listdir(top)), ["b.tar", "k.key", "k.pub", "new", "packs"])
    before = json.loads(run("list", "--json")[1])["digest"]
    with open("b.tar", "rb") as f:
        data = f.read()
    with open("c.tar", "wb") as f:
        f.write(data.replace(b"Acme Guard", b"Acme Gaurd"))
    code, _, err = run("install", "c.tar", "--key", "k.pub")
    check("install, altered", (code, err),
          (2, "c.tar: acme.yaml is missing or altered: its digest is not the manifest's\n"))
    check("bundle, unsigned", run("bundle", new, "-o", "d.tar")[0], 0)
    check("install, a key and no signature", run("install", "d.tar", "--key", "k.pub", "--allow-unsigned")[1],
          f"installed version 2.1 in {packs} (unsigned)\n")
    check("install, signed again", run("install", "b.tar", "--key", "k.pub", "--allow-unsigned")[1],
          f"installed version 2.1 in {packs}\n")
    check("nothing changed", json.loads(run("list", "--json")[1])["digest"], before)


if __name__ == "__main__":
    sys.exit(main())
