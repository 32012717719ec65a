"""Signs that agents go round in circles, keep each other from working, or get nowhere: found in the log. Pure."""

from callboard.events.symptoms import Kind

from .detector import Detector, symptoms
from .symptom import KINDS, Symptom, Thresholds

__all__ = ["KINDS", "Detector", "Kind", "Symptom", "Thresholds", "symptoms"]
