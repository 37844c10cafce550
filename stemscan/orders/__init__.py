"""In what order the pixels of a pass are visited, beyond the band by band walks of `stemscan.patterns.traversal`."""

from stemscan.orders.model import Order, OrderKind, SettleModel

__all__ = ["Order", "OrderKind", "SettleModel"]
