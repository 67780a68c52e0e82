"""Every reason escadre gives, for conditions, events, logs and metrics.

``from escadre import reasons; reasons.NO_LAYOUT_FITS`` is how the code reads; this file only brings
the constants of the subjects together for that. Stars, so that a new reason is one constant in the
file of its subject and nothing else.
"""

from escadre.reasons.approval import *
from escadre.reasons.deeds import *
from escadre.reasons.nodes import *
from escadre.reasons.planning import *
from escadre.reasons.reason import Kind, Owner, Reason, Severity
from escadre.reasons.registry import REASONS, SUBJECTS, of
from escadre.reasons.replicas import *
from escadre.reasons.scaling import *
from escadre.reasons.weights import *
from escadre.reasons.work import *

__all__ = ["REASONS", "SUBJECTS", "Kind", "Owner", "Reason", "Severity", "of"]
