"""The REST API, composed of what each app offers in its `api.py` as ROUTES: (prefix, viewset, basename)."""

from importlib import import_module
from importlib.util import find_spec

from csp.decorators import csp_replace
from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView
from rest_framework.routers import SimpleRouter
from rest_framework.viewsets import ViewSetMixin

from config.rest import nothing_here

_APPS = ("profiles", "consent", "segments", "messaging", "journeys", "insights")
Routes = list[tuple[str, type[ViewSetMixin], str]]


class Router(SimpleRouter):
    """Tries what stands below a single thing first: an external id may look like anything, `x/events` included."""

    routes = sorted(SimpleRouter.routes, key=lambda route: "{lookup}/{url_path}" not in route.url)


def _routes() -> Routes:
    """All routes, those with an id in their prefix before the one whose id would take in the rest of the address."""
    modules = [import_module(f"{app}.api") for app in _APPS if find_spec(f"{app}.api")]
    routes: Routes = [route for module in modules for route in module.ROUTES]
    return sorted(routes, key=lambda route: "(?P<" not in route[0])


router = Router()
for prefix, viewset, basename in _routes():
    router.register(prefix, viewset, basename)

# Swagger UI styles its elements in place; its scripts are files of ours, and it needs no eval.
_docs = csp_replace(
    {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "img-src": ["'self'", "data:"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
    }
)
urlpatterns = [
    path("v1/", include(router.urls)),
    path("schema/", SpectacularJSONAPIView.as_view(), name="schema"),
    path("docs/", _docs(SpectacularSwaggerSplitView.as_view(url_name="schema")), name="docs"),
    re_path(r"", nothing_here),
]
