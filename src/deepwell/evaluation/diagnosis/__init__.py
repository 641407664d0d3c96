"""Diagnosis: what is wrong with a run, by which numbers, and what to type next."""

from deepwell.evaluation.diagnosis.examine import examine
from deepwell.evaluation.diagnosis.finding import Finding
from deepwell.evaluation.diagnosis.symptoms import Symptoms

__all__ = ["Finding", "Symptoms", "examine"]
