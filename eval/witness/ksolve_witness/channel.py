"""Signed records on the witness's pipe.

A record is a line: the HMAC-SHA256 of its body, a space, the body, which is a JSON list of a
number, a kind and what is said. Only functions that are written in C are called, and each is held
from the start, so that replacing one elsewhere changes nothing here. The key is not kept: two
states of SHA-256 that have taken it in are.
"""

import hashlib
import os
from json.encoder import encode_basestring_ascii

_BLOCK = 64


def speaker(out, secret):
    """Return a function that writes one record: its kind, and strings, numbers or lists of them."""
    key = secret if len(secret) <= _BLOCK else hashlib.sha256(secret).digest()
    key += bytes(_BLOCK - len(key))
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key))
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key))
    del key, secret
    return _speaker(out, inner.copy, outer.copy)


def _speaker(out, inner, outer, write=os.write, pid=os.getpid, quote=encode_basestring_ascii):
    owner = pid()
    count = [0]

    def encode(value):
        if value is None:
            return "null"
        if value is True or value is False:
            return "true" if value else "false"
        if value.__class__ is int:
            return "%d" % value
        if value.__class__ is list or value.__class__ is tuple:
            return "[" + ",".join([encode(one) for one in value]) + "]"
        return quote(value)

    def say(kind, *what):
        if pid() != owner:
            return  # a forked child of the tests
        body = encode([count[0], kind] + [one for one in what]).encode()
        count[0] += 1
        of_body = inner()
        of_body.update(body)
        signature = outer()
        signature.update(of_body.digest())
        data = signature.hexdigest().encode() + b" " + body + b"\n"
        while data:
            data = data[write(out, data) :]

    return say
