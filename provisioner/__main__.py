"""``python -m provisioner`` is the ``sovstack`` command."""

from provisioner.cli import main

if __name__ == "__main__":
    main()
