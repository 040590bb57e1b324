import pytest

from lrustore import Cache, SnapshotError, load, save


def test_items_come_back(tmp_path):
    cache = Cache(3)
    cache.set("a", 1)
    cache.set("b", [2, 3])
    assert save(cache, tmp_path / "cache.json") == 2
    restored = Cache(3)
    assert load(restored, tmp_path / "cache.json") == 2
    assert restored.get("a") == 1
    assert restored.get("b") == [2, 3]


def test_expired_items_are_not_saved(tmp_path, clock):
    cache = Cache(3, clock=clock)
    cache.set("a", 1, ttl=5)
    cache.set("b", 2)
    clock.move(6)
    assert save(cache, tmp_path / "cache.json") == 1


def test_order_is_kept(tmp_path):
    cache = Cache(2)
    cache.set("old", 1)
    cache.set("new", 2)
    save(cache, tmp_path / "cache.json")
    restored = Cache(2)
    load(restored, tmp_path / "cache.json")
    restored.set("newest", 3)
    assert "old" not in restored
    assert "new" in restored


def test_no_partial_file_is_left(tmp_path):
    save(Cache(1), tmp_path / "cache.json")
    assert [path.name for path in tmp_path.iterdir()] == ["cache.json"]


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 99, "items": []}'], ids=["torn", "list", "newer"])
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / "cache.json"
    path.write_text(text)
    with pytest.raises(SnapshotError):
        load(Cache(1), path)
