"""Requests to an engine by the standard library, one connection each unless one is given."""

import http.client
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Answer:
    """Status 0 where nobody answered."""

    status: int = 0
    text: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def json(self) -> Any:
        """The body."""
        return json.loads(self.text)


@dataclass(frozen=True, slots=True)
class Talk:
    """With one engine."""

    url: str
    patience: float = 120  # seconds without a byte

    def connection(self) -> http.client.HTTPConnection:
        """One to keep."""
        return http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=self.patience)

    def get(self, path: str, kept: http.client.HTTPConnection | None = None) -> Answer:
        """OSError where the connection is gone."""
        return self._exchange(kept, "GET", path, b"")

    def chat(self, kept: http.client.HTTPConnection | None = None, **more: Any) -> Answer:
        """A chat request; a field that is None is left out."""
        message = {"role": "user", "content": "Bonjour"}
        body = {"model": "assistant", "messages": [message]} | more
        content = json.dumps({key: value for key, value in body.items() if value is not None})
        try:
            return self._exchange(kept, "POST", "/v1/chat/completions", content.encode())
        except (OSError, http.client.IncompleteRead):
            return Answer()

    def in_flight(self) -> float:
        """Requests that run or wait."""
        names = ("vllm:num_requests_running{", "vllm:num_requests_waiting{")
        lines = self.get("/metrics").text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(names))

    def _exchange(
        self, kept: http.client.HTTPConnection | None, method: str, path: str, content: bytes
    ) -> Answer:
        connection = kept or self.connection()
        try:
            connection.request(method, path, content, {"Content-Type": "application/json"})
            response = connection.getresponse()
            headers = {key.lower(): value for key, value in response.getheaders()}
            return Answer(response.status, response.read().decode(errors="replace"), headers)
        finally:
            if kept is None:
                connection.close()
