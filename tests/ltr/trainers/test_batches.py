"""Parts of a batch, gradients added up, memory measured."""

import pytest
import torch
from torch import nn

from ltr.actors.base_actor import BaseActor
from ltr.trainers.batches import fetch, forward_backward, part_sizes, split_batch
from ltr.trainers.memory import available_memory, graph_bytes, parts_needed


class Linear(BaseActor):
    """Mean of w x over a batch; keeps the squares of its input, 4 bytes an element."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(1000, 1, bias=False))

    def __call__(self, batch: dict) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        loss = self.net(batch["x"][0].exp()).mean()
        return loss, {"Loss/total": loss.detach()}


def batch(size: int) -> dict:
    return {
        "x": torch.randn(1, size, 1000, generator=torch.Generator().manual_seed(0)),
        "name": list(range(size)),
    }


def test_sizes_add_up_and_differ_by_at_most_one() -> None:
    assert part_sizes(20, 1) == [20]
    assert part_sizes(20, 3) == [7, 7, 6]
    for parts in range(1, 11):
        sizes = part_sizes(20, parts)
        assert sum(sizes) == 20
        assert max(sizes) - min(sizes) <= 1


def test_parts_hold_every_sample_once_in_order() -> None:
    whole = batch(7)
    parts = list(split_batch(whole, [3, 2, 2]))
    assert [part["name"] for part in parts] == [[0, 1, 2], [3, 4], [5, 6]]
    assert torch.equal(torch.cat([part["x"] for part in parts], dim=1), whole["x"])


def test_the_gradient_of_the_parts_is_that_of_the_whole() -> None:
    actor = Linear()
    stats = forward_backward(actor, batch(7), [7])
    whole = actor.net.weight.grad.clone()
    actor.net.weight.grad = None
    parts = forward_backward(actor, batch(7), [3, 2, 2])
    torch.testing.assert_close(actor.net.weight.grad, whole)
    torch.testing.assert_close(parts["Loss/total"], stats["Loss/total"])


def test_fetched_values_carry_their_names() -> None:
    assert fetch({"a": torch.tensor(1.5), "b": torch.tensor(2)}) == {"a": 1.5, "b": 2.0}


def test_the_graph_is_measured_and_the_buffers_are_left_alone() -> None:
    actor = Linear()
    actor.net.register_buffer("calls", torch.zeros(()))
    actor.net.register_forward_hook(lambda net, args, out: net.calls.add_(1))
    # The exponential's output is kept once, though two operations save it.
    assert graph_bytes(actor, batch(8)) == pytest.approx(8 * 1000 * 4, rel=0.01)
    assert actor.net.calls == 0
    assert actor.net.weight.grad is None


@pytest.mark.parametrize(
    ("samples_that_fit", "parts"), [(1000.0, 1), (20.5, 1), (19.5, 2), (7.5, 3), (2.5, 10), (0.1, 10)]
)
def test_a_batch_is_cut_as_the_memory_demands_but_never_into_single_samples(
    samples_that_fit: float, parts: int
) -> None:
    free = int(samples_that_fit * 4000 / 0.5 * 1.01)
    assert parts_needed(Linear(), batch(20), 20, free) == parts


def test_there_is_memory() -> None:
    free = available_memory(torch.device("cpu"))
    assert free is None or free > 10**6
