"""A headless browser that opens the deployment's pages as people do."""

from provisioner.checks.browser.chromium import Browser, find, start
from provisioner.checks.browser.devtools import BrowserFailed
from provisioner.checks.browser.keys import pin
from provisioner.checks.browser.tab import NETWORK_CHANGED, Request, Tab

__all__ = ["NETWORK_CHANGED", "Browser", "BrowserFailed", "Request", "Tab", "find", "pin", "start"]
