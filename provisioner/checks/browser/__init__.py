"""A headless browser that opens the deployment's pages as people do."""

from provisioner.checks.browser.chromium import Browser, find, start
from provisioner.checks.browser.devtools import BrowserFailed
from provisioner.checks.browser.keys import pin
from provisioner.checks.browser.tab import Request, Tab

__all__ = ["Browser", "BrowserFailed", "Request", "Tab", "find", "pin", "start"]
