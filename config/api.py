"""The REST API, composed of what each app offers in its `api.py` as ROUTES."""

urlpatterns: list = []
