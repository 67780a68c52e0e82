"""Where a mirror may send a reader to; nothing of the credentials goes with the reader."""

from collections.abc import Iterator

import pytest
from tests.clients.sources.faulty import LOCAL, Fault, Faulty, faulty, refuse
from typing_extensions import override

from escadre.api.mirror import ModelMirrorSpec
from escadre.clients.sources.credentials import Credentials
from escadre.clients.sources.errors import AddressRefused, MirrorUnavailable, NotFound
from escadre.clients.sources.factory import open_source
from escadre.clients.sources.guard import Guard
from escadre.clients.sources.probe import Sample, probe
from escadre.clients.sources.protocol import RemoteFile

PATH = f"/o/m/{'0' * 40}/w"
SIGNED = "/store/w?X-Amz-Signature=secret"
CONTENT = bytes(range(256))
MIRROR = "https://hub.bank.example/o/m/w"


@pytest.fixture
def mirror() -> Iterator[Faulty]:
    with faulty({PATH: CONTENT}) as world:
        yield world


@pytest.fixture
def store() -> Iterator[Faulty]:
    with faulty({SIGNED: CONTENT}) as world:
        yield world


def read(mirror: Faulty, hosts: list[str], guard: Guard = LOCAL, manifests: str = "") -> bytes:
    spec = ModelMirrorSpec(type="http", url=mirror.url, redirect_hosts=hosts)
    source = open_source(
        "m",
        spec.model_copy(update={"manifests_url": manifests or None}),
        repository="o/m",
        revision="0" * 40,
        credentials=Credentials.bearer("t0k"),
        guard=guard,
    )
    got = bytearray()
    try:
        source.read(RemoteFile("w", 256), 10, 100, got.extend)
    finally:
        source.close()
    return bytes(got)


def host(world: Faulty) -> str:
    return world.url.removeprefix("http://")


def to(url: str, status: int = 307) -> Fault:
    return refuse(status, {"Location": url})


@pytest.mark.parametrize("listed", [True, False])
def test_where_it_leads_is_told_whether_it_is_followed_or_not(
    mirror: Faulty, store: Faulty, listed: bool
) -> None:
    mirror.always[PATH] = to(f"{store.url}{SIGNED}")
    hosts = [host(store)] if listed else []
    source = open_source(
        "m",
        ModelMirrorSpec(type="http", url=mirror.url, redirect_hosts=hosts),
        repository="o/m",
        revision="0" * 40,
        guard=LOCAL,
    )
    assert source.met.redirect_hosts == ()
    probed = probe(source, Sample(RemoteFile("w", 256)), lambda: 0.0)
    source.close()
    assert probed.redirect_hosts == (host(store),)
    assert (probed.fault is None) == listed


def test_of_many_hosts_as_many_are_told_as_a_status_holds(mirror: Faulty) -> None:
    """A peer chooses where it redirects to, and how long a host's name is."""
    names = ["x" * 300, *(f"store-{number}.bank.example" for number in range(40))]
    mirror.faults[PATH] = [to(f"https://{name}/w") for name in names]
    opened = open_source(
        "m",
        ModelMirrorSpec(type="http", url=mirror.url),
        repository="o/m",
        revision="0" * 40,
        guard=LOCAL,
    )
    for _ in names:
        with pytest.raises(MirrorUnavailable):
            opened.read(RemoteFile("w", 256), 10, 100, lambda _: None)
    opened.close()
    assert opened.met.redirect_hosts == tuple(
        sorted(f"store-{number}.bank.example" for number in range(16))
    )


def test_its_own_host_by_https_is_no_other(mirror: Faulty) -> None:
    mirror.always[PATH] = to(mirror.url.replace("http://", "https://") + PATH)
    opened = open_source(
        "m",
        ModelMirrorSpec(type="http", url=mirror.url),
        repository="o/m",
        revision="0" * 40,
        guard=LOCAL,
    )
    with pytest.raises(MirrorUnavailable, match=r"correct spec\.url"):
        opened.read(RemoteFile("w", 256), 10, 100, lambda _: None)
    opened.close()
    assert opened.met.redirect_hosts == ()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_listed_host_is_followed_without_credentials(
    mirror: Faulty, store: Faulty, status: int
) -> None:
    mirror.always[PATH] = to(f"{store.url}{SIGNED}", status)
    assert read(mirror, [host(store)]) == CONTENT[10:110]
    (asked,) = store.log
    assert asked.path == SIGNED
    assert asked.range == "bytes=10-109"
    assert "Authorization" not in asked.headers
    assert mirror.log[0].headers["Authorization"] == "Bearer t0k"


