"""Plan, simulate, acquire and reconstruct sparse multi-pass STEM scans.

The names of `__init__.pyi` are the face of the package; each is imported when it is first used. What else a plug-in
may rely on is documented in docs/controllers.md and docs/methods.md; everything further is private.
"""

import lazy_loader

from stemscan.runtime.checkout import require_rooms

__version__ = "0.1.0"

require_rooms(__path__[0])
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
