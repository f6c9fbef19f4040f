"""Users and roles of the FAB auth manager as the settings have them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

from bootstrap_objects import Ledger
from bootstrap_settings import BootstrapError

# The API server gives it to every role when it starts.
HOMEPAGE = ("can_read", "Website")
DAG_PREFIXES = ("DAG:", "DAG Run:")


def sync_accounts(connection: Any, settings: dict[str, Any]) -> Iterator[str]:
    """Make the first user, roles and users what the settings say.

    Args:
        connection: of psycopg2, to the migrated database.
        settings: see bootstrap_settings.

    Yields:
        One line per role and user that says what was done.

    Raises:
        BootstrapError: if the settings ask for what the auth manager does not have or must not change.
    """
    admin = settings["user"]
    if not settings["users"] and not settings["roles"] and not owns_accounts(connection):
        if not admin:
            return
        if admin_is_as_given(connection, admin):
            yield f"user {admin['username']}: kept"
            return

    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    with get_application_builder() as builder:
        accounts = Accounts(builder.sm)
        for name, permissions in settings["roles"].items():
            yield f"role {name}: {accounts.role(name, permissions)}"
        if admin:
            yield f"user {admin['username']}: {accounts.first_user(admin)}"
        for name, given in settings["users"].items():
            yield f"user {name}: {accounts.user(name, given)}"
        yield from accounts.remove_users(set(settings["users"]) | ({admin["username"]} if admin else set()))
        yield from accounts.remove_roles(set(settings["roles"]))


def owns_accounts(connection: Any) -> bool:
    """Tell whether users or roles are recorded, which may have to be removed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT 1 FROM airspark_managed WHERE kind IN ('user', 'role'))")
        return bool(cursor.fetchone()[0])


def admin_is_as_given(connection: Any, admin: dict[str, Any]) -> bool:
    """Tell whether the first user exists with this password; in SQL, because the auth manager costs 3 s of CPU."""
    from werkzeug.security import check_password_hash

    with connection.cursor() as cursor:
        cursor.execute("SELECT password FROM ab_user WHERE lower(username) = lower(%s)", [admin["username"]])
        row = cursor.fetchone()
    return row is not None and check_password_hash(row[0] or "", admin["password"])


