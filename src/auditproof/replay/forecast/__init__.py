"""What a policy would record, forecast from the counters of an API server instead of a log."""

from auditproof.replay.forecast.counters import Counters, read_counters
from auditproof.replay.forecast.forecast import Forecast, forecast
from auditproof.replay.forecast.sizes import Sizes, measured_sizes, shipped_sizes

__all__ = ["Counters", "Forecast", "Sizes", "forecast", "measured_sizes", "read_counters", "shipped_sizes"]
