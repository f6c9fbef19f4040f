"""Log in to Airflow as a person does who clicks the provider's button; runs in a container beside both.

Usage: oidc_login.py AIRFLOW PROVIDER USER PASSWORD

Prints one JSON object: the page it ends on, what that page says, and who Airflow says the user is.
"""

from __future__ import annotations

import json
import re
import sys
from html import unescape

import httpx

FIELD = re.compile(r"<input[^>]*>")
ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"')
FLASH = re.compile(r'<div class="alert[^>]*>(.*?)</div>', re.DOTALL)


def form(page: httpx.Response) -> dict[str, str]:
    """Return the fields that a page's form already has values for."""
    fields = [dict(ATTRIBUTE.findall(field)) for field in FIELD.findall(page.text)]
    return {field["name"]: unescape(field.get("value", "")) for field in fields if "name" in field}


def log_in(airflow: str, provider: str, user: str, password: str) -> dict[str, object]:
    """Go through the whole login and return where it ends.

    Args:
        airflow: address of the API server, with its sub-path.
        provider: name of the provider's button.
        user: who logs in at the provider.
        password: their password there.
    """
    with httpx.Client(follow_redirects=True, timeout=30) as client:
        page = client.get(f"{airflow}/auth/login/")
        assert f"Sign In with {provider}" in page.text, page.text
        page = client.get(f"{airflow}/auth/login/{provider}")
        page = client.post(page.url, data={**form(page), "login": user})
        page = client.post(page.url, data={**form(page), "password": password})
        me = client.get(f"{airflow}/ui/auth/me")
        said = [re.sub(r"<[^>]*>", " ", found) for found in FLASH.findall(page.text)]
        return {
            "page": str(page.url),
            "status": page.status_code,
            "said": " ".join(unescape(" ".join(said)).split()),
            "me": me.json() if me.is_success else me.status_code,
            "dags": client.get(f"{airflow}/api/v2/dags").status_code,
            "connections": client.get(f"{airflow}/api/v2/connections").status_code,
        }


if __name__ == "__main__":
    print(json.dumps(log_in(*sys.argv[1:])))
