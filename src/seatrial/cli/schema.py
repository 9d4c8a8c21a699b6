"""`seatrial schema`: the JSON Schema that gives editors completion and checks for policies."""

import json
from pathlib import Path

import click


@click.command()
@click.option(
    "--output", "-o", type=click.Path(path_type=Path, allow_dash=True), metavar="FILE", help="Write to this file."
)
def schema(output: Path | None) -> None:
    """Print the JSON Schema of policies, with every installed step and action.

    Put the line `# yaml-language-server: $schema=FILE` at the top of a policy, and editors complete and check it.
    """
    from seatrial.errors import ConfigurationError
    from seatrial.policy.schema import make_schema
    from seatrial.policy.wording import printable
    from seatrial.steps.registry import policy_model

    text = json.dumps(make_schema(policy_model()), indent=2, ensure_ascii=False)
    if output is None or str(output) == "-":
        click.echo(text)
        return
    try:
        output.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"can't write {printable(str(output))}: {error.strerror}") from error
    click.echo(f"# yaml-language-server: $schema={output}", err=True)
