"""Who a request to the REST API comes from, and what its key may do."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from foundation import clock
from staff import keys, scopes
from staff.models import Key


class BearerKey(BaseAuthentication):
    """`Authorization: Bearer ck_live_…`; the key becomes `request.auth`, and there is no user."""

    def authenticate(self, request: Request) -> tuple[None, Key] | None:
        given = get_authorization_header(request)
        if not given:
            return None
        scheme, _, secret = given.decode("latin-1").partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise AuthenticationFailed("Send the key as `Authorization: Bearer <key>`.")
        key = keys.authenticate(secret.strip(), now=clock.now())
        if key is None:
            raise AuthenticationFailed("This key is unknown, revoked or expired.")
        if key.kind != Key.Kind.SECRET:
            raise AuthenticationFailed("This is a write key: it sends behaviour to /v1/ and reads nothing.")
        return None, key

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class HasScope(BasePermission):
    """The key's scopes cover what the view asks for: `<view.scope>:read`, or `:write` where the request changes things.

    A view that names no scope is open to keys with `all` alone.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        key: Any = request.auth
        if key is None:
            return False  # nobody: the view answers 401
        wanted = needed(view, request.method or "")
        if not scopes.allow(key.scopes, wanted):
            raise PermissionDenied(f"This key lacks the scope {wanted}.")
        return True


def needed(view: Any, method: str) -> str:
    """The scope that a request to the view takes. Its `asks` names the actions that only ask, though they are POSTs."""
    reads = method in SAFE_METHODS or getattr(view, "action", None) in getattr(view, "asks", ())
    return f"{getattr(view, 'scope', '')}:{'read' if reads else 'write'}"


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "staff.authentication.BearerKey"
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "An API key, as `manage.py createkey` makes it."}
