from django.apps import AppConfig


class JourneysConfig(AppConfig):
    name = "journeys"

    def ready(self) -> None:
        from journeys import answering  # noqa: F401 (joins the questions of the apps below)
