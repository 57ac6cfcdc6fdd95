"""Strategy plugin of the molecule scenarios: mitogen's where it works with the installed core, else linear."""

from ansible.errors import AnsibleError

try:
    from ansible_mitogen.loaders import strategy_loader
    from ansible_mitogen.strategy import StrategyMixin
except (ImportError, AnsibleError):  # not installed, or made for other cores
    from ansible.plugins.strategy.linear import StrategyModule
else:

    class StrategyModule(StrategyMixin, strategy_loader.get("linear", class_only=True)):
        """The linear strategy over mitogen's connections."""


__all__ = ["StrategyModule"]
