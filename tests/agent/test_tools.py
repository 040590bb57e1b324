"""Tools on a real work tree: every request is answered in words that help."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from agent.limits import AgentLimits
from agent.tools import Action, Bash, Edit, View, act, specifications
from agent.workspace import Workspace, open_workspace
from sandbox.docker import DockerHost
from sandbox.images import ensure_image
from tasks.taskrepo import starter_path, tasks_from_repo

# One container for all: each test uses files of its own.
pytestmark = [pytest.mark.docker, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def workspace(base_image: str) -> AsyncIterator[Workspace]:
    task = next(iter(tasks_from_repo(starter_path(), split=None)))
    limits = AgentLimits(observation_characters=2_000)
    async with DockerHost(run_id="test") as host:
        await ensure_image(host, task.issue.image, task.build, lambda _: None)
        async with open_workspace(task.issue, host, limits) as workspace:
            yield workspace


async def said(action: Action, workspace: Workspace) -> str:
    return (await act(action, workspace, timeout=20)).observation.text


async def refused(action: Action, workspace: Workspace) -> str:
    outcome = await act(action, workspace, timeout=20)
    assert outcome.refused
    return outcome.observation.text


async def test_commands_tell_how_they_ended(workspace: Workspace) -> None:
    assert await said(Bash(command="echo a"), workspace) == "a\n"
    assert await said(Bash(command="true"), workspace) == "(no output, exit code 0)\n"
    assert await said(Bash(command="printf a; exit 3"), workspace) == "a\n(exit code 3)\n"
    assert "exit code 127" in await said(Bash(command="no-such-program"), workspace)
    assert "exit code" in await said(Bash(command="if then ("), workspace)
    assert "exit code" in await said(Bash(command=f"echo {'x' * 200_000}"), workspace)
    assert await said(Bash(command="printf 'a\\0b\\377\\n'"), workspace) == "a\\0b\ufffd\n"
    assert await said(Bash(command="echo 'a\0b'"), workspace) == "ab\n"


async def test_files_are_shown_with_the_numbers_of_their_lines(workspace: Workspace) -> None:
    await workspace.write("v.txt", "".join(f"line {number}\n" for number in range(1, 501)))
    assert await said(View(path="v.txt", first=2, last=3), workspace) == (
        "    2 | line 2\n    3 | line 3\n(lines 2 to 3 of 500)\n"
    )
    whole = await act(View(path="v.txt"), workspace, timeout=20)
    assert "left out" in whole.observation.text
    assert "  100 | line 100\n" in whole.observation.whole
    assert await said(View(path="v.txt", first=500, last=9), workspace) == (
        "  500 | line 500\n(lines 500 to 500 of 500)\n"
    )
    assert "has only 500 lines" in await refused(View(path="v.txt", first=501), workspace)
    await workspace.write("empty.txt", "")
    assert "empty" in await said(View(path="empty.txt"), workspace)
    assert "no file" in await refused(View(path="gone.txt"), workspace)
    assert "./v.txt" in await said(View(path="."), workspace)
    assert "outside" in await refused(View(path="/etc/passwd"), workspace)


async def test_a_text_that_stands_once_is_replaced(workspace: Workspace) -> None:
    await workspace.write("e.py", "a = 1\nb = 2\n")
    told = await said(Edit(path="e.py", old="b = 2", new="b = 3"), workspace)
    assert told.startswith("e.py is changed.\n")
    assert "-b = 2\n+b = 3\n" in told
    assert await workspace.read("e.py") == "a = 1\nb = 3\n"


async def test_a_text_that_is_not_unique_is_not_replaced(workspace: Workspace) -> None:
    text = "x = 1\ny = 2\nx = 1\n"
    await workspace.write("u.py", text)
    told = await refused(Edit(path="u.py", old="x = 1", new="x = 2"), workspace)
    assert "stands 2 times in u.py, on lines 1, 3" in told
    assert await workspace.read("u.py") == text


async def test_a_text_that_is_not_there_is_not_replaced(workspace: Workspace) -> None:
    await workspace.write("n.py", "def f():\n    return 1\n")
    told = await refused(Edit(path="n.py", old="while True: pass", new="x"), workspace)
    assert "is not in n.py" in told
    assert "no file" in await refused(Edit(path="gone.py", old="x", new="y"), workspace)
    assert "same" in await refused(Edit(path="n.py", old="return 1", new="return 1"), workspace)


async def test_of_a_text_that_is_not_there_the_lines_most_like_it_are_shown(
    workspace: Workspace,
) -> None:
    lines = [f"    a_{number} = {number}\n" for number in range(20)]
    lines[11] = "    return total + width\n"
    await workspace.write("l.py", "def f():\n" + "".join(lines))
    told = await refused(
        Edit(path="l.py", old="    return total + widths\n    # end\n", new="x"), workspace
    )
    assert "".join(lines[7:16]).rstrip() in told
    assert "a_6 " not in told
    assert "a_16 " not in told


async def test_blanks_that_differ_are_forgiven_and_told(workspace: Workspace) -> None:
    await workspace.write("b.py", "class A:\n    def f(self):\n        return 1\n")
    told = await said(
        Edit(path="b.py", old="def f(self):\n  return 1\n", new="def f(self):\n  return 2\n"),
        workspace,
    )
    assert "blanks" in told
    assert await workspace.read("b.py") == "class A:\n    def f(self):\n        return 2\n"


async def test_carriage_returns_stay(workspace: Workspace) -> None:
    await workspace.write("dos.txt", "a\r\nb\r\nc\r\n")
    await said(Edit(path="dos.txt", old="a\nb\n", new="a\nx\n"), workspace)
    assert await workspace.read("dos.txt") == "a\r\nx\r\nc\r\n"


async def test_new_files_are_made_and_none_is_overwritten(workspace: Workspace) -> None:
    assert "a new file" in await said(Edit(path="new/m.py", new="x = 1\n"), workspace)
    assert await workspace.read("new/m.py") == "x = 1\n"
    assert "is there already" in await refused(Edit(path="new/m.py", new="y\n"), workspace)
    assert "folder" in await refused(Edit(path="new", new="y\n"), workspace)
    await workspace.run("printf 'caf\\351' > latin.txt", timeout=20)
    assert "UTF-8" in await refused(Edit(path="latin.txt", new="y\n"), workspace)


async def test_an_edit_that_breaks_python_is_told_so(workspace: Workspace) -> None:
    await workspace.write("p.py", "def f():\n    return 1\n")
    told = await said(Edit(path="p.py", old="def f():", new="def f("), workspace)
    assert "no valid Python" in told


async def test_each_tool_says_what_it_needs() -> None:
    needs = {tool.name: tool.parameters["required"] for tool in specifications()}
    assert needs == {"bash": ["command"], "view": ["path"], "edit": ["path", "new"], "submit": []}
