import pytest

from pathrouter import BuildError, MethodNotAllowed, NotFound, Router, RouterError


@pytest.fixture
def router():
    router = Router()
    router.add("/", "home")
    router.add("/users", "user_list", methods=["GET", "POST"])
    router.add("/users/<int:id>", "user_detail")
    router.add("/files/<path:name>", "file", methods=["get"])
    return router


def test_literal_path(router):
    assert router.match("/").name == "home"
    assert router.match("/users", "POST").name == "user_list"


def test_parameters_are_converted(router):
    assert router.match("/users/42").params == {"id": 42}
    assert router.match("/files/a/b.txt").params == {"name": "a/b.txt"}


def test_methods_in_any_case(router):
    assert router.match("/files/x", "GET").name == "file"


def test_unknown_path(router):
    with pytest.raises(NotFound):
        router.match("/users/ann")


def test_wrong_method_names_the_right_ones(router):
    with pytest.raises(MethodNotAllowed) as caught:
        router.match("/users", "DELETE")
    assert caught.value.allowed == ["GET", "POST"]


def test_addresses_are_built(router):
    assert router.url_for("user_detail", id=7) == "/users/7"
    assert router.url_for("user_list", query={"page": 2}) == "/users?page=2"


def test_building_needs_every_parameter(router):
    with pytest.raises(BuildError, match="id"):
        router.url_for("user_detail")


def test_names_are_unique(router):
    with pytest.raises(RouterError):
        router.add("/other", "home")
