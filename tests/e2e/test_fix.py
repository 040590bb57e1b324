"""`ksolve fix` on a real package: a release with a known bug, and a failing test for it.

The release is parse 1.18.0, whose fields lose a newline that ends the text (its issue 123, mended
in the release after it). Every test starts where a developer would: in a git repository of the
release, with the new test not yet committed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.errors import APIError

from eval.store import open_run

pytestmark = [
    pytest.mark.docker,
    pytest.mark.registry,
    pytest.mark.usefixtures("docker_engine"),
]

RELEASE = "parse==1.18.0"
SHA256 = "91666032d6723dc5905248417ef0dc9e4c51df9526aaeef271eacad6491f06a4"

FAILING_TEST = """\
import parse


def test_a_field_keeps_the_newline_that_ends_the_text():
    assert parse.parse("{}", "a\\n")[0] == "a\\n"


def test_a_newline_too_many_is_no_match():
    assert parse.parse("{:d} apples", "3 apples\\n") is None
"""
ISSUE = """\
A newline at the end of the text is lost

`parse("{}", "a\\n")` gives me "a" and not "a\\n". And `parse("{:d} apples", "3 apples\\n")`
matches, although the format says nothing of a newline.
"""
TEST_FILE = "test_trailing_newline.py"
TEST_COMMAND = "python3 -m pytest -q"
FOLDER = "parse-for-ksolve"
IMAGE = f"ksolve-local/{FOLDER}"


def replacing(path: str, search: str, replace: str) -> str:
    return f"{path}\n<<<<<<< SEARCH\n{search}=======\n{replace}>>>>>>> REPLACE\n"


MATCH = "        m = self._match_re.match(string)\n"
RIGHT = replacing("parse.py", MATCH, "        m = self._match_re.fullmatch(string)\n")
WRONG = replacing("parse.py", MATCH, "        m = self._match_re.match(string.rstrip())\n")
EDITS_THE_TEST = replacing(
    TEST_FILE, '    assert parse.parse("{}", "a\\n")[0] == "a\\n"\n', "    assert parse\n"
) + replacing(
    TEST_FILE,
    '    assert parse.parse("{:d} apples", "3 apples\\n") is None\n',
    "    assert parse\n",
)
DELETES_THE_TEST = "".join(
    [
        "```diff\n",
        f"diff --git a/{TEST_FILE} b/{TEST_FILE}\ndeleted file mode 100644\n",
        f"--- a/{TEST_FILE}\n+++ /dev/null\n@@ -1,9 +0,0 @@\n",
        *(f"-{line}\n" for line in FAILING_TEST.splitlines()),
        "```\n",
    ]
)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The release as its source distribution holds it."""
    folder = tmp_path_factory.mktemp("release")
    (folder / "wanted.txt").write_text(f"{RELEASE} --hash=sha256:{SHA256}\n")
    download = ("download", "--quiet", "--no-deps", "--no-binary", "parse", "--dest", folder)
    words = (*download, "--requirement", folder / "wanted.txt")
    subprocess.run([sys.executable, "-m", "pip", *map(str, words)], check=True)
    (archive,) = folder.glob("*.tar.gz")
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == SHA256
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """Folders of ksolve's own, and no image left behind."""
    folder = tmp_path_factory.mktemp("ksolve")
    yield {
        **os.environ,
        "XDG_CACHE_HOME": str(folder / "cache"),
        "XDG_STATE_HOME": str(folder / "state"),
    }
    client = docker.from_env()
    for image in client.images.list(IMAGE):
        # Two runs of the tests at once share an image, and one of them is first.
        with suppress(APIError):
            client.images.remove(str(image.id), force=True)
    client.close()


