"""Login by an OpenID Connect provider, whose groups become roles; the settings are the chart's values `auth.oidc`.

FAB reads this file and takes the names in capitals. They are for any provider: what FAB knows of some providers by
name, such as where they keep groups, is left to the values.
"""

from __future__ import annotations

import logging
import os
import warnings
from typing import Any

from airflow.configuration import conf
from airflow.providers.fab.auth_manager.security_manager.override import FabAirflowSecurityManagerOverride
from flask import flash
from flask_appbuilder.const import AUTH_OAUTH

log = logging.getLogger("airspark.oidc")
# FAB signs where to go after the login with 30 random letters, used once, and would say so at each login.
warnings.filterwarnings("ignore", "The HMAC key is 30 bytes long")
oidc: dict[str, Any] = conf.getjson("airspark_oidc", "settings")


def claim(claims: dict[str, Any], name: str) -> Any:
    """Return a claim by its name, or by the names that lead to it, such as realm_access.roles; None if it is not there."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


class OidcSecurityManager(FabAirflowSecurityManagerOverride):  # type: ignore[misc]  # Airflow is not there where types are checked
    """Makes users of what a provider says of them."""

    def get_oauth_user_info(self, provider: str, resp: dict[str, Any]) -> dict[str, Any]:
        """Return what FAB wants to know of a user.

        Args:
            provider: name of the provider.
            resp: its answer; the claims of the ID token, whose signature was checked, are under `userinfo`.

        Raises:
            ValueError: if the claims do not name the user, or the name is an address nobody has confirmed.
        """
        remote = self.oauth_remotes[provider]
        claims = dict(resp.get("userinfo") or {})
        if remote.load_server_metadata().get("userinfo_endpoint"):
            more = dict(remote.userinfo())
            if claims.get("sub", more.get("sub")) != more.get("sub"):
                raise ValueError("the ID token and the userinfo endpoint speak of two users")
            claims |= more
        username = claim(claims, oidc["usernameClaim"])
        if not username:
            raise ValueError(f"auth.oidc.usernameClaim is {oidc['usernameClaim']}; sent are {', '.join(sorted(claims))}")
        if oidc["usernameClaim"] == "email" and claims.get("email_verified") is False:
            raise ValueError(f"the provider has not verified the address {username}")
        groups = claim(claims, oidc["rolesClaim"]) or []
        return {
            "username": str(username),
            "email": claims.get("email") or f"{username}@email.notfound",
            "first_name": claims.get("given_name", ""),
            "last_name": claims.get("family_name", ""),
            "role_keys": [groups] if isinstance(groups, str) else list(groups),
        }

    def _oauth_calculate_user_roles(self, userinfo: dict[str, Any]) -> list[Any]:
        mapped = list(self.get_roles_from_keys(userinfo["role_keys"]))
        fallback = self.find_role(oidc["defaultRole"]) if oidc["defaultRole"] else None
        return mapped or ([fallback] if fallback else [])

    def auth_user_oauth(self, userinfo: dict[str, Any], rotate_session_id: bool = True) -> Any:
        """Return the user, made if there is none yet, or None if none of the groups has a role here."""
        name = userinfo["username"]
        roles = self._oauth_calculate_user_roles(userinfo)
        if not roles:
            log.warning("%s may not log in: no group of %s is in auth.oidc.roleMapping", name, userinfo["role_keys"])
            flash(f"{name}, none of your groups has a role in Airflow: ask its administrators for one.", "danger")
            return None
        if self.find_user(username=name) is None:
            people = {key: userinfo[key] for key in ("first_name", "last_name", "email")}
            if not self.add_user(username=name, role=roles, **people):
                log.error("%s could not be made a user: another user may have the address %s", name, userinfo["email"])
        return super().auth_user_oauth(userinfo, rotate_session_id)


SECURITY_MANAGER_CLASS = OidcSecurityManager
AUTH_TYPE = AUTH_OAUTH
AUTH_ROLES_MAPPING = oidc["roleMapping"]
AUTH_ROLES_SYNC_AT_LOGIN = True
# Users are made above; this would add pages where anybody asks for an account.
AUTH_USER_REGISTRATION = False
WTF_CSRF_ENABLED = True
RATELIMIT_STORAGE_URI = "memory://"
OAUTH_PROVIDERS = [
    {
        "name": oidc["providerName"],
        "icon": "fa-key",
        "token_key": "access_token",
        "remote_app": {
            "client_id": oidc["clientId"],
            # Only the API server has it; the bootstrap Job reads this file too and logs nobody in.
            "client_secret": os.environ.get("AIRSPARK_OIDC_CLIENT_SECRET", ""),
            "server_metadata_url": f"{oidc['issuer'].rstrip('/')}/.well-known/openid-configuration",
            "client_kwargs": {"scope": oidc["scopes"], "code_challenge_method": "S256"},
        },
    }
]
