from lrustore import Cache, FifoPolicy, LfuPolicy, LruPolicy


def test_fifo_ignores_use():
    cache = Cache(2, policy=FifoPolicy())
    cache.set("a", 1)
    cache.set("b", 2)
    cache.get("a")
    cache.set("c", 3)
    assert "a" not in cache


def test_lfu_keeps_what_is_used_often():
    cache = Cache(2, policy=LfuPolicy())
    cache.set("a", 1)
    cache.set("b", 2)
    cache.get("a")
    cache.get("a")
    cache.get("b")
    cache.set("c", 3)
    assert "a" in cache
    assert "b" not in cache


def test_lru_without_use_is_the_oldest():
    policy = LruPolicy()
    for key in "abc":
        policy.added(key)
    assert policy.victim() == "a"


def test_removed_key_is_no_victim():
    policy = LruPolicy()
    policy.added("a")
    policy.added("b")
    policy.removed("a")
    assert policy.victim() == "b"
