"""A model server that others wrote: npm's @copilotkit/aimock, in another process, over loopback.

    npm install --no-save @copilotkit/aimock@1.43.0

It is looked for in CALLBOARD_AIMOCK (a folder that has `node_modules`) and in the checkout.
"""

from __future__ import annotations

import json
import os
import selectors
import shutil
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

HERE = Path(__file__).parent
FIXTURES = HERE / "fixtures"
PATIENCE = 30.0
"""Seconds that the server may take to start, to answer a control request, and to stop."""

DIRECT = build_opener(ProxyHandler({}))


class Missing(Exception):
    """The server cannot be started here; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class WireServer:
    """A running server.

    Attributes:
        address: Where it is, without a path.
        test_id: Whose requests count; the server counts the replies of a sequence for each apart.
    """

    address: str
    test_id: str = ""

    @property
    def base_url(self) -> str:
        """What a client takes as its `base_url`."""
        return f"{self.address}/v1"

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs in its environment to ask this server in the name of this test."""
        return {
            "OPENAI_BASE_URL": self.base_url,
            "OPENAI_API_KEY": "wire",
            "OPENAI_CUSTOM_HEADERS": f"X-Test-Id: {self.test_id}",
        }

    def of_test(self, test_id: str) -> WireServer:
        """Return the same server for the requests of one test."""
        return replace(self, test_id=test_id)

    def journal(self, **filters: str) -> list[dict[str, Any]]:
        """Return the requests of this test, oldest first: `method`, `path`, `headers`, `body`, `response`.

        The server keeps the last 1,000, and bodies up to 64 KiB. `filters` may be `status`, `path`, ...
        """
        scope = {"testId": self.test_id} if self.test_id else {}
        return self._control("GET", f"journal?{urlencode({**scope, **filters})}")

    def forget(self) -> None:
        """Empty the journal of all tests. How far the sequences are stays."""
        self._control("POST", "reset/journal")

    def _control(self, method: str, path: str) -> Any:
        request = Request(f"{self.address}/__aimock/{path}", method=method)
        with DIRECT.open(request, timeout=PATIENCE) as reply:
            return json.load(reply)


def command(fixtures: Path) -> list[str]:
    """Return the command that starts the server on a free port.

    Raises:
        Missing: There is no node, or no aimock.
    """
    node = shutil.which("node")
    if node is None:
        raise Missing("node is not installed")
    for folder in (os.environ.get("CALLBOARD_AIMOCK"), HERE.parent.parent):
        program = Path(folder or "", "node_modules", ".bin", "llmock")
        if folder and program.exists():
            options = ["-p", "0", "-h", "127.0.0.1", "--strict", "--log-level", "info"]
            return [node, str(program), *options, "-f", str(fixtures)]
    raise Missing("aimock is not installed: npm install --no-save @copilotkit/aimock@1.43.0")


@contextmanager
def wire_server(fixtures: Path = FIXTURES) -> Generator[WireServer]:
    """Run the server until the block ends.

    Raises:
        Missing: It cannot be started here.
    """
    process = subprocess.Popen(command(fixtures), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    try:
        yield WireServer(_address(process.stdout))
    finally:
        process.kill()
        process.wait(PATIENCE)
        process.stdout.close()


def _address(output: IO[bytes]) -> str:
    """Return the address that the server says it listens on; it says so as soon as it does."""
    deadline = time.monotonic() + PATIENCE
    said = b""
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            piece = os.read(output.fileno(), 4096)
            said += piece
            _, found, rest = said.partition(b"listening on ")
            if found and b"\n" in rest:
                return rest.split(b"\n")[0].decode().strip()
            if not piece:
                break
    raise AssertionError(f"the server did not start: {said.decode(errors='replace')}")
