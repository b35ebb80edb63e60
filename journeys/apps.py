from django.apps import AppConfig


class JourneysConfig(AppConfig):
    name = "journeys"

    def ready(self) -> None:
        from journeys import answering, panels, work  # noqa: F401 (they join the questions of the apps below)
