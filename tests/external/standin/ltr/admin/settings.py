"""The free-form settings object."""

from ltr.admin.local import EnvironmentSettings


class Settings:
    def __init__(self):
        self.env = EnvironmentSettings()
        self.use_gpu = True