def test_a_host_that_is_not_listed_is_not_asked(mirror: Faulty, store: Faulty) -> None:
    mirror.always[PATH] = to(f"{store.url}{SIGNED}")
    with pytest.raises(MirrorUnavailable) as caught:
        read(mirror, [])
    assert caught.value.message == (
        f"getting {mirror.url}{PATH}: redirected to {store.url}/store/w, none of the mirror's "
        f"hosts, which is not followed: let the mirror serve the bytes itself, or list "
        f"{host(store)} in spec.redirectHosts of the ModelMirror"
    )
    assert store.log == []


def test_a_signature_never_shows(mirror: Faulty, store: Faulty) -> None:
    mirror.always[PATH] = to(f"{store.url}{SIGNED}")
    store.always[SIGNED] = refuse(404)
    with pytest.raises(NotFound) as caught:
        read(mirror, [host(store)])
    assert "secret" not in str(caught.value)
    assert "t0k" not in str(caught.value)


def test_a_listed_host_may_lead_on_to_listed_hosts_only(mirror: Faulty, store: Faulty) -> None:
    with faulty({"/x": CONTENT}) as third:
        mirror.always[PATH] = to(f"{store.url}{SIGNED}")
        store.always[SIGNED] = to(f"{third.url}/x")
        with pytest.raises(MirrorUnavailable, match=f"list {host(third)} in"):
            read(mirror, [host(store)])
        assert third.log == []
        assert read(mirror, [host(store), host(third)]) == CONTENT[10:110]


def test_nothing_is_sent_back_with_credentials_once_it_left(mirror: Faulty, store: Faulty) -> None:
    mirror.files["/back"] = CONTENT
    mirror.always[PATH] = to(f"{store.url}{SIGNED}")
    store.always[SIGNED] = to(f"{mirror.url}/back")
    assert read(mirror, [host(store), host(mirror)]) == CONTENT[10:110]
    assert mirror.log[-1].path == "/back"
    assert "Authorization" not in mirror.log[-1].headers


def test_the_guard_stands_before_listed_hosts_too(mirror: Faulty, store: Faulty) -> None:
    """A name that the ModelMirror lists may still lead to the node itself."""
    elsewhere = f"http://localhost:{store.url.rpartition(':')[2]}"
    mirror.always[PATH] = to(f"{elsewhere}{SIGNED}")

    class Here(Guard):
        @override
        def check(self, host: str, address: str) -> None:
            if host != "127.0.0.1":
                super().check(host, address)

    with pytest.raises(AddressRefused, match="localhost is at"):
        read(mirror, [elsewhere.removeprefix("http://")], guard=Here())
    assert store.log == []


@pytest.mark.parametrize(
    ("location", "says"),
    [
        pytest.param(
            "https://127.0.0.1/x?token=secret",
            "the same host by https: correct spec.url (or manifestsURL) of the ModelMirror to",
            id="https of the same host",
        ),
        pytest.param("http://[::1/x", "redirected to what is no http or https URL", id="no URL"),
        pytest.param("file:///etc/passwd", "what is no http or https URL", id="file"),
        pytest.param(f"http://x.example/{'y' * 9000}", "a URL of 9,017 characters", id="long"),
        pytest.param("http://[fd00::1]:9000/x", "or list [fd00::1]:9000 in", id="IPv6"),
        pytest.param("https://x.example:80/y", "or list x.example:80 in", id="https on port 80"),
        pytest.param("http://x.example:0/y", "no http or https URL", id="port 0"),
        pytest.param("http://a\x9b2Jb/", "no http or https URL", id="a terminal's control"),
        pytest.param("http://u:secret@x.example/", "http://x.example/, none of", id="user"),
    ],
)
def test_what_stands_in_location_is_judged(mirror: Faulty, location: str, says: str) -> None:
    mirror.always[PATH] = to(location)
    with pytest.raises(MirrorUnavailable) as caught:
        read(mirror, ["127.0.0.1"])
    assert says in caught.value.message
    assert "secret" not in caught.value.message
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 1000
    assert not caught.value.transient