@dataclass(frozen=True, kw_only=True, slots=True)
class Developer:
    """Who has the repository, and asks ksolve to mend it."""

    repo: Path
    environment: Mapping[str, str]

    def fix(
        self,
        answers: Sequence[str],
        *options: str,
        test: str = TEST_COMMAND,
        issue: Sequence[str] = ("--issue", ISSUE),
        stdin: str = "",
    ) -> subprocess.CompletedProcess[str]:
        """Run `ksolve fix` with a model that answers to this issue only."""
        script = self.repo.parent / "answers.jsonl"
        row = {"match": ISSUE.splitlines()[0], "answers": list(answers)}
        script.write_text(f"{json.dumps(row)}\n")
        model = ("--model", f"scripted:{script}", "--samples", str(len(answers)), "--fresh")
        return self.ksolve("fix", *issue, "--test", test, *model, *options, stdin=stdin)

    def ksolve(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run any command of ksolve in the repository."""
        return subprocess.run(
            [sys.executable, "-m", "ksolve.cli", *words],
            cwd=self.repo,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    def test_passes(self) -> bool:
        """Run the new test here, not in a container."""
        words = ("pytest", "-q", "-p", "no:cacheprovider", TEST_FILE)
        done = subprocess.run(
            [sys.executable, "-B", "-m", *words], cwd=self.repo, check=False, capture_output=True
        )
        assert done.returncode in {0, 1}, done.stdout
        return done.returncode == 0

    def git(self, *words: str, stdin: str = "") -> str:
        return subprocess.run(
            ["git", "-c", "user.name=Dev", "-c", "user.email=dev@localhost", *words],
            cwd=self.repo,
            input=stdin,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    def changes(self) -> list[str]:
        return self.git("status", "--porcelain").splitlines()


UNTOUCHED = [f"?? {TEST_FILE}"]


@pytest.fixture
def developer(release: Path, environment: Mapping[str, str], tmp_path: Path) -> Developer:
    """A developer who has just written the failing test."""
    repo = tmp_path / FOLDER
    shutil.copytree(release, repo)
    made = Developer(repo=repo, environment=environment)
    made.git("init", "--quiet")
    made.git("add", "--all")
    made.git("commit", "--quiet", "--message", RELEASE)
    (repo / TEST_FILE).write_text(FAILING_TEST)
    assert made.changes() == UNTOUCHED
    assert not made.test_passes()
    return made


def test_a_right_fix_after_wrong_ones_is_printed_and_applies(developer: Developer) -> None:
    (developer.repo.parent / "issue.md").write_text(ISSUE)
    done = developer.fix([WRONG, "I do not know.", RIGHT], issue=("--issue-file", "../issue.md"))
    assert done.returncode == 0, done.stderr
    assert "2 failed" in done.stderr
    assert developer.changes() == UNTOUCHED
    developer.git("apply", "-", stdin=done.stdout)
    assert developer.changes() == [" M parse.py", *UNTOUCHED]
    assert developer.test_passes()


def test_a_patch_is_applied_beside_the_uncommitted_test(developer: Developer) -> None:
    done = developer.fix([RIGHT], "--apply", "--json", "--price", "in=1,out=1")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["solved"] is True
    assert (result["samples"], result["reasons"]) == (1, [])
    assert result["cost"] > 0
    with open_run(Path(result["run"])) as store:
        command = shlex.split((store.config() or {})["command"])
    assert command[:5] == ["ksolve", "fix", ".", "--issue", ISSUE]
    # The new test is in no commit.
    assert "--base" not in command
    assert developer.changes() == [" M parse.py", *UNTOUCHED]
    assert developer.test_passes()
    developer.git("apply", "--reverse", "-", stdin=result["patch"])
    assert developer.changes() == UNTOUCHED


def test_a_patch_of_a_file_with_uncommitted_changes_is_kept_until_it_is_allowed(
    developer: Developer,
) -> None:
    parse = developer.repo / "parse.py"
    parse.write_text(parse.read_text() + "# mine\n")
    changed = developer.changes()
    done = developer.fix([RIGHT], "--apply")
    assert done.returncode == 2
    assert "(parse.py)" in done.stderr
    assert "--allow-dirty" in done.stderr
    assert "+        m = self._match_re.fullmatch(string)" in done.stdout
    assert developer.changes() == changed
    assert not developer.test_passes()
    # The same command, so that nothing is drawn again.
    again = developer.fix([RIGHT], "--apply", "--allow-dirty")
    assert again.returncode == 0, again.stderr
    assert "1 sample drawn" in again.stderr
    assert developer.test_passes()
    assert parse.read_text().endswith("# mine\n")


def test_where_nothing_passes_it_says_why_and_what_shows_it(developer: Developer) -> None:
    misplaced = replacing("parse.py", "no such line\n", "whatever\n")
    answers = [WRONG, WRONG + "\nAgain.", "I do not know.", misplaced]
    done = developer.fix(answers)
    assert done.returncode == 1, done.stderr
    (told,) = [line for line in done.stderr.splitlines() if line.startswith("  2x ")]
    assert "still fails: test_trailing_newline.py::test_a_field_keeps" in told
    assert "; breaks: test_parse.py::" in told
    assert done.stderr.count("  1x no patch: ") == 2
    commands = [line.strip() for line in done.stderr.splitlines() if "ksolve show" in line]
    assert len(commands) == 3
    for command in commands:
        _, *words = shlex.split(command)
        shown = developer.ksolve(*words)
        assert shown.returncode == 0, shown.stderr
        assert "local__" in shown.stdout


def test_a_module_that_is_not_there_ends_it_before_anything_is_paid(developer: Developer) -> None:
    test = developer.repo / TEST_FILE
    test.write_text(f"import sortedcontainers\n{FAILING_TEST}")
    done = developer.fix([RIGHT])
    assert done.returncode == 2
    assert "sortedcontainers is not installed: install it with --setup" in done.stderr
    assert "--yes" in done.stderr
    assert "drawn" not in done.stderr
    gone_on = developer.fix([WRONG], "--yes")
    assert gone_on.returncode == 1
    assert "1 sample drawn" in gone_on.stderr
    installed = developer.fix([RIGHT], "--setup", "pip install sortedcontainers")
    assert installed.returncode == 0, installed.stderr


def test_a_submodule_that_is_not_checked_out_ends_it_before_anything_is_paid(
    developer: Developer,
) -> None:
    head = developer.git("rev-parse", "HEAD").strip()
    developer.git("update-index", "--add", "--cacheinfo", f"160000,{head},vendor/steel")
    developer.git("commit", "--quiet", "--message", "Depend")
    done = developer.fix([RIGHT])
    assert done.returncode == 2
    assert "vendor/steel are not checked out: run `git submodule update" in done.stderr
    assert "drawn" not in done.stderr
    assert developer.fix([RIGHT], "--yes").returncode == 0


def test_a_python_that_cannot_be_had_ends_it_with_what_to_do(developer: Developer) -> None:
    (developer.repo / ".python-version").write_text("3.99\n")
    done = developer.fix([RIGHT])
    assert done.returncode == 2
    assert "asks for Python ==3.99.* (.python-version)" in done.stderr
    assert "--image python:3.99 --setup" in done.stderr
    assert "drawn" not in done.stderr
    assert developer.fix([RIGHT], "--python", "3").returncode == 2


def test_a_setup_that_fails_ends_it_with_its_last_words(developer: Developer) -> None:
    done = developer.fix([RIGHT], "--setup", "echo out of steel && exit 3")
    assert done.returncode == 2
    assert "setup failed" in done.stderr
    assert "out of steel" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_fix_is_refused_and_nothing_applied(developer: Developer) -> None:
    options = ("--apply", "--json")
    done = developer.fix([WRONG], *options, issue=("--issue", "-"), stdin=ISSUE)
    assert done.returncode == 1, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    assert (result["solved"], result["patch"], result["samples"]) == (False, None, 1)
    (reason,) = result["reasons"]
    assert (reason["samples"], reason["why"].partition(":")[0]) == (1, "still fails")
    assert developer.changes() == UNTOUCHED


def test_a_patch_of_the_tests_does_not_solve_the_issue(developer: Developer) -> None:
    done = developer.fix([EDITS_THE_TEST, DELETES_THE_TEST], "--json")
    assert done.returncode == 1, done.stderr
    result = json.loads(done.stdout)
    assert (result["solved"], result["patch"]) == (False, None)
    with open_run(Path(result["run"])) as store:
        assert [row.outcome for row in store.rows()] == ["unresolved", "unresolved"]
    assert developer.changes() == UNTOUCHED


def test_a_right_fix_is_freed_of_what_it_does_to_the_tests(developer: Developer) -> None:
    done = developer.fix([EDITS_THE_TEST + RIGHT], "--apply")
    assert done.returncode == 0, done.stderr
    assert TEST_FILE not in done.stdout
    assert developer.changes() == [" M parse.py", *UNTOUCHED]
    assert (developer.repo / TEST_FILE).read_text() == FAILING_TEST


def test_a_test_command_that_passes_already_is_refused(developer: Developer) -> None:
    done = developer.fix([RIGHT], test=f"{TEST_COMMAND} test_parse.py")
    assert done.returncode == 2
    assert "passes already" in done.stderr
    assert done.stdout == ""


def test_a_test_command_that_cannot_run_is_refused_before_anything_is_paid(
    developer: Developer,
) -> None:
    done = developer.fix([RIGHT], test="pytst -q")
    assert done.returncode == 2
    assert "pytst: command not found" in done.stderr
    assert "samples" not in done.stderr
