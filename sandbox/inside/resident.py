"""Inside the container: starts one command after the other, and tells what each prints.

What comes in and goes out is described in `sandbox/resident.py`. A command is a process of its own
in a session of its own. What it leaves running is not waited for; what that prints later is read,
so that it can go on, and dropped. Must run on any Python from 2.7 on.
"""

import errno
import fcntl
import os
import select
import struct
import warnings  # noqa: F401 - else os.execvpe would load it for every command

try:
    import _signal as signal  # loads in no time
except ImportError:
    import signal

_PIECE = 65536
_BLOCK = 4096
# Bytes that a pipe takes at once if it takes any.
_QUIET = 0.2
# Seconds without output after which a command that has ended has said all.
_LAST_READS = 20
# After its end, if it is never quiet; so many are more than a pipe can hold.


def serve():
    """Do what is asked until nobody can ask any more."""
    environment = dict(_pair(line) for line in _inherited().split(b"\0") if b"=" in line)
    ends = _ends_of_children()
    strays = []
    _say(b"r")
    while True:
        readable, _ = _wait([0] + strays)
        _drop(strays, readable)
        if 0 in readable:
            words = _request()
            if words is None:
                return
            _say(b"b")
            strays += _run(words, environment, ends, strays)


def _run(words, environment, ends, strays):
    """Run one command; return the outputs that somebody still holds."""
    folder, data, count = words[0], words[1], int(words[2])
    environment = dict(environment)
    environment.update(_pair(word) for word in words[3 + count :])
    stdin, feed = os.pipe() if data else (os.open(os.devnull, os.O_RDONLY), None)
    (out, stdout), (err, stderr) = os.pipe(), os.pipe()
    try:
        child = os.fork()
    except OSError:
        child = None
    if child == 0:
        _become(words[3 : 3 + count], folder, environment, (stdin, stdout, stderr))
    for end in (stdin, stdout, stderr):
        os.close(end)
    if child is None:
        for end in (out, err) if feed is None else (out, err, feed):
            os.close(end)
        _say(b"n")
        return []
    outputs = {out: b"o", err: b"e"}
    status, reads = None, 0
    while status is None or (outputs and reads < _LAST_READS):
        watched = list(outputs) + ([ends] + strays if status is None else [])
        limit = None if status is None else _QUIET
        readable, writable = _wait(watched, [] if feed is None else [feed], limit)
        if status is not None:
            reads += 1
            if not readable:
                break
        for output in [one for one in readable if one in outputs]:
            piece = os.read(output, _PIECE)
            if piece:
                _say(outputs[output], piece)
            else:
                del outputs[output]
                os.close(output)
        _drop(strays, readable)
        if writable:
            data = _feed(feed, data)
        if status is None:
            if ends in readable:
                os.read(ends, _PIECE)
            ended, how = os.waitpid(child, os.WNOHANG)
            if ended:
                status = 128 + os.WTERMSIG(how) if os.WIFSIGNALED(how) else os.WEXITSTATUS(how)
        if feed is not None and (not data or status is not None):
            os.close(feed)
            feed = None
    _say(b"x", struct.pack(">I", status))
    return list(outputs)


def _become(argv, folder, environment, streams):
    """Be the command, which finds everything as if the engine had started it."""
    code, what = 126, folder
    try:
        os.setsid()
        for place, stream in enumerate(streams):
            os.dup2(stream, place)
        os.closerange(3, 1024)
        # Python itself ignores these.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        os.chdir(folder)
        what = argv[0]
        os.execvpe(what, argv, environment)
    except Exception as error:
        why = os.strerror(getattr(error, "errno", None) or errno.EINVAL)
        if what is not folder and why == os.strerror(errno.ENOENT):
            code, why = 127, "not found"
        os.write(2, b"ksolve: " + what + b": " + why.encode("ascii", "replace") + b"\n")
    finally:
        os._exit(code)


def _feed(feed, data):
    """Hand over some input; return the rest, none when nobody reads it."""
    try:
        return data[os.write(feed, data[:_BLOCK]) :]
    except OSError:
        return b""


def _drop(strays, readable):
    for stray in [one for one in strays if one in readable]:
        if not os.read(stray, _PIECE):
            strays.remove(stray)
            os.close(stray)


def _ends_of_children():
    """Return what can be read as soon as a child has ended."""
    ends, signalled = os.pipe()
    fcntl.fcntl(signalled, fcntl.F_SETFL, fcntl.fcntl(signalled, fcntl.F_GETFL) | os.O_NONBLOCK)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.siginterrupt(signal.SIGCHLD, False)
    signal.set_wakeup_fd(signalled)
    return ends


def _wait(reading, writing=(), seconds=None):
    try:
        return select.select(reading, writing, [], seconds)[:2]
    except select.error as error:
        if error.args[0] != errno.EINTR:
            raise
        return [], []


def _request():
    """Read the words of one request; None at the end."""
    head = _read(4)
    body = head and _read(struct.unpack(">I", head)[0])
    if not body:
        return None
    words, at = [], 0
    while at < len(body):
        start = at + 4
        at = start + struct.unpack(">I", body[start - 4 : start])[0]
        words.append(body[start:at])
    return words


def _read(length):
    pieces = []
    while length:
        piece = os.read(0, min(length, _PIECE))
        if not piece:
            return None
        length -= len(piece)
        pieces.append(piece)
    return b"".join(pieces)


def _say(kind, payload=b""):
    record = struct.pack(">cI", kind, len(payload)) + payload
    while record:
        record = record[os.write(1, record) :]


def _inherited():
    """Return the environment as it was handed over, before Python changed it."""
    with open("/proc/self/environ", "rb") as file:
        return file.read()


def _pair(word):
    name, _, value = word.partition(b"=")
    return name, value


def _rename():
    """Be no `python` to who ends all processes of that name."""
    with open("/proc/self/comm", "wb") as file:
        file.write(b"ksolve")


if __name__ == "__main__":
    _rename()
    serve()
