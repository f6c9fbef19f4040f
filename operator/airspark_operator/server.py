"""Metrics and health over HTTP."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest


async def serve(port: int, alive: Callable[[], str], ready: Callable[[], str]) -> web.AppRunner:
    """Listen, and return what is to be cleaned up at the end.

    Args:
        port: the port.
        alive: says what is wrong with the process; nothing if it should go on.
        ready: says why it does no work yet; nothing if it does.
    """

    def health(check: Callable[[], str]) -> Callable[[web.Request], object]:
        async def answer(_: web.Request) -> web.Response:
            problem = check()
            return web.Response(status=503 if problem else 200, text=(problem or "ok") + "\n")

        return answer

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/healthz", health(alive))  # type: ignore[arg-type]  # a closure is a handler
    app.router.add_get("/readyz", health(ready))  # type: ignore[arg-type]
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, None, port).start()
    return runner
