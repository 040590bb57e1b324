from lrustore import Cache, memoize


def test_each_call_is_computed_once():
    calls = []

    @memoize(Cache(10))
    def double(number):
        calls.append(number)
        return 2 * number

    assert [double(2), double(2), double(3)] == [4, 4, 6]
    assert calls == [2, 3]


def test_none_is_a_result():
    calls = []

    @memoize(Cache(10))
    def nothing():
        calls.append(1)

    nothing()
    nothing()
    assert len(calls) == 1


def test_order_of_named_arguments_is_no_matter():
    calls = []

    @memoize(Cache(10))
    def both(a, b):
        calls.append((a, b))
        return a + b

    both(a=1, b=2)
    both(b=2, a=1)
    assert len(calls) == 1
