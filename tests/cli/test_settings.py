"""Settings: flags, then variables, then a file, then defaults; each complaint says where."""

from pathlib import Path

import pytest

from monitor.config import Settings, load_settings
from monitor.errors import SettingsError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home, and an empty working directory."""
    for name in ("home", "here"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("SQD_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_first_that_knows_wins(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().port == 8000
    (home / "sqd.toml").write_text("port = 1")
    assert load_settings().port == 1
    Path("sqd.toml").write_text("port = 2")
    assert load_settings().port == 2
    monkeypatch.setenv("SQD_PORT", "3")
    assert load_settings().port == 3
    assert load_settings(port=4).port == 4
    assert load_settings(port=None).port == 3


def test_file_in_the_home_that_was_chosen(home: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "sqd.toml").write_text('device = "cpu"')
    assert load_settings().device == "auto"
    settings = load_settings(home=tmp_path / "other")
    assert (settings.device, settings.home) == ("cpu", tmp_path / "other")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("port = 70000", "port in sqd.toml is not usable: input should be less than"),
        (
            "prot = 8000",
            "prot in sqd.toml is no setting; there are redis_url, blob_url, host, ",
        ),
        ("retain_days = -1", "retain_days in sqd.toml is not usable: input should be greater than"),
        (
            "retain_grids = 1",
            "retain_grids in sqd.toml is not usable: input should be greater than",
        ),
        (
            "retain_grids = 2001",
            "retain_grids in sqd.toml is not usable: input should be less than",
        ),
        ('device = "gpu"', "device in sqd.toml is not usable: expected auto, cpu or cuda:N"),
        (
            'sensitivity = "highest"',
            "sensitivity in sqd.toml is not usable: input should be 'low', 'normal' or 'high'",
        ),
        ("port = ", "sqd.toml cannot be read: "),
    ],
)
def test_bad_file_is_named(home: Path, text: str, said: str) -> None:
    Path("sqd.toml").write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_bad_variable_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQD_PORT", "many")
    with pytest.raises(SettingsError, match=r"^SQD_PORT is not usable: input should be a valid"):
        load_settings()


def test_empty_variable_is_none(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PORT", "TOKEN", "REDIS_URL"):
        monkeypatch.setenv(f"SQD_{name}", "")
    settings = load_settings()
    assert (settings.port, settings.token, settings.redis_url) == (8000, None, None)


def test_secret_is_not_shown(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQD_TOKEN", "my-secret")
    settings = load_settings(redis_url="redis://:my-secret@host")
    assert "my-secret" not in f"{settings} {settings!r}"
    Path("sqd.toml").write_text('tokn = "my-secret"')
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "my-secret" not in str(caught.value)


def test_children_get_the_same_settings(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = load_settings(
        redis_url="redis://:secret@host", port=0, token="t", device="cuda:1", verbose=True
    )
    for name, value in given.environment().items():
        monkeypatch.setenv(name, value)
    assert load_settings() == given


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True), ("127.1.2.3", True), ("localhost", True), ("::1", True),
        ("0.0.0.0", False), ("::", False), ("127.example.org", False), ("10.0.0.1", False),
    ],
)  # fmt: skip
def test_loopback(home: Path, host: str, loopback: bool) -> None:
    assert load_settings(host=host).is_loopback is loopback


def test_redis_is_told_or_that_of_a_running_product(home: Path) -> None:
    with pytest.raises(SettingsError, match=f"looked for {home}/endpoint"):
        load_settings().found_redis()
    (home / "endpoint").write_text('{"redis_url": "redis://a", "blob_url": "redis://b"}')
    # The volatile one is known to the durable one.
    assert load_settings().found_redis() == ("redis://a", None)
    told = load_settings(redis_url="redis://c", blob_url="redis://d")
    assert told.found_redis() == ("redis://c", "redis://d")
    (home / "endpoint").write_text("{broken")
    with pytest.raises(SettingsError, match="no Redis is known"):
        load_settings().found_redis()


def test_relative_and_tilde_homes_are_made_whole(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_settings(home=Path("~/x")).home == tmp_path / "x"
    assert load_settings(home=Path("x")).home == tmp_path / "here" / "x"


def test_settings_are_frozen(home: Path) -> None:
    settings: Settings = load_settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.port = 5
