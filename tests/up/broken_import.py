"""As a package that was built for another numpy."""

raise ValueError("numpy.dtype size changed")