class Accounts:
    """The FAB auth manager's users and roles."""

    def __init__(self, manager: Any) -> None:
        self.manager = manager
        self.session = manager.session
        self.users = Ledger(self.session, "user")
        self.roles = Ledger(self.session, "role")

    def role(self, name: str, given: list[dict[str, str]]) -> str:
        """Give a role exactly these permissions if it is ours, at least these otherwise.

        Args:
            name: of the role.
            given: its permissions as {"action", "resource"}.

        Returns:
            What was done.

        Raises:
            BootstrapError: if the role is built in, or there is no such action or resource.
        """
        from airflow.providers.fab.auth_manager.security_manager.constants import EXISTING_ROLES

        if name in EXISTING_ROLES:
            raise BootstrapError(f"roles.{name}: this role is Airflow's own, which sets its permissions; choose another name")
        pairs = {HOMEPAGE} | {(permission["action"], permission["resource"]) for permission in given}
        wanted = {self.permission(name, *pair) for pair in sorted(pairs)}
        found = self.manager.find_role(name)
        if found is None:
            found = self.manager.role_model(name=name, permissions=list(wanted))
            self.session.add(found)
            self.roles.add(name)
            self.session.commit()
            return "created"
        before = set(found.permissions)
        after = wanted if name in self.roles.names() else wanted | before
        found.permissions = list(after)
        self.session.commit()
        more, less = len(after - before), len(before - after)
        return f"updated permissions, {more} added, {less} removed" if more or less else "kept"

    def permission(self, role: str, action: str, resource: str) -> Any:
        """Return a permission, made if it is a new pair of what exists, or of one DAG.

        Raises:
            BootstrapError: if there is no such action or resource.
        """
        if self.manager.get_action(action) is None:
            known = ", ".join(sorted(found.name for found in self.session.query(self.manager.action_model)))
            raise BootstrapError(f"roles.{role}: there is no action {action}; actions are {known}")
        if self.manager.get_resource(resource) is None and not resource.startswith(DAG_PREFIXES):
            known = ", ".join(sorted(found.name for found in self.session.query(self.manager.resource_model)))
            raise BootstrapError(f"roles.{role}: there is no resource {resource}; resources are DAG:<id> and {known}")
        return self.manager.create_permission(action, resource)

    def first_user(self, given: dict[str, Any]) -> str:
        """Create the first user, or make an existing one's password the given one; it is never removed.

        Args:
            given: username, password, role, email, firstName and lastName.

        Returns:
            What was done.
        """
        found = self.manager.find_user(username=given["username"])
        if found is None:
            self.create(given["username"], given | {"roles": [given["role"]]})
            return f"created with role {given['role']}"
        return "updated password" if self.set_password(found, given["password"]) else "kept"

    def user(self, name: str, given: dict[str, Any]) -> str:
        """Create a user, or make it as given.

        Args:
            name: to log in with.
            given: roles, email, firstName, lastName; and password, unless the login is somebody else's matter.

        Returns:
            What was done.
        """
        found = self.manager.find_user(username=name)
        if found is None:
            self.users.add(name)
            self.create(name, given)
            return "created"
        roles = self.find_roles(name, given["roles"])
        self.check_email(name, given["email"])
        wanted = {"email": given["email"], "first_name": given["firstName"], "last_name": given["lastName"]}
        changed = [field for field, value in wanted.items() if getattr(found, field) != value]
        for field in changed:
            setattr(found, field, wanted[field])
        if set(found.roles) != set(roles):
            found.roles = roles
            changed.append("roles")
        self.session.commit()
        if given.get("password") and self.set_password(found, given["password"]):
            changed.append("password")
        return f"updated {', '.join(changed)}" if changed else "kept"

    def create(self, name: str, given: dict[str, Any]) -> None:
        """Create a user; one without a password gets one that nobody knows.

        Raises:
            BootstrapError: if a role does not exist or another user has the e-mail address.
        """
        roles = self.find_roles(name, given["roles"])
        self.check_email(name, given["email"])
        password = given.get("password") or secrets.token_urlsafe(32)
        self.manager.add_user(name, given["firstName"], given["lastName"], given["email"], roles, password)

    def find_roles(self, user: str, names: list[str]) -> list[Any]:
        """Return roles by name.

        Raises:
            BootstrapError: if one does not exist.
        """
        known = {role.name: role for role in self.manager.get_all_roles()}
        if missing := [name for name in names if name not in known]:
            raise BootstrapError(f"user {user}: there is no role {missing[0]}; roles are {', '.join(sorted(known))}")
        return [known[name] for name in names]

    def check_email(self, name: str, email: str) -> None:
        """Refuse an e-mail address that another user has.

        Raises:
            BootstrapError: with both names.
        """
        owner = self.manager.find_user(email=email)
        if owner is not None and owner.username.lower() != name.lower():
            raise BootstrapError(f"user {name}: the user {owner.username} has the e-mail address {email} already")

    def set_password(self, user: Any, password: str) -> bool:
        """Give a user a password and end its sessions, unless it has that password."""
        from werkzeug.security import check_password_hash

        if check_password_hash(user.password or "", password):
            return False
        self.manager.reset_password(user.id, password)
        return True

    def remove_users(self, kept: set[str]) -> Iterator[str]:
        """Remove the recorded users that are not among those kept."""
        for name in sorted(self.users.names() - kept):
            found = self.manager.find_user(username=name)
            if found is not None:
                found.roles, found.groups = [], []
                self.session.delete(found)
            self.users.drop(name)
            self.session.commit()
            if found is not None:
                yield f"user {name}: removed"

    def remove_roles(self, kept: set[str]) -> Iterator[str]:
        """Remove the recorded roles that are not among those kept."""
        for name in sorted(self.roles.names() - kept):
            found = self.manager.find_role(name)
            self.roles.drop(name)
            if found is not None:
                self.manager.delete_role(name)
                yield f"role {name}: removed"
            self.session.commit()
