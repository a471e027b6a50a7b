"""Learning rates against torch's StepLR and by hand."""

import pytest
import torch

from ebm.exceptions import DomainError
from ltr.trainers.schedule import Schedule, learning_rate_factor


def test_the_step_rule_is_torchs_step_lr() -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    reference = torch.optim.lr_scheduler.StepLR(optimizer, step_size=15, gamma=0.2)
    for epoch in range(50):
        assert learning_rate_factor(Schedule(), epoch + 0.5) == pytest.approx(optimizer.param_groups[0]["lr"])
        optimizer.step()
        reference.step()


def test_the_cosine_goes_from_one_through_the_middle_to_its_end() -> None:
    schedule = Schedule(kind="cosine", epochs=10, final_factor=0.1)
    factors = [learning_rate_factor(schedule, progress) for progress in (0.0, 5.0, 10.0)]
    assert factors == pytest.approx([1.0, 0.55, 0.1])


def test_the_warm_up_is_linear_from_zero() -> None:
    schedule = Schedule(warmup=2.0)
    factors = [learning_rate_factor(schedule, progress) for progress in (0.0, 0.5, 1.0, 2.0, 3.0)]
    assert factors == pytest.approx([0.0, 0.25, 0.5, 1.0, 1.0])


@pytest.mark.parametrize("wrong", [{"kind": "linear"}, {"epochs": 0}, {"step_epochs": 0}, {"warmup": 51.0}])
def test_a_schedule_that_makes_no_sense_is_refused(wrong: dict) -> None:
    with pytest.raises(DomainError):
        Schedule(**wrong)
