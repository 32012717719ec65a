"""The fixture `wire`: a model server that others wrote."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

from .wireserver import Missing, WireServer, wire_server


@pytest.fixture(scope="session")
def wire_process() -> Generator[WireServer]:
    """Run one server for all tests; skip where there is none, unless CALLBOARD_REQUIRE_WIRE=1."""
    try:
        with wire_server() as server:
            yield server
    except Missing as why:
        if os.environ.get("CALLBOARD_REQUIRE_WIRE") == "1":
            pytest.fail(f"CALLBOARD_REQUIRE_WIRE=1, but {why}")
        pytest.skip(str(why))


@pytest.fixture
def wire(wire_process: WireServer, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> WireServer:
    """Return the server in the name of this test; the environment leads clients and children to it."""
    server = wire_process.of_test(request.node.name)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return server
