"""What starts a run: jobs, schedules, the sensors that ask the systems, and the alert when a run fails."""
