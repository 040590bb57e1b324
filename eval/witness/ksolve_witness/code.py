"""Digests of the code of test modules, as it was loaded: the same whenever the files are the same.

Whoever changes how a test file is read, rewritten, compiled or cached shows here.
"""

import hashlib
import os
import sys
import types

getattr, isinstance, list, repr, sorted, type, vars = (
    getattr,
    isinstance,
    list,
    repr,
    sorted,
    type,
    vars,
)
_sha256 = hashlib.sha256


def say_modules(say, modules, workdir):
    """Say the digest of each module, by its file relative to the work tree."""
    top = os.path.realpath(workdir) + os.sep
    told = set()
    for module in modules:
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or file in told:
            continue
        told.add(file)
        path = os.path.realpath(file)
        if path.startswith(top):
            say("code", path[len(top) :], _of_module(module, file))


def _of_module(module, file):
    """Return the SHA-256 (hex) of the functions that a module's own file defines."""
    digest = _sha256()
    for name, value in sorted(vars(module).items()):
        for code in _codes(value):
            if code.co_filename == file:
                digest.update(name.encode("utf-8", "replace"))
                _add(digest, code)
    return digest.hexdigest()


def _codes(value):
    if isinstance(value, type):
        members = [member for _, member in sorted(vars(value).items(), key=lambda pair: str(pair[0]))]
    else:
        members = [value]
    for member in members:
        member = getattr(member, "__func__", member)
        if isinstance(member, types.FunctionType):
            yield member.__code__


def _add(digest, code):
    digest.update(code.co_code)
    for names in (code.co_names, code.co_varnames, code.co_freevars):
        digest.update(repr(names).encode("utf-8", "replace"))
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            _add(digest, constant)
        elif isinstance(constant, frozenset):
            # Their order differs from process to process.
            digest.update(repr(sorted([repr(one) for one in constant])).encode("utf-8", "replace"))
        else:
            digest.update(repr(constant).encode("utf-8", "replace"))


def module_of(name):
    """Return a module that is loaded, by its name."""
    return sys.modules.get(name)
