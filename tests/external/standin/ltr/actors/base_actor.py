"""What an actor is."""


class BaseActor:
    def __init__(self, net, objective):
        self.net, self.objective = net, objective

    def to(self, device):
        self.net.to(device)

    def train(self, mode=True):
        self.net.train(mode)
