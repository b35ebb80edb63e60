"""All addresses."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("v1/", include("profiles.urls")),
    path("api/", include("config.api")),
    path("", include("consent.urls")),
]
