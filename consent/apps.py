from django.apps import AppConfig


class ConsentConfig(AppConfig):
    name = "consent"

    def ready(self) -> None:
        from consent import answers, keeping, links, merging, replies  # noqa: F401 (they join what the registry asks)
