"""Parameter groups by path."""

import pytest
from torch import nn

from ebm.exceptions import DomainError, UnknownNameError
from ltr.trainers.optimiser import ParameterGroup, build_adam


def net() -> nn.Module:
    return nn.ModuleDict({"head": nn.Linear(3, 2), "body": nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))})


def test_groups_hold_the_parameters_of_their_modules_in_order() -> None:
    module = net()
    groups = [ParameterGroup(path="body.1", lr=0.1), ParameterGroup(path="head", lr=0.2)]
    built = build_adam(module, groups).param_groups
    assert [group["lr"] for group in built] == [0.1, 0.2]
    assert [p.data_ptr() for p in built[0]["params"]] == [
        p.data_ptr() for p in module["body"][1].parameters()
    ]
    assert [p.data_ptr() for p in built[1]["params"]] == [p.data_ptr() for p in module["head"].parameters()]


def test_an_unknown_path_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="body"):
        build_adam(net(), [ParameterGroup(path="bodi", lr=0.1)])


def test_a_parameter_belongs_to_one_group() -> None:
    with pytest.raises(DomainError, match="two optimiser groups"):
        build_adam(net(), [ParameterGroup(path="body", lr=0.1), ParameterGroup(path="body.1", lr=0.1)])


def test_a_learning_rate_is_positive() -> None:
    with pytest.raises(DomainError):
        ParameterGroup(path="body", lr=0.0)
