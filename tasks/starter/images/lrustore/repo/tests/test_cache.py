import pytest

from lrustore import Cache


def test_value_comes_back():
    cache = Cache(2)
    cache.set("a", 1)
    assert cache.get("a") == 1
    assert "a" in cache


def test_missing_key_gives_the_default():
    assert Cache(2).get("a", "none") == "none"


def test_new_key_evicts_when_full():
    cache = Cache(2)
    for key in "abc":
        cache.set(key, key)
    assert len(cache) == 2
    assert "a" not in cache
    assert cache.stats.evictions == 1


def test_overwriting_changes_the_value():
    cache = Cache(3)
    cache.set("a", 1)
    cache.set("a", 2)
    assert cache.get("a") == 2
    assert len(cache) == 1


def test_item_expires(clock):
    cache = Cache(2, ttl=10, clock=clock)
    cache.set("a", 1)
    clock.move(9)
    assert cache.get("a") == 1
    clock.move(1)
    assert cache.get("a") is None
    assert cache.stats.expirations == 1


def test_ttl_of_one_item_goes_before_that_of_the_cache(clock):
    cache = Cache(2, ttl=10, clock=clock)
    cache.set("a", 1, ttl=100)
    clock.move(50)
    assert cache.get("a") == 1


def test_delete_tells_whether_it_was_there():
    cache = Cache(2)
    cache.set("a", 1)
    assert cache.delete("a") is True
    assert cache.delete("a") is False


def test_capacity_must_be_positive():
    with pytest.raises(ValueError):
        Cache(0)


def test_hits_and_misses_are_counted():
    cache = Cache(2)
    cache.set("a", 1)
    cache.get("a")
    cache.get("b")
    assert (cache.stats.hits, cache.stats.misses) == (1, 1)
    assert cache.stats.hit_rate == 0.5
