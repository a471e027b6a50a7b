"""Running means."""


class AverageMeter:
    def __init__(self):
        self.sum = self.count = 0
        self.history = []

    def update(self, val, n=1):
        self.val, self.sum, self.count = val, self.sum + val * n, self.count + n
        self.avg = self.sum / self.count


class StatValue:
    def __init__(self):
        self.history = []
