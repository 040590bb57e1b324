"""`ksolve view`: runs in a browser, live while they go on."""

from __future__ import annotations

import secrets
import socket
import webbrowser
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ksolve.errors import InputError
from ksolve.screen import screen

DEFAULT_PLACE = Path("runs")


def view(
    *,
    runs: Annotated[
        list[Path] | None,
        typer.Argument(help="Run folders, or folders that hold some: ./runs.", show_default=False),
    ] = None,
    host: Annotated[
        str,
        typer.Option(help="The address to listen on. One beyond this machine asks for a token."),
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="By default 8765, or the next that is free."),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            envvar="KSOLVE_VIEW_TOKEN",
            help="Who wants to look has to know it. By default none on this machine, and a new "
            "one beyond it.",
        ),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the pages in a browser.")] = False,
) -> None:
    """Show runs in a browser: coverage, issues, samples, and what changes while a run goes on.

    Pages are read from the run folders and change nothing in them. Ctrl-C ends it.

    [bold]Example[/bold]

        ksolve view runs/a
    """
    from ksolve.view.app import application
    from ksolve.view.guard import SHORTEST_TOKEN, is_loopback
    from ksolve.view.server import listen, serve

    places = runs or [DEFAULT_PLACE]
    for place in places:
        if not place.is_dir():
            raise InputError(f"There is no folder {place}: give one that is or holds a run.")
    if token is not None and (len(token) < SHORTEST_TOKEN or not token.isascii()):
        raise InputError(f"A token needs at least {SHORTEST_TOKEN} characters, all of ASCII.")
    listening = listen(host, port)
    # A name may lead elsewhere than it sounds.
    only_loopback = is_loopback(host) and is_loopback(listening.getsockname()[0])
    if not only_loopback:
        token = token or secrets.token_urlsafe(24)
    address = _address(host, listening)
    if token is not None:
        address += f"?token={token}"
    console = screen()
    console.print(Text(f"ksolve view: {address} (Ctrl-C ends it)"), soft_wrap=True)
    if open_:
        # It waits in the socket's queue until the server is there.
        webbrowser.open(address)
    serve(
        lambda stopping: application(
            places, token=token, only_loopback=only_loopback, stopping=stopping
        ),
        listening,
    )


def _address(host: str, listening: socket.socket) -> str:
    """Return the address of the first page, under a name that another machine can use."""
    port = listening.getsockname()[1]
    name = socket.gethostname() if host in {"0.0.0.0", "::", ""} else host  # noqa: S104 - asked for
    return f"http://[{name}]:{port}/" if ":" in name else f"http://{name}:{port}/"
