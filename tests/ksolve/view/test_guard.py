"""Who may look, and what every answer carries."""

from __future__ import annotations

from pathlib import Path

import pytest

from ksolve.view.guard import host_of, is_loopback
from tests.ksolve.view import made
from tests.ksolve.view.visit import visitor

TOKEN = "correct-horse-battery; staple"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return made.record(tmp_path / "one")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "X"])
def test_nothing_but_reading_is_possible(folder: Path, method: str) -> None:
    with visitor(folder) as client:
        answer = client.request(method, "/run/one")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize(
    "address", ["/", "/run/one", "/static/view.js", "/static/style.css", "/nothing", "/run/no"]
)
def test_every_answer_forbids_what_pages_do_not_need(folder: Path, address: str) -> None:
    with visitor(folder) as client:
        for answer in (client.get(address), client.head(address), client.post(address)):
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8765", 200),
        ("LOCALHOST", 200),
        ("127.0.0.1:1", 200),
        ("127.8.9.1:8765", 200),
        ("[::1]:8765", 200),
        ("a.localhost:8765", 200),
        ("evil.example:8765", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("127.0.0.1@evil.example", 421),
        ("192.168.0.1:8765", 421),
        ("[::ffff:10.0.0.1]", 421),
        ("0.0.0.0:8765", 421),
        ("", 421),
    ],
)
def test_a_name_that_may_mean_another_machine_is_refused(
    folder: Path, host: str, status: int
) -> None:
    with visitor(folder) as client:
        answer = client.get("/", headers={"host": host})
    assert answer.status_code == status


def test_hosts_are_read_as_browsers_write_them() -> None:
    assert [host_of(h) for h in ("a:1", "a", "[::1]:1", "[::1]", "")] == [
        "a",
        "a",
        "::1",
        "::1",
        "",
    ]
    assert not is_loopback("")


def test_beyond_loopback_a_token_is_asked_for_and_moves_into_a_cookie(folder: Path) -> None:
    with visitor(folder, base="http://box.lan:8765", token=TOKEN, only_loopback=False) as client:
        for address in ("/", "/run/one", "/run/one/events", "/static/view.css", "/nothing"):
            assert client.get(address).status_code == 401
            assert client.get(address, params={"token": "wrong"}).status_code == 401
            assert client.get(address, params={"token": ""}).status_code == 401
        first = client.get("/run/one", params={"token": TOKEN, "show": "solved"})
        assert first.status_code == 303
        assert first.headers["location"] == "/run/one?show=solved"
        cookie = first.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert TOKEN not in cookie
        assert client.get("/run/one").status_code == 200
        client.cookies.clear()
        assert client.get("/").status_code == 401
        bearer = {"authorization": f"Bearer {TOKEN}"}
        assert client.get("/", headers=bearer).status_code == 200


@pytest.mark.parametrize(
    "path", ["//evil.example", "/%5Cevil.example", "///evil.example/%0d%0aX:1"]
)
def test_the_way_back_from_the_token_never_leads_elsewhere(folder: Path, path: str) -> None:
    with visitor(folder, token=TOKEN) as client:
        answer = client.get(f"http://localhost:8765{path}", params={"token": TOKEN})
    assert answer.status_code == 303
    where = answer.headers["location"]
    assert where.startswith("/")
    assert not where.startswith(("//", "/\\"))
    assert "\n" not in where


def test_two_views_on_one_machine_do_not_take_each_others_cookies(folder: Path) -> None:
    names = set()
    for _ in range(2):
        with visitor(folder, token=TOKEN) as client:
            client.get("/", params={"token": TOKEN})
            names |= set(client.cookies)
    assert len(names) == 2


def test_pages_refer_only_to_files_that_are_there(folder: Path) -> None:
    with visitor(folder) as client:
        for name in ("style.css", "chart.css", "tables.js", "view.css", "view.js", "icon.svg"):
            answer = client.get(f"/static/{name}")
            assert answer.status_code == 200
            assert "http://www.w3.org" in answer.text or "://" not in answer.text
