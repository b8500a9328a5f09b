# SPDX-License-Identifier: Apache-2.0
"""The list of cases, and the words in which they say what must come out."""
VENDOR = 'ts01-b.cloudsink.net'   # CrowdStrike's sensor channel, by the packs
OTHER = 'www.example.org'         # nobody's
SECOND = 'www.example.com'

CASES = {}


def case(name, text, link='ethernet', snap=None, vary=True):
    """Registers a builder: it gets a capture and returns the expected flow records."""
    def add(build):
        if name in CASES:
            raise SystemExit('two cases are named ' + name)
        CASES[name] = (build, text, link, snap, vary)
        return build
    return add


def hit(source='tls.sni', name=VENDOR, **more):
    """The vendor's name was read, nothing is doubtful: dropped by the test policy."""
    flags_not = more.pop('flags_not', ['ambiguous', 'gap'])
    return {'name': name, 'name_source': source, 'vendor': 'CrowdStrike', 'country': 'US', 'confidence': 'certain',
            'state': 'decided', 'verdict': 'drop', 'flags_not': flags_not, **more}


def named(name, source='tls.sni', **more):
    """A name that is no vendor's."""
    return {'name': name, 'name_source': source, 'state': 'decided', 'verdict': 'pass', 'absent': ['vendor'],
            'flags_not': ['ambiguous'], **more}


def doubtful(names, **more):
    """Two honest readings: both are kept, and the flow is never dropped."""
    flags = ['ambiguous'] + more.pop('flags', [])
    return {'names': names, 'flags': flags, 'verdict': 'pass', **more}


def blind(**more):
    """No name can be read: said so, and passed."""
    return {'absent': ['name', 'vendor'], 'verdict': 'pass', **more}


def counted(expect, **counters):
    """With counters, by either door: '__' in a keyword is the dot, '_' in what follows it a '-'."""
    if isinstance(expect, list):
        expect = {'flows': expect}
    names = {}
    for key, value in counters.items():
        head, *tail = key.split('__')
        names['.'.join([head] + [t.replace('_', '-') for t in tail])] = value
    return {**expect, 'counters': names}
