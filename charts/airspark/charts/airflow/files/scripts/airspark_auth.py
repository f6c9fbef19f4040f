"""The FAB auth manager, which answers only so many wrong passwords of one address at /auth/token.

The page of logins has such a limit of Flask-AppBuilder's own (AUTH_RATE_LIMIT); the token of the REST API, which takes the
same user name and password, has none. The API server alone runs this class, under the name of the one it extends.
"""

from __future__ import annotations

import os
from typing import Any

from airflow.providers.fab.auth_manager import fab_auth_manager
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

# Of one address, each process of the API server counting for itself. Behind a proxy it is the client's only with
# `config.api.proxy_fix` or `apiServer.args` that trust its headers; else all clients share one.
DEFAULT = "10 per minute"
PATHS = ("/token", "/token/cli")
# What Airflow answers to a wrong user name or password.
WRONG = (401, 403)


class WrongLogins:
    """ASGI middleware that refuses logins of an address that has sent too many wrong ones.

    Args:
        app: what answers otherwise.
        limit: how many, as the library limits reads it: `10 per minute`.
    """

    def __init__(self, app: Any, limit: RateLimitItem) -> None:
        self.app, self.limit = app, limit
        self.limiter = MovingWindowRateLimiter(MemoryStorage())

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].endswith(PATHS):
            await self.app(scope, receive, send)
            return
        address = (scope.get("client") or ("unknown",))[0]
        if not self.limiter.test(self.limit, address):
            await refuse(send, self.limit.get_expiry())
            return

        async def count(message: Any) -> None:
            if message["type"] == "http.response.start" and message["status"] in WRONG:
                self.limiter.hit(self.limit, address)
            await send(message)

        await self.app(scope, receive, count)


async def refuse(send: Any, seconds: int) -> None:
    """Answer that there were too many wrong logins."""
    body = b'{"detail": "Too many wrong logins from this address: wait, then try again"}'
    headers = [(b"content-type", b"application/json"), (b"retry-after", str(seconds).encode())]
    await send({"type": "http.response.start", "status": 429, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class FabAuthManager(fab_auth_manager.FabAuthManager):  # type: ignore[misc]  # Airflow brings no types
    """The FAB auth manager with a limit of wrong logins."""

    def get_fastapi_app(self) -> Any:
        """Return the app with the routes of logins."""
        app = super().get_fastapi_app()
        app.add_middleware(WrongLogins, limit=parse(os.environ.get("AIRSPARK_LOGIN_LIMIT") or DEFAULT))
        return app
