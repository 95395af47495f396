"""Every speed claim of the documentation, measured."""

from zoo.quiet import quiet_when_imported

quiet_when_imported()
