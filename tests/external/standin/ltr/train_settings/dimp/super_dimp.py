"""A setting of the clone's own."""


def run(settings):
    settings.description = "SuperDiMP"
