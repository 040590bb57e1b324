"""Pages: what a run holds is there to read, in parts where it is much, in a sentence where not."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from eval.sample import SampleKey
from eval.store import Store
from ksolve.view.pages import ISSUES, SAMPLES
from ksolve.view.testlog import TAIL
from ksolve.view.texts import BODY
from tests.ksolve.view import made
from tests.ksolve.view.visit import Parsed, visitor

SAMPLE = "/run/one/issue/0/sample/0/0"


def text_of(folder: Path, address: str) -> str:
    with visitor(folder) as client:
        answer = client.get(address)
    assert answer.status_code == 200
    return Parsed(answer.text).words


def test_the_list_has_every_run_under_a_name_of_its_own(tmp_path: Path) -> None:
    for place in ("one", "deep/er/one", "b <b>"):
        made.record(tmp_path / "runs" / place)
    (tmp_path / "runs" / "none").mkdir()
    with visitor(tmp_path / "runs", tmp_path / "runs" / "one") as client:
        page = Parsed(client.get("/").text)
        links = [a["href"] for tag, a in page.elements if tag == "a" and a["href"] != "/"]
        assert links[1:] == ["/run/b-b", "/run/one", "/run/one-2"]
        assert [client.get(str(link)).status_code for link in links[1:]] == [200] * 3
        made.record(tmp_path / "runs" / "late")
        assert "late" in client.get("/").text
    assert "1 of 2" in page.text
    assert "5 of 16" in page.text
    assert "stopped" in page.text


def test_a_run_is_told_in_figures_and_its_failures_in_words(tmp_path: Path) -> None:
    text = text_of(made.record(tmp_path / "one"), "/run/one")
    for part in ("1 of 2", "5 of 16", "4 of 5", "5.0k / 250", "$0.05", "2/3", "0/1", "1 pending"):
        assert part in text
    assert "sample 3 of vllm:qwen-0.5b (loop), while it was drawn: the server went away" in text
    assert "nowhere.jsonl" in text
    assert "Coverage: issues that at least one of k samples solves" in text


def test_an_unknown_price_is_unknown_and_not_nothing(tmp_path: Path) -> None:
    with Store(tmp_path / "one") as store:
        store.begin(made.config(["t"], models=[made.SMALL]))
        made.add(store, made.key("t"), cost=None)
    for address in ("/", "/run/one", "/run/one/issue/0", SAMPLE):
        assert "unknown" in text_of(tmp_path / "one", address)
        assert "$0 " not in text_of(tmp_path / "one", address)


def test_the_samples_of_an_issue_come_in_parts_each_exactly_once(tmp_path: Path) -> None:
    many = SAMPLES + 30
    with Store(tmp_path / "one") as store:
        store.begin(made.config(["t"], samples=many))
        for model in (made.SMALL, made.LARGE):
            keys = [made.key("t", index, model) for index in range(many)]
            store.add_samples([made.sample(one) for one in keys])
            for one in keys[::3]:
                made.judge(store, one, "resolved" if one.index % 2 else "timeout")
    listed, counted = [], []
    with visitor(tmp_path / "one") as client:
        for part in (1, 2, 3):
            page = Parsed(client.get(f"/run/one/issue/0?part={part}").text)
            listed += [a["value"] for tag, a in page.elements if a.get("name") == "left"]
        for outcome in ("resolved", "timeout", "pending"):
            page = Parsed(client.get(f"/run/one/issue/0?outcome={outcome}&solver=1").text)
            counted += [a["value"] for tag, a in page.elements if a.get("name") == "left"]
        beyond = client.get("/run/one/issue/0?part=99999999999999999999")
    assert listed == [f"{arm}.{index}" for arm in (0, 1) for index in range(many)]
    assert sorted(map(str, counted)) == sorted(f"1.{index}" for index in range(many))
    assert beyond.status_code == 200


def test_the_issues_of_a_run_come_in_parts_and_can_be_chosen(tmp_path: Path) -> None:
    names = [f"org__repo-{number}" for number in range(ISSUES + 1)]
    with Store(tmp_path / "one") as store:
        store.begin(made.config(names))
        made.add(store, made.key(names[3]))
    with visitor(tmp_path / "one") as client:
        cells = {
            address: client.get(f"/run/one{address}").text.count('data-cell="')
            for address in (
                "",
                "?part=2",
                "?show=solved",
                "?show=unsolved&find=REPO-19",
                "?find=%2b",
            )
        }
    assert list(cells.values()) == [2 * ISSUES, 2, 2, 22, 0]


def test_a_sample_is_shown_with_its_failing_tests_first(tmp_path: Path) -> None:
    with visitor(made.record(tmp_path / "one")) as client:
        page = client.get("/run/one/issue/1/sample/1/0").text
    area, name, gone = (page.index(part) for part in ("5 == 6", "KeyError", "test_gone"))
    log = page.index("The whole log")
    assert page.index("should pass now") < area < page.index("passed before") < name < gone < log
    assert '<span class="t-gi">+a = 2</span>' in page
    for part in ("observation", "exit code 0", "answers c1", "temperature, seed", "70% cached"):
        assert part in page


def test_suspicions_stand_above_the_patch_with_their_lines(tmp_path: Path) -> None:
    with Store(tmp_path / "one") as store:
        store.begin(made.config(["t"], models=[made.SMALL]))
        store.add_sample(made.sample(made.key("t")))
        made.judge(store, made.key("t"), suspicions=(made.suspicion("x.py", 12),))
    with visitor(tmp_path / "one") as client:
        page = client.get(SAMPLE).text
    assert "1 suspicion in the patch, for a person to judge" in page
    assert page.index("x.py:12") < page.index("early exit: x.py") < page.index("temperature, seed")


def test_prompts_and_observations_are_folded_and_the_models_own_turns_are_not(
    tmp_path: Path,
) -> None:
    with visitor(made.record(tmp_path / "one")) as client:
        page = Parsed(client.get(SAMPLE).text)
    turns = [a for tag, a in page.elements if tag == "details" and "turn" in str(a["class"])]
    assert ["open" in turn for turn in turns] == [False, True, False]


def test_two_samples_stand_side_by_side_with_the_tests_that_differ(tmp_path: Path) -> None:
    folder = made.record(tmp_path / "one")
    with Store(folder) as store:
        made.add(store, made.key("a__b-2", 0), "resolved")
        made.add(store, made.key("a__b-2", 1), "no_patch", patch="")
    text = text_of(folder, "/run/one/issue/1/compare?left=1.0&right=0.0")
    assert "TestBox::test_area missing passes" in text
    text = text_of(folder, "/run/one/issue/1/compare?left=1.0&right=0.1")
    assert "TestBox::test_area missing was not run" in text
    assert "There was nothing to verify." in text


def test_texts_of_megabytes_are_cut_on_the_page_and_whole_beside_it(tmp_path: Path) -> None:
    large = "".join(f"line {number} <b>\n" for number in range(200_000))
    with Store(tmp_path / "one") as store:
        store.begin(made.config(["t"]))
        turns = made.turns(large, told=large)
        store.add_sample(made.sample(made.key("t"), patch=made.PATCH + large, trajectory=turns))
        made.judge(store, made.key("t"), "unresolved", log=large, missing_fail_to_pass=("line 1",))
    with visitor(tmp_path / "one") as client:
        page = client.get(SAMPLE)
        assert len(page.content) < 2 * (TAIL + 5 * BODY + 200_000)
        assert client.get(f"{SAMPLE}/patch").text == made.PATCH + large
        assert client.get(f"{SAMPLE}/log").text == large
        assert client.get(f"{SAMPLE}/turn/3").text == large
        assert client.get(f"{SAMPLE}/log").headers["content-type"] == "text/plain; charset=utf-8"
    assert "characters more" in page.text


@pytest.mark.parametrize(
    "address",
    [
        "/run/two",
        "/run/one/issue/2",
        "/run/one/issue/-1",
        "/run/one/issue/1e3",
        f"/run/one/issue/{'9' * 5000}",
        "/run/one/issue/0/sample/0/77",
        "/run/one/issue/0/sample/0/99999999999999999999",
        "/run/one/issue/0/sample/2/0",
        "/run/one/issue/0/sample/0/0/turn/0",
        "/run/one/issue/0/sample/0/0/turn/4",
        "/run/one/issue/0/compare",
        "/run/one/issue/0/compare?left=0.0&right=5.0",
        "/run/..%2f..%2fetc%2fpasswd",
        "/run/%2e%2e",
        "/run/one%2frun.db",
        "/static/..%2fview.py",
        "/static/../app.py",
        "/static/%00",
        "/run/one/lock",
        "//etc/passwd",
    ],
)
def test_what_is_not_there_is_a_sentence_and_no_file(tmp_path: Path, address: str) -> None:
    with visitor(made.record(tmp_path / "one")) as client:
        answer = client.get(f"http://localhost:8765{address}")
    assert answer.status_code == 404
    page = Parsed(answer.text)
    assert page.tags.count("p") == 2
    assert "root:" not in answer.text


def test_a_run_that_cannot_be_read_is_a_sentence_in_the_list_and_on_its_page(
    tmp_path: Path,
) -> None:
    for name in ("gone", "form", "broken", "empty", "foreign", "config", "bare"):
        made.record(tmp_path / name)
    bad = {"gone": 404, "form": 409, "broken": 500, "empty": 404, "foreign": 409, "config": 409}
    for name, statement in (
        ("form", "PRAGMA user_version = 99"),
        ("foreign", "UPDATE samples SET model = 'x' WHERE rowid = 1"),
        ("config", "UPDATE run SET config = '[1]'"),
    ):
        with sqlite3.connect(tmp_path / name / "run.db") as database:
            database.execute(statement)
        database.close()
    for name, content in (("broken", b"no database" * 1000), ("empty", b"")):
        shutil.rmtree(tmp_path / name)
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.db").write_bytes(content)
    shutil.rmtree(tmp_path / "bare")
    Store(tmp_path / "bare").__exit__()
    with visitor(tmp_path) as client:
        assert client.get("/run/gone").status_code == 200
        shutil.rmtree(tmp_path / "gone")
        page = Parsed(client.get("/").text)
        answers = {name: client.get(f"/run/{name}") for name in [*bad, "bare"]}
    assert {name: answer.status_code for name, answer in answers.items()} == bad | {"bare": 404}
    assert "moved or removed" in answers["gone"].text
    assert "form 99" in answers["form"].text
    for name in ("form", "broken", "empty", "foreign", "config", "bare"):
        assert f"{tmp_path / name}" in page.text
    assert page.text.count("holds no run yet") == 2


def test_a_busy_database_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made.record(tmp_path / "one")
    monkeypatch.setattr("ksolve.view.rundb.WAIT", 0.01)
    with sqlite3.connect(folder / "run.db") as held:
        held.execute("PRAGMA journal_mode = DELETE")
        held.execute("BEGIN EXCLUSIVE")
        with visitor(folder) as client:
            answer = client.get("/run/one")
        held.rollback()
    held.close()
    assert answer.status_code == 503
    assert "is busy" in answer.text


def test_nothing_in_a_run_folder_is_changed_by_looking(tmp_path: Path) -> None:
    folder = made.record(tmp_path / "one")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with visitor(folder) as client:
        for address in ("/", "/run/one", "/run/one/issue/0", SAMPLE):
            assert client.get(address).status_code == 200
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {name: after[name] for name in before} == before


def test_a_text_that_is_missing_is_a_sentence(tmp_path: Path) -> None:
    folder = made.record(tmp_path / "one")
    with sqlite3.connect(folder / "texts.db") as database:
        database.execute("DELETE FROM texts")
    database.close()
    with visitor(folder) as client:
        answer = client.get(SAMPLE)
    assert answer.status_code == 404
    assert "lacks a text" in answer.text


def test_names_of_issues_and_models_may_be_anything(tmp_path: Path) -> None:
    odd = ["../../etc", "a/b?c=d#e", "%2e%2e", "", " "]
    with Store(tmp_path / "one") as store:
        store.begin(made.config(odd, models=["http://h:1/v1#org/m"]))
        for task in odd:
            which = SampleKey(task_id=task, model="http://h:1/v1#org/m", strategy="loop", index=0)
            made.add(store, which)
    with visitor(tmp_path / "one") as client:
        assert client.get("/run/one").status_code == 200
        for issue in range(len(odd)):
            page = f"/run/one/issue/{issue}"
            assert client.get(page).status_code == 200
            assert client.get(f"{page}/sample/0/0").status_code == 200
            links = [a["href"] for tag, a in Parsed(client.get(page).text).elements if tag == "a"]
            assert all(str(link).startswith(("/", "#")) for link in links)


def test_what_came_before_the_first_answer_is_folded_as_one(tmp_path: Path) -> None:
    example = made.says("assistant", "An example of nobody.")
    with Store(tmp_path / "one") as store:
        store.begin(made.config(["t"]))
        trajectory = [made.says("user", "Do as here:"), example, *made.turns()]
        store.add_sample(made.sample(made.key("t"), trajectory=trajectory))
        store.add_sample(made.sample(made.key("t", 1), trajectory=()))
    assert "The prompt 3 turns" in text_of(tmp_path / "one", SAMPLE)
    assert "an example" in text_of(tmp_path / "one", SAMPLE)
    assert "the patch was given" in text_of(tmp_path / "one", "/run/one/issue/0/sample/0/1")
