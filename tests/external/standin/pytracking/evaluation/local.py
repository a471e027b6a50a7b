"""Paths of the stand-in."""

import os


class EnvSettings:
    pass


def local_env_settings():
    settings = EnvSettings()
    settings.network_path = os.environ["STANDIN_WORKSPACE"] + "/networks/"
    settings.results_path = os.environ["STANDIN_WORKSPACE"] + "/tracking_results/"
    return settings
