"""Partners as a test wants them: what they answer, and what they were asked, on a deployed stack."""

from mocks.partners import Callback, Choice, Chosen, MocksAbsent, PartnerMocks, Requested

__all__ = ["Callback", "Choice", "Chosen", "MocksAbsent", "PartnerMocks", "Requested"]
