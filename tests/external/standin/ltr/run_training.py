#!/usr/bin/env python
"""python run_training.py <train_module> <train_name>"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import os
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

import ltr.admin.settings as ws_settings


def run_training(train_module, train_name, cudnn_benchmark=True):
    settings = ws_settings.Settings()
    settings.module_name, settings.script_name = train_module, train_name
    settings.project_path = f"ltr/{train_module}/{train_name}"
    importlib.import_module(f"ltr.train_settings.{train_module}.{train_name}").run(settings)


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn", force=True)
    parser = argparse.ArgumentParser()
    parser.add_argument("train_module")
    parser.add_argument("train_name")
    args = parser.parse_args()
    run_training(args.train_module, args.train_name)
