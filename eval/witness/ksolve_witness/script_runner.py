"""Witness of a plain program whose exit status is the result: it tells that the program ended.

A program that is ended from inside (`os._exit`, a signal to itself) does not come to that.
"""

import atexit
import sys


def watch(say, orders, runner):
    """Have the end of this process told, if it is no test runner after all."""
    uncaught = []
    hook = sys.excepthook

    def noted(kind, value, traceback):
        uncaught.append(kind)
        hook(kind, value, traceback)

    def end():
        if orders.setdefault("runner", "script") == "script":
            say("script", sys.version.split()[0])
            say("end", 1 if uncaught else 0, runner.altered(), [])

    sys.excepthook = noted
    # The first to be registered is the last to be called.
    atexit.register(end)
