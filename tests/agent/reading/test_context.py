"""What is shown of a repository: the right files first, within the budget, honestly cut."""

from __future__ import annotations

import re

import pytest

from agent.reading.context import likely_tokens, repository_context
from agent.reading.pieces import cut, joined
from agent.reading.relevance import is_test, ranked

FILES = {
    "shop/__init__.py": "from shop.cart import Cart\n",
    "shop/cart.py": (
        "from shop.prices import unit_price\n\n\nclass Cart:\n    def __init__(self):\n"
        "        self.items = []\n\n    def add_item(self, name, count):\n"
        "        self.items.append((name, count))\n\n    def total(self):\n"
        "        return sum(unit_price(name) * count for name, count in self.items)\n"
    ),
    "shop/prices.py": "PRICES = {'pen': 2}\n\n\ndef unit_price(name):\n    return PRICES[name]\n",
    "shop/mailer.py": "def send_receipt(address, body):\n    raise NotImplementedError\n",
    "shop/vendor/cart.js": "function render(cart) { return cart.items }\n",
    "tests/test_cart.py": (
        "from shop import Cart\n\n\ndef test_total():\n    assert Cart().total() == 0\n"
    ),
    "docs/cart.md": "# Cart\n\nThe cart adds up the total of its items. " * 5,
}

TRACE = """Traceback (most recent call last):
  File "/home/me/app.py", line 3, in <module>
    cart.total()
  File "/usr/lib/python3/site-packages/shop/cart.py", line 12, in total
  File "/usr/lib/python3/site-packages/shop/prices.py", line 5, in unit_price
KeyError: 'ink'
"""


def first(statement: str) -> str:
    return ranked(statement, FILES)[0][0]


@pytest.mark.parametrize(
    ("statement", "path"),
    [
        ("The numbers of shop/mailer.py are off.", "shop/mailer.py"),
        ("See mailer.py", "shop/mailer.py"),
        (TRACE, "shop/prices.py"),
        ("`shop.mailer` loses letters when the cart has a total", "shop/mailer.py"),
        ("send_receipt() fails", "shop/mailer.py"),
        ("A receipt that I send never arrives", "shop/mailer.py"),
        ("The price of a pen is off", "shop/prices.py"),
        ("The total of a cart is wrong", "shop/cart.py"),
        ("cart.js renders nothing", "shop/vendor/cart.js"),
    ],
)
def test_the_file_an_issue_is_about_comes_first(statement: str, path: str) -> None:
    assert first(statement) == path


def test_tests_and_prose_rank_below_the_code_they_are_about() -> None:
    order = [path for path, _ in ranked("The total of a cart is wrong", FILES)]
    assert order.index("shop/cart.py") < order.index("tests/test_cart.py")
    assert "docs/cart.md" not in order
    assert "docs/cart.md" in [path for path, _ in ranked("docs/cart.md has a typo", FILES)]


@pytest.mark.parametrize("path", ["tests/a.py", "a/test_b.py", "x/b_test.go", "conftest.py"])
def test_tests_are_known_by_their_usual_names(path: str) -> None:
    assert is_test(path)


@pytest.mark.parametrize("path", ["attest/a.py", "latest.py", "contest/b.py"])
def test_other_names_are_not_taken_for_tests(path: str) -> None:
    assert not is_test(path)


def test_the_order_of_files_in_a_repository_makes_no_difference() -> None:
    turned = dict(reversed(FILES.items()))
    statement = "The total of a cart is wrong"
    assert ranked(statement, FILES) == ranked(statement, turned)
    assert repository_context(statement, FILES, 300) == repository_context(statement, turned, 300)


def test_a_small_file_is_shown_whole_and_the_rest_are_named() -> None:
    context = repository_context("send_receipt() fails", FILES, 200)
    assert context.shown[0] == "shop/mailer.py"
    assert FILES["shop/mailer.py"] in context.text
    assert "shop/prices.py: unit_price" in context.text


LONG = "import os\n\n\n" + "\n\n".join(
    f"def step_{n}(value):\n    total = value + {n}\n    return total * {n}\n" for n in range(300)
)


def test_a_long_file_is_cut_to_the_functions_the_issue_is_about() -> None:
    context = repository_context("step_123() returns the wrong value", {"long.py": LONG}, 400)
    assert "def step_123(value):\n    total = value + 123\n    return total * 123" in context.text
    assert likely_tokens(context.text) <= 400
    assert "not shown" in context.text


def test_what_is_left_out_is_counted_where_it_is_left_out() -> None:
    context = repository_context("step_123() returns the wrong value", {"long.py": LONG}, 400)
    left_out = sum(int(count) for count in re.findall(r"(\d+) lines are not shown", context.text))
    body = context.text.partition('<file path="long.py">')[2].partition("</file>")[0]
    shown = [line for line in body.split("\n") if line.strip() and "not shown" not in line]
    everything = [line for line in LONG.split("\n") if line.strip()]
    assert left_out + len(shown) == len(everything)
    assert set(shown) <= set(everything)


