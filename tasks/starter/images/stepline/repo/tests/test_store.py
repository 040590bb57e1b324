from stepline import Store


def test_result_is_kept(clock):
    store = Store(clock)
    store.put("k", None)
    assert store.get("k").value is None
    assert store.get("other") is None


def test_result_is_dropped_when_its_time_is_over(clock):
    store = Store(clock)
    store.put("k", 1, keep=5)
    clock.now = 4.9
    assert store.get("k").value == 1
    clock.now = 5
    assert store.get("k") is None
    assert len(store) == 0


def test_clear(clock):
    store = Store(clock)
    store.put("k", 1)
    store.clear()
    assert len(store) == 0
