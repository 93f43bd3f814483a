"""What every caller of a stack's API has: connections, and calls that are proved to be its own."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import requests

from paygo_client.transport import Call, Proof, Query, Transport


class Client(ABC):
    """Calls one stack's API as somebody, whom a subclass proves to be.

    Parameters
    ----------
    tree
        What stands in front of the contract's paths.
    """

    def __init__(self, transport: Transport, tree: str = "") -> None:
        self._transport = transport
        self._tree = tree

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; a session goes on until it expires or is signed out of."""
        self._transport.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
    ) -> requests.Response:
        """Send a request that has no method of its own here, and return its good answer.

        Parameters
        ----------
        path
            The contract's path, without the stage.
        repeatable
            Whether it may be sent again after an answer was lost; by default only when it is a GET.
        """
        call = Call(
            method=method,
            path=self._tree + path,
            query=query,
            body=body,
            headers=headers or {},
            repeatable=method == "GET" if repeatable is None else repeatable,
        )
        return self._transport.send(call, lambda: self._prove(call))

    @abstractmethod
    def _prove(self, call: Call) -> Proof:
        """Return what makes one attempt accepted."""