def test_a_method_is_shown_below_the_head_of_its_class() -> None:
    text = "class Big:\n    '''Doc.'''\n\n" + "\n".join(
        f"    def act_{n}(self):\n        return self.state + {n}\n" for n in range(200)
    )
    shown = repository_context("act_150() is off by one", {"big.py": text}, 300).text
    assert "class Big:" in shown
    assert shown.index("class Big:") < shown.index("def act_150(self):")


def test_the_lines_of_a_stack_trace_are_shown_of_a_file_without_syntax() -> None:
    text = "\n".join(f"let x{n} = y{n};" for n in range(2_000))
    shown = repository_context("crash at src/run.js:1500", {"src/run.js": text}, 500).text
    assert "let x1499 = y1499;" in shown
    assert "let x900 = y900;" not in shown


@pytest.mark.parametrize("budget", [100, 300, 1_000, 5_000])
def test_the_text_stays_within_the_budget(budget: int) -> None:
    texts = {f"pkg/mod_{n}.py": LONG.replace("step", f"step_{n}") for n in range(30)}
    context = repository_context("step_3_7 and mod_4 are wrong", texts, budget)
    assert likely_tokens(context.text) <= budget * 1.05 + 20


def test_a_map_that_is_cut_says_how_many_files_are_missing() -> None:
    texts = {f"pkg/mod_{n}.py": f"def f_{n}(): ...\n" * 30 for n in range(500)}
    context = repository_context("f_3 is wrong", texts, 300)
    cut = re.search(r"and (\d+) more files", context.text)
    assert cut
    named = context.text.partition("Other files:")[2].partition("... and")[0]
    assert named.count(".py") + int(cut[1]) + len(context.shown) == len(texts)


def test_an_issue_without_a_word_of_the_code_still_shows_code() -> None:
    assert repository_context("它坏了", FILES, 500).shown


def test_an_empty_repository_is_an_empty_context() -> None:
    assert repository_context("Anything", {}, 500).shown == ()


def test_a_file_put_together_from_all_of_its_pieces_is_the_file() -> None:
    for text in (*FILES.values(), LONG):
        assert joined(text, cut(text)) == text.strip("\n")


def test_what_a_named_function_calls_comes_before_its_neighbours() -> None:
    functions = [f"def part_{n}(value):\n    return value + {n}\n" for n in range(60)]
    functions.append("def whole(value):\n    return part_41(value)\n")
    shown = repository_context("whole() is off", {"parts.py": "\n\n".join(functions)}, 120).text
    assert "def whole(value):" in shown
    assert "def part_41(value):" in shown


MODULES = {f"pkg/mod_{n}.py": LONG.replace("step", f"step_{n}") for n in range(4)}


def test_files_are_shown_in_the_order_that_is_given() -> None:
    order = [("shop/mailer.py", 2.0), ("shop/prices.py", 1.0)]
    context = repository_context("The total of a cart is wrong", FILES, 300, order=order)
    assert context.shown == ("shop/mailer.py", "shop/prices.py")
    assert "shop/cart.py: Cart" in context.text.partition("<file")[0]


def test_the_best_files_are_shown_whole_up_to_one_that_does_not_fit() -> None:
    texts = {"a.py": LONG, "b.py": LONG.replace("step", "jump"), "c.py": "x = 1\n"}
    order = [("a.py", 3.0), ("b.py", 2.0), ("c.py", 1.0)]
    budget = likely_tokens(LONG) * 3 // 2
    context = repository_context("step_7 and jump_7", texts, budget, order=order, whole=True)
    assert LONG.strip("\n") in context.text
    assert "def jump_7(value):" in context.text
    assert texts["b.py"].strip("\n") not in context.text
    assert likely_tokens(context.text) <= budget


def test_where_all_code_fits_it_is_shown_whole_whatever_the_issue_says() -> None:
    context = repository_context("`Cart.total` is wrong", FILES, 20_000, whole=True)
    code = [path for path in FILES if path.startswith("shop/")]
    assert set(context.shown) >= set(code)
    assert all(FILES[path].strip("\n") in context.text for path in code)
    assert context.shown[0] == "shop/cart.py"


def test_of_a_best_file_that_is_too_long_there_are_pieces() -> None:
    asked = ("step_2_123() is wrong", MODULES, 500)
    assert repository_context(*asked, whole=True) == repository_context(*asked)


@pytest.mark.parametrize("budget", [100, 2_000, 20_000, 60_000])
def test_whole_files_stay_within_the_budget(budget: int) -> None:
    context = repository_context("step_3_7 is wrong", MODULES, budget, whole=True)
    assert likely_tokens(context.text) <= budget * 1.05 + 20


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("budget", [300, 20_000])
def test_the_spans_are_the_lines_that_are_shown(budget: int, *, whole: bool) -> None:
    context = repository_context("step_3_7 is wrong", MODULES, budget, whole=whole)
    assert tuple(sorted(context.spans)) == tuple(sorted(context.shown))
    for path, spans in context.spans.items():
        lines = MODULES[path].split("\n")
        body = context.text.partition(f'<file path="{path}">')[2].partition("</file>")[0]
        shown = {line for start, end in spans for line in lines[start:end] if line.strip()}
        assert shown <= set(body.split("\n"))
        hidden = [line for line in body.split("\n") if "def step_" in line and line not in shown]
        assert not hidden
