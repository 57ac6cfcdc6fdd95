"""How a run happens: its directory and lock, the connections to the hosts, Ansible, and its events."""
