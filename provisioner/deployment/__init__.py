"""From a profile to a report: plan, apply, verify, status and destroy."""

from provisioner.deployment.pipeline import Options, apply, destroy, plan, verify

__all__ = ["Options", "apply", "destroy", "plan", "verify"]
