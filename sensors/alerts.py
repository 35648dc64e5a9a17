"""What is told when a run fails, whoever started it."""
# Dagster reads the type of `context` at run time, so annotations stay evaluated here.

import dagster as dg


def run_failed() -> dg.SensorDefinition:
    """Says in the log which step failed and what to do next; on from the start, for silence is no good news."""

    @dg.run_failure_sensor(
        name="run_failed",
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Logs every failed run with its failed steps and what to do next.",
    )
    def alert(context: dg.RunFailureSensorContext) -> None:
        for line in told(context):
            context.log.error(line)

    return alert


def told(context: dg.RunFailureSensorContext) -> list[str]:
    """One line for the run and one for each step that failed on its own account."""
    run = context.dagster_run
    lines = [f"{run.job_name} run {run.run_id} failed: {context.failure_event.message}"]
    for event in context.get_step_failure_events():
        error = event.step_failure_data.error
        lines.append(f"{event.step_key}: {error.message.strip() if error else event.message}")
    return lines
