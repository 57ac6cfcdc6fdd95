"""From a profile to a report: plan, apply, verify, destroy, and what earlier runs left."""

from provisioner.deployment.acceptance import Level
from provisioner.deployment.pipeline import Options, apply, destroy, plan, verify
from provisioner.deployment.session import Observer

__all__ = ["Level", "Observer", "Options", "apply", "destroy", "plan", "verify"]
