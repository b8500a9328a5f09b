#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_schema.py PHONEHOME SCHEMA PACKS: the JSON Schema for editors and the loader agree.

Every shipped pack satisfies the schema. Of packs bent in one place each, the schema refuses what
a schema can refuse and takes what the loader takes; a fault that only the loader can see is said
to be such.
"""
import copy
import json
import os
import subprocess
import sys
import tempfile

import jsonschema
import yaml

PHONEHOME, SCHEMA, PACKS = sys.argv[1:4]


class Loader(yaml.CSafeLoader):
    """YAML as the packs mean it: a date is text."""


Loader.yaml_implicit_resolvers = {
    c: [(tag, exp) for tag, exp in rules if tag != "tag:yaml.org,2002:timestamp"]
    for c, rules in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}

GOOD = """
format: 1
pack: t
version: '1.0'
vendor: {name: T, owner: O, country: US, as_of: '2026-01-01', source: 'https://t.example/'}
products: [{id: p, name: P, category: av}]
signatures:
  - id: s
    product: p
    function: update
    confidence: high
    source: https://t.example/doc
    reviewed: '2026-01-01'
    match: [{host: a.vendor.com}]
"""
BOTH, LOADER, NONE = "both", "loader", "none"  # who refuses
ENTRY = ["signatures", 0, "match", 0]
CASES = [
    (["format"], 2, BOTH), (["format"], 1, NONE), (["pack"], "T", BOTH), (["pack"], "t-", BOTH),
    (["version"], "x", BOTH), (["version"], "2026.11.22", NONE), (["extra"], 1, BOTH),
    (["vendor", "country"], "us", BOTH), (["vendor", "country"], "UK", BOTH),
    (["vendor", "country"], "AQ", NONE), (["vendor", "country"], "QQ", LOADER),
    (["vendor", "owner_country"], "CN", NONE), (["vendor", "as_of"], "2026-1-1", BOTH),
    (["vendor", "as_of"], "2026-02-30", LOADER), (["vendor", "motto"], "x", BOTH),
    (["vendor", "name"], "", BOTH), (["products"], [], BOTH),
    (["products", 0, "category"], "antivirus", BOTH), (["products", 0, "id"], "q", LOADER),
    (["signatures"], [], BOTH), (["signatures", 0, "function"], "updates", BOTH),
    (["signatures", 0, "confidence"], "sure", BOTH), (["signatures", 0, "confidence"], "low", NONE),
    (["signatures", 0, "match"], [], BOTH), (["signatures", 0, "shared"], True, NONE),
    (["signatures", 0, "shared"], "perhaps", BOTH), (["signatures", 0, "note"], "x", NONE),
    (["signatures", 0, "notes"], "x", BOTH), (["signatures", 0, "reviewed"], "soon", BOTH),
    (["signatures", 0, "valid"], {"from": "2026-01-01"}, NONE),
    (["signatures", 0, "valid"], {"form": "2026-01-01"}, BOTH),
    (["signatures", 0, "valid"], {"from": "2026-02-01", "until": "2026-01-01"}, LOADER),
    (["signatures", 0, "allow_overlap"], ["a/b"], NONE),
    (["signatures", 0, "allow_overlap"], ["a"], BOTH),
    (["signatures", 0, "except"], [{"host": "b.vendor.com"}], NONE),
    (["signatures", 0, "except"], [{}], BOTH), (ENTRY, {}, BOTH),
    (ENTRY, {"hots": "a.vendor.com"}, BOTH), (ENTRY, {"host": ["a.vendor.com", "b.vendor.com"]}, NONE),
    (ENTRY, {"host": []}, BOTH), (ENTRY, {"host": ".com"}, BOTH), (ENTRY, {"host": ".co.uk"}, LOADER),
    (ENTRY, {"host": "A.vendor.com"}, BOTH), (ENTRY, {"host": "a..vendor.com"}, BOTH),
    (ENTRY, {"host": "a.vendor.com."}, BOTH), (ENTRY, {"host": "a.*.com"}, BOTH),
    (ENTRY, {"host": "**.vendor.com"}, NONE), (ENTRY, {"host": "x.**.vendor.com"}, BOTH),
    (ENTRY, {"host": "ts01-*.us#.vendor.com"}, NONE), (ENTRY, {"host": ".us#.vendor.com"}, NONE),
    (ENTRY, {"host": "a.vendor.com:443"}, BOTH), (ENTRY, {"port": "tcp/443"}, BOTH),
    (ENTRY, {"port": "tcp/443", "ndpi": "TLS"}, BOTH), (ENTRY, {"ndpi": "TLS", "alpn": "x"}, NONE),
    (ENTRY, {"host": "a.vendor.com", "port": "443"}, BOTH),
    (ENTRY, {"host": "a.vendor.com", "port": "tcp/70000"}, LOADER),
    (ENTRY, {"path": "x"}, BOTH), (ENTRY, {"path": ["/x", "re:y+"]}, NONE),
    (ENTRY, {"path": "re:("}, LOADER), (ENTRY, {"user_agent": "re:a*"}, LOADER),
    (ENTRY, {"ja3": "0" * 32}, NONE), (ENTRY, {"ja3": "0" * 31}, BOTH),
    (ENTRY, {"ja4": "t13d1516h2_8daaf6152771_b186095e22b6"}, NONE), (ENTRY, {"ja4": "t13d"}, BOTH),
    (ENTRY, {"address": "192.0.2.0/24"}, NONE), (ENTRY, {"address": "192.0.2.1/24"}, LOADER),
    (ENTRY, {"payload": [{"hex": "de ?? ef", "offset": 4, "dir": "down"}]}, NONE),
    (ENTRY, {"payload": [{"hex": "de a"}]}, BOTH), (ENTRY, {"payload": [{"hex": "??"}]}, LOADER),
    (ENTRY, {"payload": [{"hex": "de", "text": "x"}]}, BOTH), (ENTRY, {"payload": [{}]}, BOTH),
    (ENTRY, {"payload": [{"text": "x", "offset": 2000}]}, BOTH),
    (ENTRY, {"payload": [{"text": "x", "dir": "sideways"}]}, BOTH),
    (["examples"], {"match": [{"host": "a.vendor.com", "signature": "s"}]}, NONE),
    (["examples"], {"match": [{"host": "a.vendor.com"}]}, BOTH),
    (["examples"], {"match": [{"host": "a.vendor.com", "signature": "z"}]}, LOADER),
    (["examples"], {"no_match": [{"host": "b.vendor.com"}]}, NONE),
    (["examples"], {"no_match": [{"note": "x"}]}, BOTH),
    (["examples"], {"no_match": [{"payload": "zz"}]}, BOTH),
    (["examples"], {"maybe": []}, BOTH),
]


def bent(path, value):
    pack = copy.deepcopy(yaml.load(GOOD, Loader))
    at = pack
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return pack


def loads(folder, pack):
    name = os.path.join(folder, str(pack.get("pack", "t")) + ".yaml")
    with open(name, "w") as f:
        json.dump(pack, f)
    done = subprocess.run([PHONEHOME, "signatures", "list", "--packs", name],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    os.unlink(name)
    if done.returncode not in (0, 2):
        raise SystemExit(f"exit {done.returncode}: {done.stderr}")
    return done.returncode == 0


def main():
    with open(SCHEMA) as f:
        schema = json.load(f)
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        for path, value, who in CASES:
            pack = bent(path, value)
            got = (not validator.is_valid(pack), not loads(folder, pack))
            want = {BOTH: (True, True), LOADER: (False, True), NONE: (False, False)}[who]
            if got != want:
                wrong += 1
                print(f"{path} = {value!r}: refused by (schema, loader) {got}, expected {want}")
    packs = sorted(p for p in os.listdir(PACKS) if p.endswith(".yaml"))
    for name in packs:
        with open(os.path.join(PACKS, name)) as f:
            pack = yaml.load(f, Loader)
        for fault in validator.iter_errors(pack):
            wrong += 1
            print(f"{name}: {list(fault.absolute_path)}: {fault.message[:200]}")
    print(f"{len(CASES)} bent packs, {len(packs)} shipped ones, {wrong} disagreements")
    return 1 if wrong or not packs else 0


if __name__ == "__main__":
    sys.exit(main())
