"""An OpenID Connect provider with users in memory, for the tests of the login; runs in a container.

Usage: oidc_provider.py < settings.json

The settings: address, port, client {id, secret, uri, redirects}, and users by name: {password, groups}.
"""

from __future__ import annotations

import datetime
import json
import sys
from typing import Any

from canaille import create_app
from canaille.app import models
from canaille.backends import Backend
from werkzeug.serving import run_simple


def provider(settings: dict[str, Any]) -> Any:
    """Return the application with its client, users and groups."""
    app = create_app(
        config={
            "SECRET_KEY": "of the tests",
            "SERVER_NAME": settings["address"],
            "PREFERRED_URL_SCHEME": "http",
            "CANAILLE": {"FORCE_HTTPS": False, "DATABASE": "memory"},
            "CANAILLE_OIDC": {"TRUSTED_DOMAINS": ["127.0.0.1"]},
        }
    )
    with app.app_context():
        backend = Backend.instance
        groups: dict[str, list[Any]] = {}
        for name, given in settings["users"].items():
            user = models.User(
                user_name=name,
                display_name=name,
                formatted_name=f"{name.title()} Tester",
                given_name=name.title(),
                family_name="Tester",
                emails=[f"{name}@example.com"],
                password=given["password"],
            )
            backend.save(user)
            for group in given["groups"]:
                groups.setdefault(group, []).append(user)
        for name, members in groups.items():
            backend.save(models.Group(display_name=name, members=members))
        client = settings["client"]
        backend.save(
            models.Client(
                client_id=client["id"],
                client_secret=client["secret"],
                client_id_issued_at=datetime.datetime.now(datetime.UTC),
                client_name="Airflow",
                client_uri=client["uri"],
                redirect_uris=client["redirects"],
                grant_types=["authorization_code", "refresh_token"],
                response_types=["code"],
                token_endpoint_auth_method="client_secret_basic",
                scope=["openid", "email", "profile", "groups"],
            )
        )
    return app


if __name__ == "__main__":
    given = json.load(sys.stdin)
    run_simple("127.0.0.1", given["port"], provider(given), threaded=True)
