"""A model of metrics, as simple as can be: every value in a dictionary, every answer worked out anew."""

import math

WIDTHS = (60, 300, 420, 3600, 86400)  # in seconds
FUNCTIONS = ("count", "sum", "min", "max", "avg", "first", "last", "p50", "p95", "p99")
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
PERCENTILE_ERROR = 0.01
ROUNDING = 1e-9  # relative, of sums whose order is not the model's


class Model:
    def __init__(self):
        self.series = {}  # name -> {second: value}

    def write(self, name, second, value):
        self.series.setdefault(name, {})[second] = value

    def windows(self, width, begin, end):
        """{name: {start of the window: values in the order of time}} of values in [begin, end)."""
        found = {}
        for name, values in self.series.items():
            windows = {}
            for second in sorted(values):
                if begin <= second < end:
                    windows.setdefault(second // width * width, []).append(values[second])
            if windows:
                found[name] = windows
        return found


def near(told, exact, error):
    return math.isclose(told, exact, rel_tol=error, abs_tol=1e-12)


def is_state_of(state, values):
    """Whether what was told of a window is true of its values; else what is not."""
    ordered = sorted(values)
    exact = {"count": len(values), "min": ordered[0], "max": ordered[-1], "first": values[0], "last": values[-1]}
    for function, value in exact.items():
        if state[function] != value:
            return f"{function} is {state[function]}, not {value}"
    total = math.fsum(values)
    scale = max(abs(ordered[0]), abs(ordered[-1])) * len(values)
    if abs(state["sum"] - total) > ROUNDING * scale or abs(state["avg"] - total / len(values)) > ROUNDING * scale:
        return f"sum is {state['sum']}, not {total}"
    for function, quantile in QUANTILES.items():
        value = ordered[math.floor(quantile * (len(ordered) - 1))]
        if not near(state[function], value, PERCENTILE_ERROR * (1 + 1e-6)):
            return f"{function} is {state[function]}, further than 1 % from {value}"
    return None
