"""What every test has: the event loop of asyncio, and `--big` for campaigns at full size."""

import os
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

LONGEST = ("test_campaigns", "test_mutants", "test_simulation", "test_talk", "test_window")
"""Files of tests that take minutes in a CI run."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--big", action="store_true", help="run the campaigns at full size, for hours")
    parser.addoption("--ci", action="store_true", help="run the campaigns at the size of a CI run, some minutes")


def pytest_configure(config: pytest.Config) -> None:
    """Let Hypothesis try the same examples each time, however slow the machine; with `--big` other and more ones."""
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    settings.register_profile("same", derandomize=True, database=None, deadline=None, suppress_health_check=slow)
    settings.register_profile("other", settings.get_profile("same"), derandomize=False, max_examples=2_000)
    settings.load_profile("other" if config.getoption("--big") else "same")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, so that no processor waits for it at the end."""
    items.sort(key=lambda item: (*LONGEST, item.path.stem).index(item.path.stem))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def big(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--big"))


@pytest.fixture
def ci(request: pytest.FixtureRequest, big: bool) -> bool:
    return big or bool(request.config.getoption("--ci"))


@pytest.fixture(autouse=True, scope="session")
def quiet() -> None:
    """Keep log lines and the width of a terminal out of the test run; what is logged is also recorded or raised."""
    structlog.configure(processors=[_dropped])
    os.environ.pop("COLUMNS", None)


def _dropped(*_: object) -> structlog.typing.ProcessorReturnValue:
    raise structlog.DropEvent


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"
